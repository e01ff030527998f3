"""What is known of the backlog, of a batch and of the release behind it. All of it passes through XCom as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Fact(BaseModel):
    """Immutable; JSON by ``model_dump(mode="json")``, and back by ``model_validate``."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Failing(Fact):
    """What the database keeps of an order that could not be processed."""

    order: int
    code: str = Field(title="The error's code, without #")
    text: str = Field(default="", title="What the processor wrote of it")
    tries: int = 0
    first_at: AwareDatetime | None = None
    last_at: AwareDatetime | None = None
    set_aside: bool = False
    of_code: int = Field(default=1, title="Of those set aside: orders with this code, this one included")


class CodeCount(Fact):
    """How many orders a code hit that are not processed since."""

    code: str
    orders: int
    first_at: AwareDatetime | None = None
    last_at: AwareDatetime | None = None
    alike: int = Field(
        default=0,
        title="Orders that first failed with it since one was last processed by anybody, in earlier batches too",
    )


class Kept(Fact):
    """What the database keeps of errors since a moment: which order failed with which code is known there."""

    since: AwareDatetime
    failing: tuple[Failing, ...] = Field(default=(), title="The newest first, bounded")
    codes: tuple[CodeCount, ...] = ()
    processed: int = Field(default=0, title="Orders processed since then")
    unknown: str = Field(default="", title="Why the database could not be read; empty when it was")


class Backlog(Fact):
    """What waits at one moment: the orders, who works on them, and how many came and went of late."""

    at: AwareDatetime
    waiting: int = Field(title="Open, and in nobody's work")
    in_work: int = Field(default=0, title="Claimed now")
    backing_off: int = Field(default=0, title="Waiting, of which each failed and is tried again later")
    set_aside: int = Field(default=0, title="Held for a person to look at")
    without_status: int = Field(
        default=0, title="Orders without a status, or with one nobody knows: set aside by the next batch"
    )
    oldest: AwareDatetime | None = Field(default=None, title="When the oldest waiting order was placed")
    without_time: int = Field(default=0, title="Open orders whose time cannot be read")
    untimed: bool = Field(default=False, title="Orders wait, and none has a time that can be read")
    window_minutes: int = Field(default=60, title="Minutes that the next three are of")
    arrived: int = Field(default=0, title="Placed in the window")
    done: int = Field(default=0, title="Processed in the window")
    seconds_per_order: float | None = Field(
        default=None,
        title="Measured in the window: seconds of work for one order; None when too few were processed",
    )
    last_done: AwareDatetime | None = Field(
        default=None, title="When an order was last processed; None: never"
    )

    @property
    def left(self) -> int:
        """Orders that are neither done nor set aside: a batch has something to do."""
        return self.waiting + self.in_work + self.without_status

    @property
    def oldest_seconds(self) -> float | None:
        """Seconds that the oldest has waited; None when none waits or its time is not known."""
        return max(0.0, (self.at - self.oldest).total_seconds()) if self.oldest else None

    @property
    def arrived_an_hour(self) -> float:
        """Orders that come in an hour."""
        return self.arrived * 60 / self.window_minutes

    @property
    def done_an_hour(self) -> float:
        """Orders that are processed in an hour."""
        return self.done * 60 / self.window_minutes


class LogLine(Fact):
    """A line of the log, cut and with what is no text made visible."""

    number: int
    text: str


class ErrorSeen(Fact):
    """One code, as a batch's log has it."""

    code: str
    times: int
    orders: tuple[int, ...] = Field(title="Orders it was attributed to, in order of appearance, bounded")
    more_orders: bool = Field(default=False, title="There are more orders than these")
    unattributed: int = Field(default=0, title="Times before any order was named")
    first: LogLine
    before: tuple[LogLine, ...] = ()
    after: tuple[LogLine, ...] = ()


Verdict = Literal["clean", "poison", "systemic", "stuck", "undecided", "broken"]
"""clean: no error. poison: single orders. systemic: everything fails. stuck: one order is retried past its tries.
undecided: errors of single orders, and nothing after them that says more. broken: the processor cannot work at all."""


class Judgement(Fact):
    """What a batch's log means."""

    verdict: Verdict
    text: str = Field(title="In a sentence")
    code: str = Field(default="", title="The code that decided; empty when none did")
    processed: int = 0
    started: int = 0
    complete: bool = Field(default=False, title="The log says that all orders are processed")
    errors: tuple[ErrorSeen, ...] = ()
    fault: str = Field(default="", title="What the processor said of why it cannot work")
    last: tuple[LogLine, ...] = Field(default=(), title="The last lines")
    lines: int = 0
    sure: bool = Field(default=True, title="No error can belong to another order: one was in work at a time")
    stopped_itself: bool = Field(
        default=False,
        title="The processor ended the batch as all fails alike: it had asked the database for successes",
    )
    odd: tuple[str, ...] = Field(
        default=(), title="What was strange about the log: cut lines, bytes that are no text"
    )

    def error(self, code: str) -> ErrorSeen | None:
        """What was seen of a code."""
        return next((each for each in self.errors if each.code == code), None)


class BatchEnd(Fact):
    """How a batch's Job ended."""

    end: Literal["complete", "failed", "stopped", "timeout", "not started"]
    reason: str = Field(
        default="", title="What the cluster, or who stopped it, says: exit code 1, image not found"
    )
    exit_code: int | None = None
    seconds: float = 0
    job: str = ""
    by_hand: bool = Field(default=False, title="Somebody deleted or suspended its Job")


class ChangeFact(Fact):
    """A release, rollback, press or re-arm since the last good run."""

    at: AwareDatetime
    kind: str
    name: str
    outcome: str
    by: str = ""
    summary: str = ""


class Since(Fact):
    """What changed since orders were last processed without this problem."""

    good_run: str = Field(default="", title="dag_id/run_id of the last good run; empty when none is known")
    good_at: AwareDatetime | None = None
    changes: tuple[ChangeFact, ...] = ()
    build: str = Field(default="", title="Image that the batch ran")
    unknown: str = Field(default="", title="Why the history could not be read; empty when it was")
