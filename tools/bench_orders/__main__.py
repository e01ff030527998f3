"""``python -m tools.bench_orders``: the order processor against the theoretical drain time, killed workers, claims.

ORDERS (400), SCALE (0.1: an order takes 1 to 1.5 s), KILL_SECONDS (3) and BACKLOG (1000000) set what is measured.
Progress and tables go to standard output; its last line is one JSON object.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType

from rich.console import Console

from tools.bench_orders import report
from tools.bench_orders.claiming import claims
from tools.bench_orders.drain import drain
from tools.bench_orders.figures import Claims, Drain, line
from tools.bench_orders.ground import Say, ground
from tools.bench_orders.options import Options, read
from tools.demo.options import DemoError


def run(options: Options, say: Say) -> tuple[list[Drain], list[Claims]]:
    """Every measurement, on every database there is. Raises DemoError."""
    drains, counted = [], []
    with ground(options, say) as here:
        for kind in here.databases:
            for kill in (False, True):
                say(f"{kind}: working off {options.orders} orders" + (", killing workers" if kill else ""))
                drains.append(drain(here, kind, options, kill=kill))
            say(f"{kind}: claiming, while {options.backlog:,} orders wait")
            counted.append(claims(here, kind, options))
        if here.postgresql is None:
            counted.append(Claims("postgresql", reason="PostgreSQL is not installed (make deps)"))
    return drains, counted


def main() -> int:
    """Measure and report; 0 when everything was measured, whatever the figures."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    begun = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[{time.monotonic() - begun:6.1f} s] {text}", highlight=False, markup=False)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _on_signal)
    try:
        drains, counted = run(read(os.environ), say)
    except DemoError as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        say("told to end: nothing was measured to its end")
        return 130
    report.show(console, drains, counted)
    print(line(drains, counted))
    return 0


def _on_signal(_number: int, _frame: FrameType | None) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)  # one is enough: what was started is ended in bounded time
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
