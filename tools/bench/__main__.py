"""``python -m tools.bench``: the release DAG beside a script, and the shop's answers meanwhile.

ROUNDS sets how often each release is measured both ways. Progress and tables go to standard output; its last line is
one JSON object.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

from rich.console import Console

from include.release.kube import KubeError
from tools.bench import report
from tools.bench.figures import Figures, Pair, figures
from tools.bench.load import Report
from tools.bench.measure import by_dag, environment_of, one_round, params_of, run_dag
from tools.bench.stage import Stage, stage
from tools.bench.traffic import drive, drive_control, explained
from tools.demo.options import RELEASES, DemoError

ROUNDS = 3
TRAFFIC = "traffic"
Say = Callable[[str], None]


def measure(here: Stage, rounds: int, say: Say) -> list[Pair]:
    """All releases both ways, as often as asked for."""
    pairs: list[Pair] = []
    for number in range(1, rounds + 1):
        for pair in one_round(here, number, RELEASES):
            pairs.append(pair)
            times = f"DAG {pair.dag.seconds:.1f} s, script {pair.script.seconds:.1f} s"
            say(f"round {number} of {rounds}, {pair.release}: {times}")
    return pairs


def traffic(here: Stage, say: Say) -> tuple[Report, Report]:
    """The shop under load during a release and a rollback by the DAGs; then the control."""
    first, second = RELEASES
    namespace = here.environment(TRAFFIC)
    by_dag(here, first, TRAFFIC)

    def there_and_back() -> None:
        by_dag(here, second, TRAFFIC)
        back = params_of(TRAFFIC, app="shop", target="previous")
        run_dag(here, "rollback", f"{TRAFFIC}-back", back)

    found = drive(here.cluster, namespace, there_and_back)
    say(f"{second} and back to {first} under load: {found.text()}")
    if found.failed:
        say(explained(found, here.cluster.list("Event", namespace)))
    control = drive_control(here.cluster, namespace)
    say(f"the control, without preStop and draining: {control.text(3)}")
    return found, control


def run(rounds: int, say: Say) -> tuple[list[Pair], Figures]:
    """Everything, on a stage of its own. Raises DemoError."""
    names = [environment_of(way, number) for way in ("dag", "script") for number in range(1, rounds + 1)]
    with stage([*names, TRAFFIC], say) as here:
        say("cluster and Airflow are healthy")
        pairs = measure(here, rounds, say)
        found, control = traffic(here, say)
    return pairs, figures(pairs, found.requests, found.failed, control.failed)


def main() -> int:
    """Measure and report; 0 when it could be measured, whatever the figures."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    begun = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[{time.monotonic() - begun:5.1f} s] {text}", highlight=False, markup=False)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _on_signal)
    try:
        pairs, found = run(rounds_in(os.environ.get("ROUNDS", "")), say)
    except (DemoError, KubeError, TimeoutError) as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        say("told to end: nothing was measured to its end")
        return 130
    report.show(console, pairs, found)
    print(found.line())
    return 0


def _on_signal(_number: int, _frame: FrameType | None) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)  # one is enough: what was started is ended in bounded time
    raise KeyboardInterrupt


def rounds_in(text: str) -> int:
    """How many rounds ROUNDS asks for. Raises DemoError."""
    if not text:
        return ROUNDS
    if not text.isdigit() or not 1 <= int(text) <= 20:
        raise DemoError(f"ROUNDS={text} is no number from 1 to 20")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
