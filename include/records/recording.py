"""What CI says of a build, checked: the same words over HTTP and on the command line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from include.records.models import DIGEST, Verdict, utc_now
from include.records.store import Records
from include.release.images import Digest
from include.release.loading import Sources
from include.release.models import validated
from include.release.problems import Problem, RejectedError
from include.release.refs import parse_reference
from include.release.spec import Name, Strict, Text
from include.release.yamlfile import Document

Link = Annotated[str, StringConstraints(pattern=r"^(https?://\S+)?$", max_length=1000)]


class Finding(Strict):
    """A verdict on one build, as CI reports it."""

    digest: Digest = Field(title="Digest of the image in the registry: sha256:...")
    image: Text = Field(max_length=255, title="Its name, for people: shop:2.0.0")
    app: Name = Field(title="Application")
    passed: bool = Field(title="Whether the build passed")
    reason: str = Field(default="", max_length=2000, title="Why; needed for a fail")
    link: Link = Field(default="", title="Where to read more: http(s)://")
    run: str = Field(
        default="", max_length=200, title="The pipeline's number: saying the same again for it adds nothing"
    )


@dataclass(frozen=True)
class Recorded:
    """The verdict as it is kept, and the names by which the lock files know the digest (none: nobody does)."""

    verdict: Verdict
    known_as: tuple[str, ...]

    @property
    def notice(self) -> str:
        """What whoever recorded it should know; empty when there is nothing."""
        if not self.known_as:
            return (
                "No lock file has this digest: no release can use this build. It is the digest of the image "
                "in the registry, not the image id that a local build shows."
            )
        return ""


def read_finding(values: object, name: str) -> Finding:
    """What was reported.

    Args:
        values: the parsed JSON, or the options.
        name: what it was read from, for the errors.

    Raises:
        RejectedError: with every problem.
    """
    finding, problems = validated(Finding, Document(name, values))
    problems = [_without_line(each, name) for each in problems]
    if finding is not None and not finding.passed and not finding.reason.strip():
        expected = "why the build failed, in a sentence"
        problems.append(Problem(name, "reason", "nothing", expected, "say what failed"))
    if problems or finding is None:
        raise RejectedError(problems, subject="the verdict", changed="Nothing has been recorded.")
    return finding


def record(records: Records, finding: Finding, *, source: str, by: str, sources: Sources) -> Recorded:
    """Add the verdict.

    Raises:
        RejectedError: nobody knows its app, or nobody would trust its source.
        RecordsError: the records do not answer.
    """
    problems = [
        each for each in (_strange_source(source, sources), _strange_app(finding.app, sources)) if each
    ]
    if problems:
        raise RejectedError(problems, subject="the verdict", changed="Nothing has been recorded.")
    verdict = Verdict(**finding.model_dump(), source=source, by=by, at=utc_now())
    return Recorded(records.add_verdict(verdict), known_names(finding.digest, sources))


def _strange_source(source: str, sources: Sources) -> Problem | None:
    """A verdict under a name that no gate trusts decides nothing: most likely it is misspelt."""
    try:
        environments = sources.environments()
    except RejectedError:  # told by everything that needs the file; a verdict is not lost for it
        return None
    places = [each.name for each in environments.environments]
    if source in places:
        return Problem(
            "the source",
            "",
            f"{source}, the name of an environment",
            "a name that CI reports under, as in gate.trusted",
            "choose another one: an environment's verdicts come from releases to it",
        )
    trusted = [name for each in environments.environments for name in each.gate.trusted if name not in places]
    known = sorted({*trusted, *(each.source for each in environments.verdict_recorders)})
    if not known or source in known:
        return None
    return Problem(
        "the source",
        "",
        repr(source),
        f"one of {', '.join(known)}",
        "correct it, or name it in gate.trusted or verdict_recorders of include/config/environments.yaml first",
    )


def _strange_app(app: str, sources: Sources) -> Problem | None:
    """An app that neither a release nor an environment names; where no app is named at all, every one is taken."""
    known = set(sources.app_names())
    with contextlib.suppress(RejectedError):
        known.update(app for each in sources.environments().environments for app in each.apps)
    if not known or app in known:
        return None
    return Problem(
        "the verdict",
        "app",
        repr(app),
        f"one of {', '.join(sorted(known))}",
        "correct it; of a new application, add the first release's file to include/releases before",
    )


def known_names(digest: str, sources: Sources) -> tuple[str, ...]:
    """The names that a digest has in the lock files; a file that cannot be read has none."""
    found: set[str] = set()
    try:
        for environment in sources.environments().environments:
            lock = sources.image_lock(environment)
            found.update(name for name, image in lock.images.items() if image.digest == digest)
    except RejectedError:
        pass
    return tuple(sorted(found))


def split_image(values: Mapping[str, Any]) -> dict[str, Any]:
    """With ``registry/shop:2.0.0@sha256:...`` as the image, fill in the digest and shorten the name."""
    result = dict(values)
    image = result.get("image")
    found = DIGEST.search(image) if isinstance(image, str) else None
    reference = parse_reference(image) if isinstance(image, str) else None
    if found and reference and reference.tag:
        result["image"] = reference.short
        result.setdefault("digest", found[0])
    return result


def recorder_of(user: str, recorders: Iterable[Any]) -> str | None:
    """The source under which a user's verdicts are kept; None when the user may record none."""
    return next((each.source for each in recorders if each.user == user), None)


def _without_line(problem: Problem, name: str) -> Problem:
    return Problem(name, problem.field, problem.found, problem.expected, problem.fix)
