"""How long the orders take when nothing but they themselves take time."""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence

AT_A_TIME = 4
PROCESSES = 2
SECONDS = (10.0, 15.0)
"""Of the load test: an order takes 10 to 15 s, depending on its size."""
LARGE_ORDER = 10
"""Pieces, from which on an order takes the longest time."""


def quantities(orders: int) -> list[int]:
    """Pieces of each order, in the order in which they come; the same every time."""
    numbers = random.Random(5247)
    return [numbers.randint(1, LARGE_ORDER) for _ in range(orders)]


def seconds(quantity: int, scale: float) -> float:
    """How long an order takes."""
    least, most = SECONDS
    return (least + (most - least) * (quantity - 1) / (LARGE_ORDER - 1)) * scale


def lower_bound(durations: Sequence[float], at_a_time: int = AT_A_TIME) -> float:
    """Less than this is impossible: the sum divided by how many at a time, or the longest one."""
    return max(sum(durations) / at_a_time, max(durations, default=0.0))


def listed(durations: Sequence[float], at_a_time: int = AT_A_TIME) -> float:
    """The time when each order is begun the moment a place is free, in the order in which they came."""
    free = [0.0] * at_a_time
    for duration in durations:
        heapq.heappush(free, heapq.heappop(free) + duration)
    return max(free)
