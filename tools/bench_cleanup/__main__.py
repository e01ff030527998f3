"""``python -m tools.bench_cleanup``: the log clean-up beside the tools somebody would take instead.

FILES (200000), ROUNDS (3), MILLION (1000000; 0: not), COLD (1: drop the page cache first) and BENCH_DIR set what is
measured, and where. Progress and tables go to standard output; its last line is one JSON object.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

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
)
from tools.demo.options import DemoError

Say = Callable[[str], None]


def run(options: Options, say: Say) -> Figures:
    """Every tool in every round, each on a tree of its own; then the million files. Raises DemoError, OSError."""
    figures = Figures()
    options.home.mkdir(parents=True, exist_ok=True)
    ours = Program(options.home)
    tmpreaper = find_tmpreaper(options.home)
    if tmpreaper is None:
        say("tmpreaper is not installed and cannot be had: not measured")
    for number in range(options.rounds):
        for tools in (deleting(ours, tmpreaper), archiving(ours)):
            for tool in turned(tools, number):
                seconds, size = _one(tool, options)
                figures.seconds.setdefault(tool.name, []).append(seconds)
                if size:
                    figures.archive_bytes[tool.name] = size
                say(f"round {number + 1}: {tool.name}: {seconds:.2f} s")
    if options.million:
        _million(options, ours, figures, say)
    return figures


def turned(tools: Sequence[Tool], number: int) -> list[Tool]:
    """Another one begins in each round."""
    first = number % len(tools)
    return [*tools[first:], *tools[:first]]


def _one(tool: Tool, options: Options) -> tuple[float, int]:
    root = options.home / "tree"
    trees.remove(root)
    trees.make(root, options.files, options.large, options.large_mb)
    tool.prepare(root)
    trees.settle(root, options.cold)
    try:
        return measure(tool, root), archive_bytes(root)
    finally:
        trees.remove(root)


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

    options = Options()
    try:
        options = read(os.environ)
        figures = run(options, say)
    except (DemoError, OSError) as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        say("told to end: nothing was measured to its end")
        return 130
    finally:
        _clear(options.home)
    report.show(console, options, figures)
    print(line(figures.results()))
    return 0


def _clear(home: Path) -> None:
    for name in ("tree", "million"):
        trees.remove(home / name)
    shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
