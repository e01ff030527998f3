"""One verdict on a build, and one change of what runs: the rows of the records."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Moment = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
Kind = Literal["release", "rollback", "press", "re-arm"]
Outcome = Literal[
    "running", "released", "failed", "refused", "rolled back", "interrupted", "pressed", "re-armed"
]


def utc_now() -> datetime:
    """The time of now, in UTC."""
    return datetime.now(UTC)


class Row(BaseModel):
    """A row: immutable, without unknown fields, and JSON by ``model_dump(mode="json")``."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Verdict(Row):
    """What somebody found out about one build. Verdicts are added and never changed."""

    digest: Digest = Field(title="Digest of the image: sha256:...")
    image: Text = Field(max_length=255, title="Name of the image, for people: shop:2.0.0")
    app: Text = Field(max_length=63, title="Application")
    passed: bool = Field(title="Whether the build passed")
    source: Text = Field(max_length=63, title="Who says so: an environment, or a name that CI reports under")
    by: Text = Field(max_length=255, title="User, or run")
    at: Moment = Field(default_factory=utc_now, title="When")
    reason: str = Field(default="", title="Why, in a sentence")
    link: str = Field(default="", title="Where to read more")
    run: str = Field(
        default="",
        max_length=500,
        title="What gave it (a pipeline's number): saying the same again for one run adds nothing",
    )
    id: str = Field(default="", title="Given when it is added; stable")

    @property
    def text(self) -> str:
        """One sentence: ``failed, says ci (by admin, 2026-03-04 05:06 UTC): test_orders fails``."""
        head = (
            f"{'passed' if self.passed else 'failed'}, says {self.source} (by {self.by}, {minute(self.at)})"
        )
        return f"{head}: {self.reason}" if self.reason else head


class Change(Row):
    """One release, rollback, press or re-arm of an app in an environment.

    Saved again while it goes on; the last word counts.
    """

    run: Text = Field(max_length=500, title="dag_id/run_id")
    kind: Kind = Field(title="Kind of change")
    app: Text = Field(max_length=63, title="Application")
    environment: Text = Field(max_length=63, title="Environment")
    release: Text = Field(
        max_length=255, title="Release that it brought, or went back to; of a press or re-arm the Deployment"
    )
    number: int = Field(default=0, title="Number of that release; 0 when it is not known")
    spec_digest: str = Field(default="", title="Digest of the frozen spec that was applied")
    images: dict[str, str] = Field(default={}, title="Builds: name:tag to registry/name:tag@sha256:...")
    user: str = Field(default="", title="Who asked for it")
    reason: str = Field(default="", title="Why")
    started: Moment = Field(default_factory=utc_now, title="When it began")
    ended: Moment | None = Field(default=None, title="When it ended")
    outcome: Outcome = Field(title="What became of it")
    summary: str = Field(default="", title="What happened, in a paragraph")
    approved_by: str = Field(default="", title="Who approved it")
    approved_at: Moment | None = Field(default=None, title="When it was approved")
    approval_reason: str = Field(default="", title="What was said with the approval")
    document: str = Field(default="", title="As-built document")
    details: dict[str, Any] = Field(default={}, title="What else is worth keeping, such as links")

    @property
    def digests(self) -> set[str]:
        """The digests of its images."""
        return {found[0] for image in self.images.values() if (found := DIGEST.search(image))}


def minute(moment: datetime) -> str:
    """A time as people read it, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
