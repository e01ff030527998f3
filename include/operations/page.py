"""The page of operations as HTML, and the same as data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from include.operations.needs import Need
from include.operations.oncall import parts_of
from include.operations.orders import OrdersView
from include.operations.procedures import Procedure, RunFact
from include.operations.volumes import VolumeView
from include.records.page import templates
from include.records.problems import Entry
from include.restarts.liveness import ago

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Links:
    """Where the page leads to: a DAG by its id, a run by ``dag_id/run_id``, a page of the documentation by its name.

    ``page`` answers None where the documentation is not installed.
    """

    dag: Callable[[str], str]
    run: Callable[[str], str]
    page: Callable[[str], str | None]


@dataclass(frozen=True)
class Content:
    """What the page shows. ``volumes`` and ``orders`` are None for who may not see their DAGs, or when their file is wrong.

    Attributes:
        notices: what could not be found out, a sentence each.
        needs: what needs somebody.
        procedures: the scheduled ones.
        volumes: the log volumes.
        orders: the orders.
        entries: of the on-call log, newest first.
    """

    notices: Sequence[str] = ()
    needs: Sequence[Need] = ()
    procedures: Sequence[Procedure] = ()
    volumes: Sequence[VolumeView] | None = None
    orders: OrdersView | None = None
    entries: Sequence[Entry] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """As data: without the drawings."""
        return {
            "notices": list(self.notices),
            "needs": [asdict(each) for each in self.needs],
            "procedures": [_procedure(each) for each in self.procedures],
            "volumes": None if self.volumes is None else [_without_charts(each) for each in self.volumes],
            "orders": _without_charts(self.orders) if self.orders else None,
            "entries": [each.model_dump(mode="json") for each in self.entries],
        }


def render(content: Content, links: Links, *, now: datetime) -> str:
    """The page as HTML."""
    return _templates().get_template("operations.html.j2").render(content=content, links=links, now=now)


def _procedure(each: Procedure) -> dict[str, Any]:
    return {
        "dag_id": each.dag_id,
        "state": each.state,
        "text": each.text,
        "last": asdict(each.dag.last) if each.dag.last else None,
        "next_at": each.next_at,
    }


def _without_charts(view: VolumeView | OrdersView) -> dict[str, Any]:
    found = asdict(view)
    found.pop("chart", None)
    for curve in found.get("curves") or ():
        curve.pop("chart")
    return found


@cache
def _templates() -> jinja2.Environment:
    return templates(TEMPLATES, clock=_clock, iso=_iso, ago=ago, parts=parts_of, took=_took)


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _took(run: RunFact) -> str:
    """How long a run took; empty while it goes on."""
    return ago(run.ended - run.started) if run.started and run.ended else ""
