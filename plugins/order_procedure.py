"""What the DAGs of order processing have in common: arguments of ``@dag``, as ``orders.yaml`` says, and the form."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, Param

from include.orders.config import Schedule
from include.orders.loading import Right, read_right
from include.orders.messages import channels
from include.orders.reopening import REOPEN
from include.release.asking import REASON
from include.release.loading import Sources
from include.release.problems import RejectedError
from plugins.deadlines import must_end_within
from plugins.params import intent_params
from plugins.procedure import RETRYING

_LATE = "open the run: the task run_batch says what it waits for, or which order the batch is at."


def orders_here() -> Right | None:
    """What is right in the configuration; None when that is not enough: the DAGs are there all the same, and say why."""
    try:
        return read_right(Sources.from_environment())
    except RejectedError:
        return None


def batches() -> dict[str, Any]:
    """Arguments of the DAG that runs the batches."""
    found = orders_here()
    schedule = found.orders.schedule if found else Schedule()
    within = timedelta(minutes=schedule.finish_within_minutes)
    return {
        **_common(schedule.cron),
        # A task that was killed or lost its cluster goes on with the Job that it finds.
        "default_args": {**RETRYING, "retries": 5},
        "deadline": must_end_within(
            within, title="the batches of orders", tell=_on_call(found), what_now=_LATE
        ),
        "params": order_params(),
    }


def looks() -> dict[str, Any]:
    """Arguments of the DAG that looks at the backlog."""
    found = orders_here()
    schedule = found.orders.schedule if found else Schedule()
    return {**_common(schedule.look_cron), "default_args": {**RETRYING, "retries": 2}}


def order_params() -> dict[str, Param]:
    """What the DAG ``order_processor`` asks for; its schedule asks for nothing."""
    return {
        "dry_run": intent_params()["dry_run"],
        REOPEN: Param(
            default=None,
            type=["null", "string"],
            title="Open again",
            description="Numbers of orders that were set aside and are put right by now, such as 4, 17: this run tries them "
            "anew. Empty: none.",
        ),
        REASON: Param(
            default=None,
            type=["null", "string"],
            title="Reason",
            description="By hand: why now, in a few words (the alert, a ticket). It goes on record.",
        ),
    }


def _common(cron: str) -> dict[str, Any]:
    # There is no start date: a DAG that is new waits for its next time, and one that was paused runs what it missed.
    return {
        "schedule": CronTriggerTimetable(cron, timezone="UTC"),
        "catchup": False,
        "max_active_runs": 1,
        "tags": ["orders", "kubernetes"],
    }


def _on_call(found: Right | None) -> Any:
    return channels(found.orders, found.place, "on_call") if found else []
