"""What an environment asks of a change before and after it: windows, gate, approval, whom to tell."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from include.release.spec import Strict, Text

Told = Literal[
    "waits for approval",
    "released",
    "failed",
    "refused",
    "rolled back",
    "interrupted",
    "pressed",
    "alert",
    "braked",
    "dry run",
    "re-armed",
    "proposal",
    "set aside",
    "handed over",
    "resolved",
    "cleaned up",
    "restored",
]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
EndClock = Annotated[str, Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")]
LocalTime = Annotated[datetime, Field(strict=False)]


class OpenHours(Strict):
    """Hours of the week in which releases may start."""

    days: list[Weekday] = Field(min_length=1, title="Days of the week")
    start: Clock = Field(title="From, as HH:MM in the window's time zone")
    end: EndClock = Field(title="Until (not included), at most 24:00; before the start is on the next day")


class Freeze(Strict):
    """A time in which nothing is released."""

    start: LocalTime = Field(title="From, as 2026-12-20T18:00 in the window's time zone")
    end: LocalTime = Field(title="Until (not included)")
    reason: Text = Field(title="Why, for whoever is refused")


class ChangeWindow(Strict):
    """When releases may start. A rollback may start at any time."""

    time_zone: Text = Field(default="UTC", title="Time zone of all times here, such as Europe/Berlin")
    open: list[OpenHours] = Field(default=[], title="Open hours; none given: always")
    freezes: list[Freeze] = Field(default=[], title="Times in which nothing is released")


class GatePolicy(Strict):
    """Whether a build needs a QA verdict to come here."""

    required: bool = Field(default=False, title="Only builds whose newest QA verdict is a pass")
    trusted: list[Text] = Field(
        default=[], title="Whose verdicts count: environments of this file, and names that CI reports under"
    )
    max_age_days: Annotated[int, Field(ge=1)] = Field(default=90, title="Days that a pass is good for")


class ApprovalPolicy(Strict):
    """Whether somebody has to approve a change here. Who may is the environment's ``may_approve``."""

    required: bool = Field(default=False, title="Releases need an approval")
    rollbacks: bool = Field(default=False, title="Rollbacks that somebody triggers need one too")
    not_by_who_triggered: bool = Field(default=True, title="Who triggered the run may not approve it")
    answer_within_minutes: Annotated[int, Field(ge=1)] = Field(
        default=60, title="Minutes to answer in; silence refuses"
    )
    valid_minutes: Annotated[int, Field(ge=1)] = Field(
        default=60, title="Minutes that an approval is good for; then it is asked again"
    )


class Channel(Strict):
    """One way to tell people what became of a change."""

    kind: Literal["log", "email", "webhook"] = Field(title="Task log, e-mail, or a Slack-compatible webhook")
    connection: Text | None = Field(
        default=None,
        title="Airflow connection: of type smtp with from_email, or of type slackwebhook with the URL as its password",
    )
    to: list[Text] = Field(default=[], title="E-mail: addresses")
    outcomes: list[Told] = Field(
        default=list(get_args(Told)),
        title="What to tell of: that a change waits for an approval, and outcomes; from pressed to re-armed those of "
        "guards (alert: too many restarts, not pressed; braked: by the storm brake), then those of other procedures "
        "(alert: a person has to look; resolved: that is over; cleaned up, restored: logs)",
    )

    @model_validator(mode="after")
    def _complete(self) -> Channel:
        if self.kind == "email" and not self.to:
            raise ValueError("addresses for an e-mail, such as to: [sre@example.com]")
        if self.kind == "webhook" and not self.connection:
            raise ValueError(
                "the Airflow connection that has the webhook's URL, such as connection: sre_chat"
            )
        return self
