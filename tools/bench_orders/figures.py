"""What was measured, and its arithmetic."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

AIM_EFFICIENCY = 0.97


@dataclass(frozen=True)
class Drain:
    """One batch that worked off all orders.

    Args:
        database: on which.
        orders: how many there were.
        seconds: from the start of the processor to its end.
        bound: the theoretical drain time.
        listed: the same, when orders are begun in the order in which they came.
        kills: how many workers were killed meanwhile.
        lost: orders that are not fulfilled at the end, or whose shipment the shipper does not have.
        twice: orders that were fulfilled or shipped more than once.
        again: orders that were begun more than once, because their worker was killed.
    """

    database: str
    orders: int
    seconds: float
    bound: float
    listed: float
    kills: int = 0
    lost: int = 0
    twice: int = 0
    again: int = 0

    @property
    def efficiency(self) -> float:
        """Theoretical drain time by the time it took; 1 cannot be passed."""
        return self.bound / self.seconds


@dataclass(frozen=True)
class Claims:
    """Claims of several processes at once, with a backlog.

    Args:
        per_second: claims a second, all processes together.
        processes: with how many.
        twice: orders that two of them claimed.
        backlog: orders that waited.
        backlog_ms: how long the statement of the backlog takes with them, milliseconds.
        reason: why nothing was measured.
    """

    database: str
    per_second: float | None = None
    processes: int = 0
    twice: int = 0
    backlog: int = 0
    backlog_ms: float = 0.0
    reason: str = ""


def more_than_once(keys: Iterable[object]) -> int:
    """How many of them are there more than once."""
    return sum(number > 1 for number in Counter(keys).values())


def overhead(calm: Drain, killed: Drain) -> float:
    """How much longer it took with kills, as a share of the time without."""
    return killed.seconds / calm.seconds - 1


def overheads(drains: Sequence[Drain]) -> list[float]:
    """``overhead`` of each database that was measured both ways."""
    calm = {each.database: each for each in drains if not each.kills}
    return [overhead(calm[each.database], each) for each in drains if each.kills and each.database in calm]


def misses(drains: Sequence[Drain], claims: Sequence[Claims]) -> list[str]:
    """What is not as it should be, in words."""
    found = []
    for each in drains:
        with_what = f"on {each.database} with {each.kills} kills"
        if not each.kills and each.efficiency < AIM_EFFICIENCY:
            found.append(
                f"efficiency on {each.database} is {each.efficiency:.1%}, less than {AIM_EFFICIENCY:.0%}"
            )
        if each.lost or each.twice:
            found.append(f"{with_what}: {each.lost} orders lost, {each.twice} done twice")
    found += [f"{each.twice} orders were claimed twice on {each.database}" for each in claims if each.twice]
    return found


def line(drains: Sequence[Drain], claims: Sequence[Claims]) -> str:
    """One JSON object on one line; of several databases the worst counts."""
    calm = [each.efficiency for each in drains if not each.kills]
    costs = overheads(drains)
    rates = {each.database: each.per_second for each in claims}
    found = {
        "efficiency": round(min(calm), 4) if calm else None,
        "orders": max((each.orders for each in drains), default=0),
        "lost": sum(each.lost for each in drains),
        "twice": sum(each.twice for each in drains) + sum(each.twice for each in claims),
        "kill_overhead": round(max(costs), 4) if costs else None,
        "claims_per_s_sqlite": _rounded(rates.get("sqlite")),
        "claims_per_s_postgres": _rounded(rates.get("postgresql")),
    }
    return json.dumps(found)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
