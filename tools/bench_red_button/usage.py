"""What a component of Airflow takes while nothing happens."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping

import psutil

from tools.bench_red_button.figures import Usage
from tools.demo.processes import Supervisor

TRIGGERER = "triggerer"


def idle(supervisor: Supervisor, seconds: float) -> Usage:
    """Memory and CPU of the triggerer's processes, and the CPU of the others, over so many seconds."""
    before = _cpu(supervisor)
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        supervisor.check()
        time.sleep(0.5)
    after, span = _cpu(supervisor), time.monotonic() - begun
    share = {name: 100 * (after[name] - before.get(name, 0.0)) / span for name in after}
    others = {name: each for name, each in share.items() if name != TRIGGERER}
    return Usage(_rss(supervisor) / 1e6, share.get(TRIGGERER, 0.0), others)


def _processes(supervisor: Supervisor) -> Mapping[str, list[psutil.Process]]:
    found = {}
    for each in supervisor.processes:
        if each.popen is not None:
            with contextlib.suppress(psutil.Error):
                first = psutil.Process(each.popen.pid)
                found[each.name] = [first, *first.children(recursive=True)]
    return found


def _cpu(supervisor: Supervisor) -> dict[str, float]:
    """Seconds of CPU so far, by component, with those of its processes that have ended."""
    total: dict[str, float] = {}
    for name, processes in _processes(supervisor).items():
        for process in processes:
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                total[name] = total.get(name, 0.0) + times.user + times.system
                total[name] += times.children_user + times.children_system
    return total


def _rss(supervisor: Supervisor) -> float:
    total = 0.0
    for process in _processes(supervisor).get(TRIGGERER, []):
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total
