"""What a release to a trying environment says of its builds: passed, failed, or nothing."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime

from include.records.models import DIGEST, Verdict
from include.release.frozen import Frozen

TRIES = ("migrate", "rollout_check", "smoke_check", "verify_build")
"""The tasks that fail when a build is no good; they are tried in this order."""
PASSES = ("rollout_check", "smoke_check", "verify_build")
"""All of these have to succeed for a pass."""


@dataclass(frozen=True)
class Judged:
    """``passed`` is None when the run says nothing of the builds; ``reason`` says why, for the log."""

    passed: bool | None
    reason: str


def judge_run(
    states: Mapping[str, str], failures: Mapping[str, Mapping[str, str]], results: Container[str]
) -> Judged:
    """What the end of the run's tasks says of the builds.

    Args:
        states: state by task, such as success, failed, skipped, upstream_failed.
        results: the tasks that handed on what they found. One that somebody marked as a success did not.
        failures: what a failed task left as its reason: ``reason``, and as ``kind`` ``failed`` when a step went
            wrong. Other kinds (refused, trouble: the cluster, a worker, a quota) are no fault of the build.
    """
    for task in TRIES:
        if states.get(task) != "failed":
            continue
        failure = failures.get(task) or {}
        if failure.get("kind") == "failed":
            return Judged(False, f"{task} failed: {failure.get('reason') or 'see its log'}")
        why = failure.get("reason") or "it ended without saying why (killed, or its worker was lost)"
        return Judged(None, f"{task} failed for another reason than the build: {why}")
    missing = [task for task in PASSES if states.get(task) != "success"]
    if missing:
        ends = ", ".join(f"{task} {(states.get(task) or 'not run').replace('_', ' ')}" for task in missing)
        return Judged(None, f"the builds were not tried to the end: {ends}")
    marked = [task for task in PASSES if task not in results]
    if marked:
        names = " and ".join(marked)
        return Judged(None, f"{names} handed on no result: somebody marked {names} as a success")
    return Judged(True, f"{', '.join(PASSES[:-1])} and {PASSES[-1]} succeeded")


def verdicts_of(
    frozen: Frozen, judged: Judged, run: str, user: str, link: str, at: datetime
) -> list[Verdict]:
    """One verdict per build. A failure speaks of our own builds only, if there are any: what else the release has
    (a proxy, a sidecar) may serve well in others.
    """
    if judged.passed is None:
        return []
    verdicts = []
    for short, image in sorted(frozen.images.items()):
        digest = DIGEST.search(image)
        if digest is None or (not judged.passed and frozen.builds and image not in frozen.builds):
            continue
        verdicts.append(
            Verdict(
                digest=digest[0],
                image=short,
                app=frozen.release.app,
                passed=judged.passed,
                source=frozen.environment.name,
                by=user,
                at=at,
                reason=f"{frozen.release.name} in {frozen.environment.name}: {judged.reason}",
                link=link,
                run=run,
            )
        )
    return verdicts
