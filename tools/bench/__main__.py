"""``python -m tools.bench``: the release DAG beside a script, and the shop's answers meanwhile."""

from __future__ import annotations

import os
import sys
import time

from rich.console import Console

from tools.bench import report
from tools.bench.figures import Pair, figures
from tools.bench.measure import environment_of, one_round
from tools.bench.stage import stage
from tools.demo.options import RELEASES, DemoError

ROUNDS = 3


def main() -> int:
    """Measure and report; 0 when it could be measured, whatever the figures."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    begun = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[{time.monotonic() - begun:5.1f} s] {text}", highlight=False, markup=False)

    rounds = int(os.environ.get("ROUNDS") or ROUNDS)
    names = [environment_of(way, number) for way in ("dag", "script") for number in range(1, rounds + 1)]
    pairs: list[Pair] = []
    try:
        with stage(names, say) as here:
            say("cluster and Airflow are healthy")
            for number in range(1, rounds + 1):
                for pair in one_round(here, number, RELEASES):
                    pairs.append(pair)
                    say(
                        f"round {number}, {pair.release}: DAG {pair.dag.seconds:.1f} s, script {pair.script.seconds:.1f} s"
                    )
    except DemoError as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", markup=False, highlight=False)
        return 1
    found = figures(pairs, 0, 0, 0)
    report.show(console, pairs, found)
    print(found.line())
    return 0


if __name__ == "__main__":
    sys.exit(main())
