"""Changes and verdicts as tables in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from include.records.models import Change, Verdict, minute
from include.records.overview import Place

STYLES = {
    "yes": "green",
    "no": "bold red",
    "unknown": "yellow",
    "running": "cyan",
    "released": "green",
    "failed": "red",
    "refused": "yellow",
    "rolled back": "yellow",
    "interrupted": "red",
    "passed": "green",
}


def print_releases(places: Sequence[Place], history: Sequence[Change], shown: str) -> None:
    """The places with what runs there, then the history."""
    console = _console()
    if not history:
        console.print(f"No change is recorded in {shown}.", highlight=False, markup=False)
        return
    now = _table("The last change, and what runs now")
    for column in ("environment", "app", "last change", "when", "by", "outcome"):
        now.add_column(column, no_wrap=True)
    now.add_column("as recorded?", overflow="fold")
    for place in places:
        last = place.last
        outcome = _styled(last.outcome)
        if place.settled is not None and place.settled is not last and last.outcome != "released":
            outcome.append(
                f"\nbefore it {place.settled.release},\n{minute(place.settled.started)}", style="dim"
            )
        live = _styled(place.live.answer)
        live.append(f": {place.live.text}", style="default")
        what = f"{last.kind} {last.release}"
        _add(now, place.environment, place.app, what, minute(last.started), last.user, outcome, live)
    console.print(now)
    past = _table("History")
    for column in ("when", "environment", "app", "change", "by", "approved by", "outcome", "took"):
        past.add_column(column, no_wrap=True)
    for column in ("reason", "run"):
        past.add_column(column, overflow="fold")
    for change in history:
        _add(
            past, minute(change.started), change.environment, change.app, f"{change.kind} {change.release}",
            change.user, change.approved_by or "-", _styled(change.outcome), took(change), change.reason, change.run,
        )  # fmt: skip
    console.print(past)
    documents = [change for change in history if change.document]
    if documents:
        newest = documents[0]
        console.print(
            f"As-built document of {newest.run}: {newest.document}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def print_verdicts(verdicts: Sequence[Verdict]) -> None:
    """One line per verdict."""
    console = _console()
    if not verdicts:
        console.print("No verdict is recorded.", highlight=False)
        return
    table = _table("Verdicts, newest first")
    for column in ("when", "image", "digest", "verdict", "source", "by", "reason"):
        table.add_column(column, overflow="fold")
    for each in verdicts:
        result = _styled("passed" if each.passed else "failed")
        _add(table, minute(each.at), each.image, each.digest[:19], result, each.source, each.by, each.reason)
    console.print(table)


def took(change: Change) -> str:
    """How long a change took: ``1 min 20 s``; empty while it goes on."""
    if change.ended is None:
        return ""
    seconds = int(max(change.ended - change.started, timedelta()).total_seconds())
    return f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 160)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, title_style="bold", pad_edge=False)


def _add(table: Table, *cells: str | Text) -> None:
    """A row of which no cell is read as markup."""
    table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))


def _styled(word: str) -> Text:
    return Text(word, style=STYLES.get(word, ""))
