"""What the DAGs of order processing have in common: arguments of ``@dag``, as ``orders.yaml`` says, and the form."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, Param

from include.orders.config import Orders, Schedule
from include.orders.loading import read_orders
from include.release.asking import REASON
from include.release.environments import Environment
from include.release.loading import Sources
from include.release.problems import RejectedError
from plugins.deadlines import must_end_within
from plugins.params import intent_params
from plugins.procedure import RETRYING

_LATE = "open the run: the task run_batch says what it waits for, or which order the batch is at."


def orders_here() -> tuple[Orders, Environment] | None:
    """The configuration; None when it is not right: the DAGs are there all the same, and their first task says why."""
    try:
        return read_orders(Sources.from_environment())
    except RejectedError:
        return None


def batches() -> dict[str, Any]:
    """Arguments of the DAG that runs the batches."""
    found = orders_here()
    schedule = found[0].schedule if found else Schedule()
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
    schedule = found[0].schedule if found else Schedule()
    return {**_common(schedule.look_cron), "default_args": {**RETRYING, "retries": 2}}


def order_params() -> dict[str, Param]:
    """What the DAG ``order_processor`` asks for; its schedule asks for nothing."""
    return {
        "dry_run": intent_params()["dry_run"],
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


def _on_call(found: tuple[Orders, Environment] | None) -> Any:
    if found is None:
        return []
    orders, place = found
    return place.tell if orders.tell.on_call is None else orders.tell.on_call
