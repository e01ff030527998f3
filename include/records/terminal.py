"""Changes and verdicts as tables in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from include.records.models import Change, Verdict
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
    "pressed": "red",
    "re-armed": "green",
}


def print_releases(places: Sequence[Place], history: Sequence[Change], shown: str) -> None:
    """The places with what runs there, then the history."""
    console = _console()
    if not history:
        console.print(f"No change is recorded in {shown}.", highlight=False, markup=False)
        return
    now = _table("The last change, and whether it is what runs now (times in UTC)")
    for column in ("where", "last change"):
        now.add_column(column, no_wrap=True)
    now.add_column("does it run?", overflow="fold")
    for place in places:
        live = _styled(place.live.answer)
        live.append(f": {place.live.text}", style="default")
        _add(now, f"{place.environment}\n{place.app}", _last(place), live)
    console.print(now)
    past = _table("History, newest first")
    for column in ("when", "change"):
        past.add_column(column, no_wrap=True)
    past.add_column("by, why and which run", overflow="fold")
    for change in history:
        what = Text(f"{change.environment}: {change.kind} {change.release}\n")
        what.append_text(_ended(change))
        _add(
            past, _clock(change), what, "\n".join(filter(None, [_people(change), change.reason, change.run]))
        )
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
    for column in ("when (UTC)", "build"):
        table.add_column(column, no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for each in verdicts:
        said = _styled("passed" if each.passed else "failed")
        said.append(f", says {each.source} (by {each.by})", style="default")
        said.append(f"\n{each.reason}" if each.reason else "", style="default")
        _add(table, f"{each.at:%Y-%m-%d %H:%M}", f"{each.image}\n{each.digest[:19]}", said)
    console.print(table)


def _last(place: Place) -> Text:
    """The last change, and the one that went out before it when the last one did not."""
    last = place.last
    text = Text(f"{last.kind} {last.release}\n")
    text.append_text(_ended(last))
    text.append(f"\n{_clock(last)}" + (f" by {last.user}" if last.user else ""))
    if place.settled is not None and place.settled is not last and last.outcome != "released":
        text.append(f"\nbefore: {place.settled.release}, {_clock(place.settled)}", style="dim")
    return text


def _ended(change: Change) -> Text:
    """``rolled back after 1 min 20 s``."""
    text = _styled(change.outcome)
    if time := took(change):
        text.append(f" {'in' if change.outcome == 'released' else 'after'} {time}", style="default")
    return text


def _people(change: Change) -> str:
    """Who asked, and who approved."""
    approved = f"approved by {change.approved_by}" if change.approved_by else ""
    return ", ".join(filter(None, [change.user, approved]))


def _clock(change: Change) -> str:
    return f"{change.started:%Y-%m-%d %H:%M}"


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
