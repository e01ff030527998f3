"""The benchmark's tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tools.bench_orders.figures import Claims, Drain, misses, overhead


def show(console: Console, drains: Sequence[Drain], claims: Sequence[Claims]) -> None:
    """Drain times, claims, and what is not as it should be."""
    console.print(times(drains))
    console.print(rates(claims))
    for each in claims:
        if each.reason:
            console.print(f"Not measured on {each.database}: {each.reason}", highlight=False, markup=False)
    for miss in misses(drains, claims):
        console.print(f"Not reached: {miss}", style="yellow", highlight=False)


def times(drains: Sequence[Drain]) -> Table:
    """One line per batch."""
    table = Table(title="Working off all orders (seconds)", title_justify="left", min_width=50)
    names = ("database", "orders", "theory", "in their order", "measured", "efficiency")
    for name in (*names, "killed", "begun again", "overhead", "lost", "twice"):
        table.add_column(name, justify="left" if name == "database" else "right")
    calm = {each.database: each for each in drains if not each.kills}
    for each in drains:
        beside = calm.get(each.database) if each.kills else None
        table.add_row(
            each.database,
            str(each.orders),
            f"{each.bound:.2f}",
            f"{each.listed:.2f}",
            f"{each.seconds:.2f}",
            f"{each.efficiency:.1%}",
            str(each.kills),
            str(each.again),
            f"{overhead(beside, each):+.1%}" if beside else "-",
            str(each.lost),
            str(each.twice),
        )
    return table


def rates(claims: Sequence[Claims]) -> Table:
    """One line per database."""
    table = Table(title="Claims of two processes with two threads each", title_justify="left", min_width=50)
    for name in ("database", "orders waiting", "claims a second", "claimed twice", "backlog read in"):
        table.add_column(name, justify="left" if name == "database" else "right")
    for each in claims:
        if each.per_second is not None:
            read = f"{each.backlog_ms:.0f} ms"
            table.add_row(
                each.database, f"{each.backlog:,}", f"{each.per_second:,.0f}", str(each.twice), read
            )
    return table
