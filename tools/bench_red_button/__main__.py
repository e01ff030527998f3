"""``python -m tools.bench_red_button``: how long a press takes, and whether one is lost while the watch is cut.

GUARDS (1,100,1000), PRESSES (50), CUT_PRESSES (20; 0: not), IDLE_SECONDS (30) and KUBECONFIG set what is measured.
Progress and tables go to standard output; its last line is one JSON object.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from types import FrameType

from rich.console import Console

from include.release.kube import KubeError
from tools.bench_red_button import postgres, report
from tools.bench_red_button.figures import Cut, Size, line
from tools.bench_red_button.measure import measure, measure_cut
from tools.bench_red_button.options import MOST_ON_SQLITE, SIZES, Options, read
from tools.bench_red_button.stage import Say, ground
from tools.demo.options import DemoError


class Found:
    """What has been measured so far: who ends a long benchmark keeps it."""

    def __init__(self) -> None:
        self._sizes = {guards: Size(guards, reason="not measured") for guards in SIZES}
        self.cut = Cut(reason="not measured")

    def add(self, size: Size) -> None:
        """Note one size."""
        self._sizes[size.guards] = size

    @property
    def sizes(self) -> list[Size]:
        """The smallest first."""
        return [self._sizes[guards] for guards in sorted(self._sizes)]

    @property
    def something(self) -> bool:
        """Whether anything was measured."""
        return any(each.presses for each in self.sizes) or bool(self.cut.made)


def run(options: Options, say: Say, found: Found) -> None:
    """Every size, then the cut watch, into ``found``. One that fails does not end the others. Raises DemoError."""
    with ground(options, say) as here:
        for guards in options.guards:
            if guards > MOST_ON_SQLITE and postgres.binaries() is None:
                found.add(Size(guards, reason="PostgreSQL is not installed (make deps)"))
                continue
            try:
                found.add(measure(here, guards, options, say))
            except (DemoError, KubeError, TimeoutError) as error:
                found.add(Size(guards, reason=str(error).splitlines()[0]))
                say(f"{guards} guards: {error}")
        if options.cut_presses:
            try:
                found.cut = measure_cut(here, options, say)
            except (DemoError, KubeError, TimeoutError) as error:
                found.cut = Cut(reason=str(error).splitlines()[0])
                say(f"cut: {error}")


def main() -> int:
    """Measure and report; 0 when something could be measured, whatever the figures."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    begun = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[{time.monotonic() - begun:6.1f} s] {text}", highlight=False, markup=False)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _on_signal)
    # Every trigger has an open log file; what is started here inherits the limit.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    found, status = Found(), 0
    try:
        run(read(os.environ), say, found)
    except (DemoError, KubeError) as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        if not found.something:
            say("told to end: nothing was measured to its end")
            return 130
        say("told to end: this is what was measured until then")
        status = 130
    report.show(console, found.sizes, found.cut)
    print(line(found.sizes, found.cut))
    return status if found.something else 1


def _on_signal(_number: int, _frame: FrameType | None) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)  # one is enough: what was started is ended in bounded time
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
