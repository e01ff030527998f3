"""Keeping what a task saw, for the page of operations. What cannot be kept is a warning: it fails no task."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from airflow.sdk import BaseOperator, Context

from include.logs.messages import VolumeRun
from include.operations.figures import of_backlog, of_cleanup, of_unknown
from include.orders.alarm import Alert
from include.orders.facts import Backlog
from include.orders.sizing import Pace
from include.records.looks import Kind, Look
from include.release.environments import Environment
from include.release.loading import Sources
from include.release.problems import Problem
from plugins.hooks.records import RecordsHook
from plugins.operators.locking import run_name


def keep_cleanup(operator: BaseOperator, runs: Iterable[VolumeRun], context: Context) -> None:
    """Keep what a clean-up found and did on each volume."""
    dag_run: Any = context["dag_run"]
    started = getattr(dag_run, "start_date", None) or datetime.now(UTC)
    for run in runs:
        _keep(operator, "volume", run.name, partial(of_cleanup, run, started), context)


def keep_backlog(
    operator: BaseOperator,
    place: Environment,
    backlog: Backlog,
    alert: Alert,
    pace: Pace | None,
    context: Context,
) -> None:
    """Keep what a look at the orders saw."""
    _keep(operator, "orders", place.name, partial(of_backlog, backlog, alert, pace), context, place)


def keep_unknown(operator: BaseOperator, place: Environment, problem: Problem, context: Context) -> None:
    """Keep that the orders could not be looked at."""
    _keep(operator, "orders", place.name, partial(of_unknown, problem), context, place)


def _keep(
    operator: BaseOperator,
    kind: Kind,
    subject: str,
    figures: Callable[[], dict[str, Any]],
    context: Context,
    place: Environment | None = None,
) -> None:
    try:
        if place is None:  # a clean-up is of no single environment: the first one's records have it
            place = Sources.from_environment().environments().environments[0]
        look = Look(
            kind=kind, subject=subject, at=datetime.now(UTC), run=run_name(context), figures=figures()
        )
        RecordsHook(place.records).get_conn().looks.keep(look)
    except Exception as error:  # (whatever a file, a connection or a database is wrong with)
        first = next(iter(str(error).splitlines()), "")
        operator.log.warning(
            "What was seen of %s cannot be kept for the page Operations: %s",
            subject,
            first or type(error).__name__,
        )
