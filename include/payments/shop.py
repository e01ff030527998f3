"""What every shop can be asked: to hold payments, to roll back those that wait, to release them, and to count them."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from include.release.problems import Problem, RejectedError
from include.release.texts import plural, table

Step = Literal["hold", "roll_back", "release", "state"]
UNDECIDED = "rolling_back"
"""State of a payment that may have been charged, and is rolled back unless the gateway says that it was."""
ENDED = ("paid", "rolled_back")
"""States in which a payment stays."""


class Count(BaseModel):
    """Payments, and their sum. A shop that does not tell the sum has none."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    payments: int = Field(ge=0)
    cents: int | None = None


States = dict[str, Count]


class HoldSeen(BaseModel):
    """One hold, as the shop lists it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    by: str = ""
    run: str = ""
    reason: str = ""
    since: str = ""


class SettlementSeen(BaseModel):
    """One settlement, as the shop lists it: what has become by now of the payments that it is about."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    run: str
    states: States = {}


class Answer(BaseModel):
    """What a shop answers to any step. Only ``states`` is needed, and only to be counted."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    states: States = {}
    holding: bool | None = None
    """To a hold: False when the run's hold has ended before, so that nothing is held."""
    holds: list[HoldSeen] = []
    settlements: list[SettlementSeen] = []

    @field_validator("states", mode="before")
    @classmethod
    def _plain_numbers(cls, value: Any) -> Any:
        """``{"held": 3}`` is as good as ``{"held": {"payments": 3}}``."""
        if not isinstance(value, dict):
            return value
        return {key: {"payments": each} if isinstance(each, int) else each for key, each in value.items()}

    def settlement(self, run: str) -> States | None:
        """What has become of the payments that a run settled; None when the shop does not tell."""
        return next((each.states for each in self.settlements if each.run == run), None)


class Shop(Protocol):
    """A shop with a payment queue. Every step may be asked for again: the same run does it once.

    Methods raise ShopError and KubeError.
    """

    where: str
    """How texts name it."""

    def hold(self, reason: str, run: str) -> Answer:
        """Hold payments: those that wait and those that come."""

    def roll_back(self, reason: str, run: str) -> Answer:
        """Roll back the payments that wait, and those in flight as far as they turn out not to be charged."""

    def release(self, run: str) -> Answer:
        """End the hold of a run."""

    def state(self) -> Answer:
        """Count payments; changes nothing."""


class ShopError(RejectedError):
    """A shop did not do what it was asked for. ``transient``: worth another try."""

    def __init__(self, problem: Problem, *, transient: bool = False) -> None:
        super().__init__([problem], subject="the payments", changed="The task may be run again at any time.")
        self.transient = transient


def read_answer(value: Any) -> Answer:
    """A shop's JSON as an Answer. Raises ValueError that says what is wrong with it."""
    try:
        return Answer.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(each) for each in first["loc"]) or "the whole of it"
        raise ValueError(f"{place}: {first['msg']}") from None


def counted(states: States) -> str:
    """A table of what there is: state, payments, cents."""
    rows = [
        (name.replace("_", " "), each.payments, "" if each.cents is None else each.cents)
        for name, each in states.items()
        if each.payments
    ]
    return table(("state", "payments", "cents"), rows) if rows else "no payment"


def in_words(states: States) -> str:
    """``3 held (4500 cents), 1 rolling back (700 cents)``."""
    words = [
        f"{each.payments} {name.replace('_', ' ')}" + ("" if each.cents is None else f" ({each.cents} cents)")
        for name, each in states.items()
        if each.payments
    ]
    return ", ".join(words) or "no payment"


def undecided(states: States | None) -> int:
    """How many payments are to be rolled back, but may have been charged."""
    return (states or {}).get(UNDECIDED, Count(payments=0)).payments


def undecided_text(count: int, *, pressed: bool) -> str:
    """What on-call has to know of so many undecided payments; empty when there are none."""
    if not count:
        return ""
    many = plural(count, "payment")
    if not pressed:
        return f"{many} may have reached the gateway: the shop asks it now, and goes on by itself until it has an answer."
    return (
        f"{many} may have reached the gateway before the button was pressed. Nobody can ask it while the payment service "
        "is at zero. Each is settled by its key once it can be asked: paid if it was charged, rolled back if not. "
        "Nothing has to be done by hand."
    )


def waiting(states: States) -> States:
    """Those that have not ended."""
    return {name: each for name, each in states.items() if name not in ENDED}
