"""``make chaos``: kill the client of a release at every change, and the real processes at seeded times.

``POINTS`` chooses changes (``3``: the first three; ``7,9-12``: these; ``0``: they are only listed), ``SEED`` the times, ``WORKERS``
how many releases run at once, ``PARTS`` what is done (``released``, ``rolled back``, ``overlap``, ``real``).
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

import tests.conftest  # noqa: F401 (the settings of Airflow)
from tests.chaos import overlapping, real
from tests.chaos.counting import Change, When
from tests.chaos.points import Chaos, Left
from tests.standin import TEST, Standin, serve

PARTS = ("released", "rolled back", "overlap", "real")
TITLES = {"released": "release 2", "rolled back": "release 2, whose smoke check fails"}


@dataclass(frozen=True)
class Result:
    """What became of one point."""

    variant: str
    change: Change
    when: When
    fault: str
    seconds: float
    cleared: int = 0

    def row(self) -> tuple[str, ...]:
        """For the table."""
        path = re.sub(r"/apis?/\S*?namespaces/[^/]+/", "", self.change.what)
        what = f"{self.change.task}: {path}" if self.change.number else path
        said = "ok" if not self.fault else "[red]DIFFERS[/red]"
        said += f" (cleared {self.cleared}x)" if self.cleared else ""
        return str(self.change.number or ""), escape(what), self.when, said, f"{self.seconds:.1f}"


def chosen(text: str, count: int) -> set[int]:
    """The numbers that ``POINTS`` names, out of 1 to ``count``."""
    if not text:
        return set(range(1, count + 1))
    if text.isdecimal():
        return set(range(1, int(text) + 1))
    numbers: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def points(changes: list[Change], text: str) -> list[tuple[Change, When]]:
    """Before and after each chosen change. Once a task has reported its end there is no client to kill."""
    numbers = chosen(text, len(changes))
    found: list[tuple[Change, When]] = []
    for change in changes:
        if change.number in numbers:
            found.append((change, "before"))
            if not change.what.startswith("reports "):
                found.append((change, "after"))
    return found


def try_points(standin: Standin, home: Path, variant: str, console: Console, text: str) -> Iterator[Result]:
    """Every chosen point of one variant."""
    chaos = Chaos(standin, home, faulty=variant == "rolled back")
    with ThreadPoolExecutor(2) as pool:
        undisturbed, again = pool.map(lambda _: chaos.run(), range(2))
    console.print(f"[bold]{TITLES[variant]}[/bold]: {len(undisturbed.changes)} changes; undisturbed it ends "
                  f"{undisturbed.states['run']} after {undisturbed.seconds:.1f} s")  # fmt: skip
    if difference := undisturbed.difference(again):
        console.print(difference, markup=False)
        raise SystemExit("error: two undisturbed runs differ, so a killed one cannot be judged")
    wanted = points(undisturbed.changes, text)
    if not wanted:
        for change in undisturbed.changes:
            console.print(f"{change.number:4} {change.task}: {change.what}", markup=False, highlight=False)
    with ThreadPoolExecutor(int(os.environ.get("WORKERS") or 3)) as pool:
        running = {pool.submit(chaos.run, change, when): (change, when) for change, when in wanted}
        for number, future in enumerate(as_completed(running), 1):
            change, when = running[future]
            try:
                left = future.result()
                result = judged(variant, change, when, undisturbed, left)
                if not result.fault:
                    chaos.forget(left)
            except Exception as error:
                result = Result(variant, change, when, f"{type(error).__name__}: {error}", 0.0)
            console.print(f"[{number}/{len(wanted)}]".replace("[", "\\["), *result.row())
            if result.fault:
                console.print(result.fault, markup=False, highlight=False)
            yield result


def judged(variant: str, change: Change, when: When, undisturbed: Left, left: Left) -> Result:
    """Compare what a killed run left with what the undisturbed one did."""
    fault = undisturbed.difference(left)
    if left.killed is None:
        fault = f"change {change.number} never came\n{fault}"
    if fault:
        fault += f"\nlog of the tasks: {left.log}"
    return Result(variant, change, when, fault, left.seconds, len(left.cleared))


def main() -> int:
    """Everything; 0 when every release ended as it would have."""
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM)
    )  # what was started is ended then too
    console = Console(width=None if sys.stdout.isatty() else 160)
    logging.getLogger("airflow").setLevel(logging.WARNING)
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    console.print(f"seed {seed} (SEED={seed} chooses the same times again)")
    TEST.mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="chaos-", dir=TEST))
    results: list[Result] = []
    begun = time.monotonic()
    try:
        _try_parts(_parts(), home, seed, console, results)
    finally:
        show(console, results)
    failed = [each for each in results if each.fault]
    console.print(
        f"{len(results)} points, {len(failed)} differ, {time.monotonic() - begun:.0f} s, seed {seed}"
    )
    if not failed:
        shutil.rmtree(home, ignore_errors=True)
    return 1 if failed else 0


def _parts() -> list[str]:
    """What ``PARTS`` names; everything when it is not set."""
    parts = [part.strip() for part in (os.environ.get("PARTS") or ",".join(PARTS)).split(",")]
    if unknown := set(parts) - set(PARTS):
        raise SystemExit(f"error: PARTS={','.join(sorted(unknown))}: these are known: {', '.join(PARTS)}")
    return parts


def _try_parts(parts: list[str], home: Path, seed: int, console: Console, results: list[Result]) -> None:
    with contextlib.ExitStack() as stack:
        if parts != ["real"]:
            standin = stack.enter_context(contextlib.contextmanager(serve)())
        for part in parts:
            if part == "real":
                rounds = int(os.environ.get("ROUNDS") or 2)
                results.extend(Result(*each) for each in real.try_all(home, seed, console, rounds))
            elif part == "overlap":
                results.extend(Result(*each) for each in overlapping.try_all(standin, home, console, seed))
            else:
                results.extend(try_points(standin, home, part, console, os.environ.get("POINTS", "")))


def show(console: Console, results: list[Result]) -> None:
    """The table of all points."""
    for variant in dict.fromkeys(each.variant for each in results):
        table = Table(
            "point",
            "call",
            "killed",
            "result",
            "seconds",
            title=TITLES.get(variant, variant),
            title_justify="left",
        )
        mine = [each for each in results if each.variant == variant]
        for each in sorted(mine, key=lambda each: (each.change.number, each.when != "before")):
            table.add_row(*each.row())
        console.print(table)


if __name__ == "__main__":
    sys.exit(main())
