"""Two copies of every task at the same time, as when a worker is taken for dead and is not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.chaos.counting import Change
from tests.chaos.points import Chaos
from tests.standin import Standin

MOST_SECONDS = 0.6
"""A task of the fast shop takes about this long."""


def try_all(
    standin: Standin, home: Path, console: Console, seed: int, times: int = 3
) -> Iterator[tuple[Any, ...]]:
    """Both variants, with second copies at seeded moments; yields the fields of a result each."""
    for faulty in (False, True):
        chaos = Chaos(standin, home, faulty=faulty)
        undisturbed = chaos.run()
        for number in range(times):
            # At the same moment first: nothing is further from one after the other.
            pick = random.Random(f"{seed}-{number}")
            left = chaos.run(second_copy_after=lambda: pick.uniform(0, MOST_SECONDS) if number else 0.0)  # noqa: B023
            fault = undisturbed.difference(left)
            if left.silent:
                fault += f"\nthese ended without a word: {', '.join(left.silent)}"
            if fault:
                fault += f"\nlog of the tasks: {left.log}"
                console.print(fault, markup=False, highlight=False)
            else:
                chaos.forget(left)
            what = f"{'rolled back' if faulty else 'released'}, second copies {'at random' if number else 'at once'}"
            console.print(
                f"two copies of every task: {what}: {'DIFFERS' if fault else 'ok'}, {left.seconds:.1f} s"
            )
            yield "two copies of every task", Change(0, "", what), "beside", fault, left.seconds
