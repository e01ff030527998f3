"""Order processing as a team sets it up: the models behind ``include/config/orders.yaml``."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, field_validator, model_validator

from include.capacity.figures import Figure, fraction
from include.release.policies import Channel
from include.release.strict import Name, Strict, Text

DAY_MINUTES = 24 * 60
_EVERY = [
    each
    for each in range(5, DAY_MINUTES + 1)
    if 60 % each == 0 or (each % 60 == 0 and DAY_MINUTES % each == 0)
]

Minutes = Annotated[int, Field(ge=1, le=DAY_MINUTES)]


class Schedule(Strict):
    """When batches run and how long they may take. All in minutes."""

    every_minutes: int = Field(
        default=60, title="A batch starts every so many minutes, counted from midnight UTC"
    )
    look_every_minutes: Annotated[int, Field(ge=1, le=60)] = Field(
        default=5, title="The backlog is looked at every so many minutes; a divisor of 60"
    )
    spare_minutes: Annotated[int, Field(ge=0, le=60)] = Field(
        default=5, title="A batch is sized to end so many minutes before the next one starts"
    )
    again: Annotated[int, Field(ge=0, le=10)] = Field(
        default=2, title="How many more batches one run may start at once when orders are left"
    )
    start_within_minutes: Minutes = Field(
        default=10, title="A run that has not started so long after its time is late"
    )
    finish_within_minutes: Minutes = Field(
        default=120, title="A run that has not ended so long after its time is late"
    )

    @field_validator("every_minutes")
    @classmethod
    def _every(cls, value: int) -> int:
        if value not in _EVERY:
            raise ValueError(
                "minutes that divide an hour or a day: 5, 6, 10, 12, 15, 20, 30, 60, 120, 180 and so on"
            )
        return value

    @field_validator("look_every_minutes")
    @classmethod
    def _look(cls, value: int) -> int:
        if 60 % value:
            raise ValueError("minutes that divide an hour: 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 or 60")
        return value

    @model_validator(mode="after")
    def _room(self) -> Schedule:
        if self.spare_minutes >= self.every_minutes:
            raise ValueError(
                f"spare_minutes ({self.spare_minutes}) below every_minutes ({self.every_minutes}): no time is left for a batch"
            )
        return self

    @property
    def cron(self) -> str:
        """The schedule as cron has it, in UTC."""
        return cron_every(self.every_minutes)

    @property
    def look_cron(self) -> str:
        """The same of the look at the backlog."""
        return cron_every(self.look_every_minutes)


def cron_every(minutes: int) -> str:
    """``0 * * * *`` for 60, ``*/15 * * * *`` for 15, ``0 */2 * * *`` for 120."""
    if minutes < 60:
        return f"*/{minutes} * * * *" if minutes > 1 else "* * * * *"
    hours = minutes // 60
    return "0 0 * * *" if hours == 24 else f"0 */{hours} * * *" if hours > 1 else "0 * * * *"


class Capacity(Strict):
    """What the processor gets done, instead of the facts of the release that is live."""

    processes: Annotated[int, Field(ge=1, le=1000)] = Field(title="Processes of a batch")
    at_a_time: Annotated[int, Field(ge=1, le=10_000)] = Field(
        title="Orders at a time, all processes together"
    )
    seconds_per_order: Figure = Field(title="Seconds an order takes at least")
    seconds_per_order_at_most: Figure = Field(title="Seconds an order takes at most")

    @model_validator(mode="after")
    def _fits(self) -> Capacity:
        if self.at_a_time < self.processes:
            raise ValueError(
                f"at_a_time ({self.at_a_time}) at least the processes ({self.processes}): each has an order in work"
            )
        if fraction(self.seconds_per_order) > fraction(self.seconds_per_order_at_most):
            raise ValueError(
                f"seconds_per_order ({self.seconds_per_order}) at most seconds_per_order_at_most "
                f"({self.seconds_per_order_at_most})"
            )
        return self


class Alarm(Strict):
    """When 'Outstanding orders too high' is raised. Each of the three is enough."""

    count: Annotated[int, Field(ge=1, le=10_000_000)] = Field(title="More orders wait than this")
    oldest_minutes: Annotated[int, Field(ge=1, le=7 * DAY_MINUTES)] = Field(
        title="The oldest of them waits longer than this"
    )
    past_next_run: bool = Field(
        default=True, title="Working them off takes longer than from one run to the next"
    )


class Errors(Strict):
    """When errors stop a batch, and what is tried before people are asked."""

    systemic_orders: Annotated[int, Field(ge=2, le=1000)] = Field(
        default=5,
        title="One code on so many different orders, none processed between: not the orders' fault, stop; given to the "
        "batch as ORDER_STOP_AFTER",
    )
    tries: Annotated[int, Field(ge=1, le=100)] = Field(
        default=6, title="Tries of one order before it is set aside; given to the batch as ORDER_MAX_ATTEMPTS"
    )
    restarts: Annotated[int, Field(ge=0, le=3)] = Field(
        default=1, title="Restarts after an error that hits everything, before the developers get it"
    )
    silent_minutes: Minutes = Field(
        default=10, title="A batch that logs nothing for so long hangs, and is stopped"
    )
    excerpt_lines: Annotated[int, Field(ge=1, le=30)] = Field(
        default=12, title="Lines of the log before and after the first error that people are sent"
    )


class Messages(Strict):
    """One message per problem; how often it may be said again while it lasts."""

    update_minutes: Minutes = Field(
        default=60,
        title="At most one update of a problem in so many minutes, and in three intervals of the runs that see it",
    )
    remind_hours: Annotated[int, Field(ge=1, le=14 * 24)] = Field(
        default=24, title="A problem that lasts is said again after so many hours"
    )


class Tell(Strict):
    """Who is told. A list that is not given is the environment's."""

    on_call: list[Channel] | None = Field(default=None, title="Alerts")
    ops: list[Channel] | None = Field(default=None, title="Proposals: run it more often, more at a time")
    developers: list[Channel] | None = Field(default=None, title="Errors handed over, orders set aside")


class Orders(Strict):
    """How orders are processed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, title="Order processing")

    environment: Name = Field(title="Environment of environments.yaml whose orders are processed")
    app: Name = Field(default="shop", title="Application: its releases bring the processor")
    workload: Name = Field(
        default="order-processor", title="Deployment whose image, settings and resources a batch runs with"
    )
    container: Name | None = Field(default=None, title="Its container; not needed if there is one")
    database: Text = Field(title="Airflow connection (postgres or sqlite) of the database with the orders")
    schedule: Schedule = Field(default=Schedule(), title="When batches run")
    capacity: Capacity | None = Field(
        default=None,
        title="What the processor gets done; not given: the capacity facts of the release that is live",
    )
    alarm: Alarm = Field(title="When outstanding orders are too high")
    errors: Errors = Field(default=Errors(), title="What is done about errors")
    messages: Messages = Field(default=Messages(), title="How often people are told")
    tell: Tell = Field(default=Tell(), title="Who is told")
