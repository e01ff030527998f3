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


def run(options: Options, say: Say) -> tuple[list[Size], Cut]:
    """Every size, then the cut watch. One that fails does not end the others. Raises DemoError."""
    sizes = {guards: Size(guards, reason="not asked for (GUARDS)") for guards in SIZES}
    cut = Cut(reason="not asked for (CUT_PRESSES)")
    with ground(options, say) as here:
        for guards in options.guards:
            if guards > MOST_ON_SQLITE and postgres.binaries() is None:
                sizes[guards] = Size(guards, reason="PostgreSQL is not installed (make deps)")
                continue
            try:
                sizes[guards] = measure(here, guards, options, say)
            except (DemoError, KubeError, TimeoutError) as error:
                sizes[guards] = Size(guards, reason=str(error).splitlines()[0])
                say(f"{guards} guards: {error}")
        if options.cut_presses:
            try:
                cut = measure_cut(here, options, say)
            except (DemoError, KubeError, TimeoutError) as error:
                cut = Cut(reason=str(error).splitlines()[0])
                say(f"cut: {error}")
    return [sizes[guards] for guards in sorted(sizes)], cut


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
    try:
        sizes, cut = run(read(os.environ), say)
    except (DemoError, KubeError) as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        say("told to end: nothing was measured to its end")
        return 130
    report.show(console, sizes, cut)
    print(line(sizes, cut))
    return 0 if any(each.presses for each in sizes) or cut.made else 1


def _on_signal(_number: int, _frame: FrameType | None) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)  # one is enough: what was started is ended in bounded time
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
