"""``python -m tools.bench_cleanup``: the log clean-up beside the tools somebody would take instead.

FILES (200000), ROUNDS (3), MILLION (1000000; 0: not), COLD (1: drop the page cache first) and BENCH_DIR set what is
measured, and where. Progress and tables go to standard output; its last line is one JSON object.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from include.logs.program.layout import STATE
from tools.bench_cleanup import report, trees
from tools.bench_cleanup.figures import Figures, line
from tools.bench_cleanup.options import Options, read
from tools.bench_cleanup.tools import (
    Program,
    Tool,
    archive_bytes,
    archiving,
    deleting,
    find_tmpreaper,
    measure,
    whole,
)
from tools.demo.options import DemoError

Say = Callable[[str], None]


def run(options: Options, say: Say, figures: Figures | None = None) -> Figures:
    """Every tool in every round, then the million files. ``figures`` is filled on the way. Raises DemoError, OSError."""
    figures = Figures() if figures is None else figures
    options.home.mkdir(parents=True, exist_ok=True)
    ours = Program(options.home)
    tmpreaper = find_tmpreaper(options.home)
    if tmpreaper is None:
        say("tmpreaper is not installed and cannot be had: not measured")
    for number in range(options.rounds):
        for tool in turned([*deleting(ours, tmpreaper), *whole(ours)], number):
            with _tree(options) as root:
                _one(tool, root, number, options, figures, say)
        with _tree(options) as root:
            for tool in turned(archiving(ours), number):
                shutil.rmtree(root / STATE, ignore_errors=True)
                _one(tool, root, number, options, figures, say)
    if options.million:
        _million(options, ours, figures, say)
    return figures


def turned(tools: Sequence[Tool], number: int) -> list[Tool]:
    """Another one begins in each round."""
    first = number % len(tools)
    return [*tools[first:], *tools[:first]]


@contextlib.contextmanager
def _tree(options: Options) -> Iterator[Path]:
    root = options.home / "tree"
    trees.remove(root)
    trees.make(root, options.files, options.large, options.large_mb)
    try:
        yield root
    finally:
        trees.remove(root)


def _one(tool: Tool, root: Path, number: int, options: Options, figures: Figures, say: Say) -> None:
    tool.prepare(root)
    trees.settle(root, options.cold)
    seconds = measure(tool, root)
    figures.seconds.setdefault(tool.name, []).append(seconds)
    size = archive_bytes(root)
    if size:
        figures.archive_bytes[tool.name] = size
    say(f"round {number + 1}: {tool.name}: {seconds:.2f} s")


def _million(options: Options, ours: Program, figures: Figures, say: Say) -> None:
    root = options.home / "million"
    trees.remove(root)
    say(f"{options.million} files in one directory")
    trees.make(root, options.million, per_directory=options.million, most=1000)
    try:
        for command in ("measure", "plan", "archive", "verify", "delete", "space", "report"):
            ours.step(command, root, archive=True, compression="auto", peaks=figures.peaks)
            say(f"{command}: {figures.peaks[-1].mb:.0f} MB, {figures.peaks[-1].seconds:.1f} s")
    finally:
        trees.remove(root)


def main() -> int:
    """Measure and report; 0 when it could be measured, whatever the figures."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    begun = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[{time.monotonic() - begun:6.1f} s] {text}", highlight=False, markup=False)

    options, figures, ended = Options(), Figures(), 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        options = read(os.environ)
        run(options, say, figures)
    except (DemoError, OSError) as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        say("told to end: what was measured until now")
        ended = 130
    finally:
        _clear(options.home)
    report.show(console, options, figures)
    print(line(figures.results()))
    return ended


def _clear(home: Path) -> None:
    for name in ("tree", "million"):
        trees.remove(home / name)
    shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
