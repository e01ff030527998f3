"""The benchmark's tables."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

from tools.bench.figures import Figures, Pair, by_task


def show(console: Console, pairs: Sequence[Pair], found: Figures) -> None:
    """Runs, tasks, and which aims are missed."""
    console.print(runs(pairs))
    console.print(tasks(pairs))
    for miss in found.misses():
        console.print(f"Not reached: {miss}", style="yellow", highlight=False)


def runs(pairs: Sequence[Pair]) -> Table:
    """One line per measurement."""
    table = Table(title="The DAG beside the script (seconds)", title_justify="left")
    for name in ("release", "tasks", "DAG", "script", "overhead", "a task", "ratio"):
        table.add_column(name, justify="left" if name == "release" else "right")
    for pair in pairs:
        cells = [f"{pair.dag.seconds:.1f}", f"{pair.script.seconds:.1f}", f"{pair.overhead:.1f}"]
        cells += [f"{pair.overhead_per_task:.2f}", f"{pair.ratio:.2f}"]
        table.add_row(pair.release, str(len(pair.dag.tasks)), *cells)
    return table


def tasks(pairs: Sequence[Pair]) -> Table:
    """Where the time goes, medians."""
    table = Table(title="Where the time goes (seconds, medians)", title_justify="left")
    for name in ("task", "before its start", "in the DAG", "in the script", "overhead"):
        table.add_column(name, justify="left" if name == "task" else "right")
    rows = by_task(pairs)
    for name, waited, took, script in rows:
        cells = (waited, took, script, waited + took - script)
        table.add_row(name, *(f"{each:.2f}" for each in cells))
    ends = median(pair.dag.last_wait for pair in pairs)
    table.add_row("(end of the run)", f"{ends:.2f}", "", "", f"{ends:.2f}")
    return table
