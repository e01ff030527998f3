"""What the page of operations shows, from the configuration, the records and Airflow. What cannot be read is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from include.logs.loading import read_right_volumes
from include.logs.retention import LogRetention
from include.logs.salvaging import Wrong
from include.operations.needs import needs
from include.operations.orders import SHOWN as ORDERS_SHOWN
from include.operations.orders import OrdersView, orders_view
from include.operations.page import Content
from include.operations.procedures import OVERDUE, Facts, procedures, watch_problem
from include.operations.volumes import SHOWN as VOLUMES_SHOWN
from include.operations.volumes import VolumeView, volume_views
from include.orders.loading import read_right
from include.overdue.duties import duties
from include.records.database import RecordsError
from include.records.looks import Look
from include.records.problems import Entry, OpenProblem
from include.records.store import Records
from include.release.loading import Sources
from include.release.problems import RejectedError
from plugins.operations_app.airflow_facts import CLEANUP, ask_airflow
from plugins.records_app.lookups import look

PROCESSOR, BACKLOG = "order_processor", "order_backlog"
ENTRIES = 20
May = Callable[[str], bool]


@dataclass
class Kept:
    """What the records have. ``problems``: why some of it could not be read, a sentence each."""

    volumes: list[Look] = field(default_factory=list)
    orders: list[Look] = field(default_factory=list)
    open: list[OpenProblem] = field(default_factory=list)
    batches: list[Entry] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def gather(may: May, now: datetime) -> Content:
    """What is shown to somebody who may see these DAGs."""
    sources = Sources.from_environment()
    kept = read_records(now)
    expected = duties(sources)
    facts = ask_airflow(expected.duties)
    scheduled = [each for each in procedures(expected, facts, now) if may(each.dag_id)]
    files = [f"{each.name} is not right. {each.text}" for each in expected.files if each.text]
    notices = [*kept.problems, *expected.problems, *files]
    volumes = _volumes(sources, kept, facts, now) if may(CLEANUP) else None
    orders = _orders(sources, kept, now) if may(PROCESSOR) or may(BACKLOG) else None
    if may(OVERDUE) and (problem := watch_problem(facts, now)):
        notices.append(problem)
    asked = [each for each in facts.questions if may(each.run.dag_id)]
    open_problems = [each for each in kept.open if may(each.procedure)]
    return Content(
        notices,
        needs(open_problems, scheduled, volumes or (), asked),
        scheduled,
        volumes,
        orders,
        [each for each in kept.entries if may(each.procedure)],
    )


def read_records(now: datetime) -> Kept:
    """What is kept, of all databases that the environments name. One that is away is said, and not asked again."""
    kept = Kept()
    try:
        found = look()
    except RejectedError as error:
        kept.problems.append(f"What was kept cannot be read: {_sentence(error)}")
        return kept
    for records, _ in found.of(None):
        try:
            _read(records, kept, now)
        except RecordsError as error:
            kept.problems.append(str(error))
    for kind in (kept.volumes, kept.orders):
        kind.sort(key=lambda each: each.at)
    for entries in (kept.batches, kept.entries):
        entries.sort(key=lambda each: each.started, reverse=True)
    del kept.entries[ENTRIES:]
    return kept


def _read(records: Records, kept: Kept, now: datetime) -> None:
    kept.volumes += records.looks.since("volume", now - VOLUMES_SHOWN)
    kept.orders += records.looks.since("orders", now - ORDERS_SHOWN)
    kept.open += records.problems.all_open()
    kept.entries += records.problems.last_entries(ENTRIES, told=True)
    kept.batches += [each for each in records.problems.last_entries() if each.procedure == PROCESSOR]


def _sentence(error: RejectedError) -> str:
    first = error.problems[0]
    return f"{first.where}: {first.found}. {first.fix}"


def _volumes(sources: Sources, kept: Kept, facts: Facts, now: datetime) -> list[VolumeView]:
    retention: LogRetention | None = None
    wrong: Sequence[Wrong] = ()
    with suppress(RejectedError):  # what is wrong is among what is expected
        found = read_right_volumes(sources)
        retention, wrong = found.retention, found.wrong
    return volume_views(retention, wrong, kept.volumes, facts.holders, now, unread=bool(kept.problems))


def _orders(sources: Sources, kept: Kept, now: datetime) -> OrdersView | None:
    try:
        orders = read_right(sources).orders
    except RejectedError:
        return None
    return orders_view(orders, kept.orders, kept.batches, now, unread=bool(kept.problems))
