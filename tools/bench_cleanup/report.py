"""The benchmark's tables."""

from __future__ import annotations

from statistics import median

from rich.console import Console
from rich.table import Table

from tools.bench_cleanup.figures import RATIOS, Figures, misses
from tools.bench_cleanup.options import Options


def show(console: Console, options: Options, figures: Figures) -> None:
    """Times, ratios, memory; and what is not as it should be."""
    console.print(times(options, figures))
    results = figures.results()
    console.print(ratios(results))
    if figures.peaks:
        console.print(memory(options, figures))
    for miss in misses(results):
        console.print(f"Not reached: {miss}", style="yellow", highlight=False)


def times(options: Options, figures: Figures) -> Table:
    """A line for each tool."""
    cache = "nothing in the page cache" if options.cold else "everything in the page cache"
    title = f"{options.files} small files and {options.large} of {options.large_mb} MiB, {cache} (seconds)"
    table = Table(title=title, title_justify="left")
    table.add_column("tool")
    for name in ("median", *(f"round {number + 1}" for number in range(options.rounds)), "archive, MB"):
        table.add_column(name, justify="right")
    for tool, seconds in figures.seconds.items():
        size = figures.archive_bytes.get(tool)
        cells = [f"{each:.2f}" for each in (median(seconds), *seconds)]
        table.add_row(tool, *cells, f"{size / 1e6:.0f}" if size else "")
    return table


def ratios(results: dict[str, float | None]) -> Table:
    """A line for each ratio."""
    table = Table(title="Ours over theirs, medians", title_justify="left")
    for name in ("key", "ours", "theirs"):
        table.add_column(name)
    table.add_column("ratio", justify="right")
    for key, (ours, theirs) in RATIOS.items():
        found = results[key]
        table.add_row(key, ours, theirs, "not measured" if found is None else f"{found:.2f}")
    return table


def memory(options: Options, figures: Figures) -> Table:
    """The memory of each step."""
    title = f"{options.million} files in one directory: memory of the step's processes together, at most"
    table = Table(title=title, title_justify="left")
    for name in ("step", "MB", "seconds"):
        table.add_column(name, justify="left" if name == "step" else "right")
    for peak in figures.peaks:
        table.add_row(peak.command, f"{peak.mb:.0f}", f"{peak.seconds:.1f}")
    return table
