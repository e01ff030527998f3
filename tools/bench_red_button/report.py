"""The benchmark's tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tools.bench_red_button.figures import Cut, Size, misses, split


def show(console: Console, sizes: Sequence[Size], cut: Cut) -> None:
    """Times, where they go, the idle triggerer, the cut watch; and what is not as it should be."""
    console.print(times(sizes))
    for size in sizes:
        if size.presses:
            console.print(parts(size))
    if any(size.idle for size in sizes):
        console.print(idle(sizes))
    for size in sizes:
        if size.reason:
            console.print(
                f"Not measured with {size.guards} guards: {size.reason}", highlight=False, markup=False
            )
    if cut.reason:
        console.print(f"Not measured with the watch cut: {cut.reason}", highlight=False)
    else:
        console.print(
            f"With the watch cut: {cut.expected} presses expected, {cut.made} made; {cut.cuts} connections cut, "
            f"{cut.restarts} restarts of the API server, the slowest press took {cut.slowest:.1f} s",
            highlight=False,
        )
    for miss in misses(sizes, cut):
        console.print(f"Not reached: {miss}", style="yellow", highlight=False)


def times(sizes: Sequence[Size]) -> Table:
    """One line per number of guards."""
    table = Table(
        title="From the status write to zero replicas (seconds)", title_justify="left", min_width=50
    )
    for name in ("guards", "presses", "p50", "p95", "p99", "lost", "too many", "all armed after"):
        table.add_column(name, justify="right")
    for size in sizes:
        ranks = [size.percentile(rank) for rank in (50, 95, 99)]
        cells = ["-" if each is None else f"{each:.2f}" for each in ranks]
        more = [str(size.lost), str(size.extra), f"{size.armed_after:.0f} s"]
        if not size.reason:
            table.add_row(str(size.guards), str(len(size.presses)), *cells, *more)
    return table


def parts(size: Size) -> Table:
    """Where the time goes."""
    table = Table(
        title=f"Where the time goes with {size.guards} guards (seconds)", title_justify="left", min_width=50
    )
    for name in ("part", "median", "p95"):
        table.add_column(name, justify="left" if name == "part" else "right")
    for part, middle, high in split(size.presses):
        table.add_row(part, f"{middle:.3f}", f"{high:.3f}")
    return table


def idle(sizes: Sequence[Size]) -> Table:
    """What the components take while nothing happens."""
    table = Table(title="Idle: memory of the triggerer, per cent of a core", title_justify="left")
    names = list(dict.fromkeys(name for size in sizes if size.idle for name in size.idle.others))
    for name in ("guards", "triggerer MB", "triggerer", *names):
        table.add_column(name, justify="right")
    for size in sizes:
        if size.idle:
            cells = [f"{size.idle.others.get(name, 0.0):.1f}" for name in names]
            table.add_row(str(size.guards), f"{size.idle.rss_mb:.0f}", f"{size.idle.cpu:.1f}", *cells)
    return table
