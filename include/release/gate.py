"""The gate: an environment takes a build by its digest only, and only while its newest trusted verdict is a pass."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from include.records.models import DIGEST, Verdict, minute, utc_now
from include.records.store import Records
from include.release.builds import qa_only_problem
from include.release.environments import Environment
from include.release.frozen import Frozen
from include.release.problems import Problem, RejectedError

HOW_TO_RECORD = "docs/verdicts.md says how CI records one"


def check_gate(frozen: Frozen, records: Records, now: datetime | None = None) -> list[dict[str, Any]]:
    """The verdicts that let a release in, one row per image, in the order of the images' names.

    Reads the records anew at each call, so that a verdict that came since closes the gate. Without a required gate
    it returns nothing and reads nothing.

    Raises:
        RejectedError: naming every image that may not come here, its digest, its verdict, and what to do.
        RecordsError: the records cannot be read.
    """
    environment = frozen.environment
    policy = environment.gate
    if not policy.required:
        return []
    moment = now or utc_now()
    problems: list[Problem] = []
    digests: dict[str, str] = {}
    for short, image in sorted(frozen.images.items()):
        found = DIGEST.search(image)
        if found is None:
            problems.append(_without_digest(environment, image))
        elif short in frozen.qa_only:
            problems.append(qa_only_problem(short, environment, _where(environment), f"image {short}"))
        else:
            digests[short] = found[0]
    verdicts = records.newest_verdicts(digests.values(), policy.trusted)
    for short, digest in digests.items():
        problem = _closed(environment, short, digest, verdicts.get(digest), moment)
        problems += [problem] if problem else []
    problems += _in_another_release(frozen, records)
    if problems:
        raise RejectedError(
            problems,
            subject=f"the builds of {frozen.title}",
            changed="The gate is closed; this task has changed nothing.",
        )
    return [_row(short, verdicts[digest]) for short, digest in digests.items()]


def verdict_lines(rows: list[dict[str, Any]]) -> list[str]:
    """The rows of ``check_gate`` as sentences."""
    return [
        f"{row['image']} ({row['digest'][:19]}): passed, says {row['source']} "
        f"(by {row['by']}, {minute(datetime.fromisoformat(row['at']))})"
        + (f": {row['reason']}" if row["reason"] else "")
        for row in rows
    ]


def _where(environment: Environment) -> str:
    return f"gate of {environment.name}"


def _closed(
    environment: Environment, short: str, digest: str, verdict: Verdict | None, now: datetime
) -> Problem | None:
    policy = environment.gate
    trusted = ", ".join(policy.trusted) or "nobody (gate.trusted is empty)"
    expected = f"its newest verdict of {trusted} is a pass, at most {policy.max_age_days} days old"
    if verdict is None:
        found = f"no verdict on {digest}"
        fix = f"release it to an environment that gives verdicts and is trusted ({trusted}), or have CI record one: "
        fix += HOW_TO_RECORD
    elif not verdict.passed:
        found = f"{digest} {verdict.text}"
        fix = "build again with the cause put right and try that build first; should the verdict be wrong, "
        fix += f"record a new one with its reason: {HOW_TO_RECORD}"
    elif verdict.at < now - timedelta(days=policy.max_age_days):
        found = f"{digest} {verdict.text}, {(now - verdict.at).days} days ago"
        fix = f"try the build again; {HOW_TO_RECORD}"
    else:
        return None
    if verdict is not None and verdict.link:
        fix += f" (more about this one: {verdict.link})"
    return Problem(_where(environment), f"image {short}", found, expected, fix)


def _without_digest(environment: Environment, image: str) -> Problem:
    return Problem(
        _where(environment),
        f"image {image}",
        "a name without a digest",
        "registry/name:tag@sha256:...",
        "lock the image (make images), and trigger a new run",
        why="a tag can be moved to another build after the verdict",
    )


def _in_another_release(frozen: Frozen, records: Records) -> list[Problem]:
    """A build of our own that another release has brought already. Other people's images may be in many."""
    problems = []
    for short, image in sorted(frozen.images.items()):
        digest = DIGEST.search(image)
        if image not in frozen.builds or digest is None:
            continue
        others = [name for name in records.brought_by(digest[0]) if name != frozen.release.name]
        if others:
            problems.append(
                Problem(
                    frozen.source,
                    f"image {short}",
                    f"{digest[0]}, which {' and '.join(others)} brought already",
                    "a build of its own for each release",
                    f"build {frozen.release.name} with its own tag and lock it; to go back, release {others[0]}",
                    why="with one build in two releases nobody can say which of them a verdict is about",
                )
            )
    return problems


def _row(short: str, verdict: Verdict) -> dict[str, Any]:
    return verdict.model_dump(
        mode="json", include={"id", "digest", "passed", "source", "by", "at", "reason", "link"}
    ) | {"image": short}
