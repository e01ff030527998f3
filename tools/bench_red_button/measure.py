"""Pressing again and again: one guard after the other crosses its threshold, is pressed, and is re-armed."""

from __future__ import annotations

import json
import os
import random
import time
from dataclasses import dataclass
from typing import Any

from tools.bench_red_button.cutting import between
from tools.bench_red_button.figures import Cut, Press, Size
from tools.bench_red_button.observer import Zero
from tools.bench_red_button.options import Options
from tools.bench_red_button.stage import Ground, Say, Stage, stage
from tools.bench_red_button.timeline import WATCH, parts_of
from tools.bench_red_button.usage import idle
from tools.bench_red_button.workload import THRESHOLD, name_of
from tools.demo.api import FINISHED

LOST_AFTER = 60.0
ARMED_WITHIN = 90.0
RUN_WITHIN = 20.0
SETTLE_SECONDS = 1.5
"""A re-arm and the restarts before it: termination times are whole seconds."""
EXTRA_WITHIN = 20.0
API_RESTARTS = 2


@dataclass
class Tally:
    """What happened in one measurement."""

    presses: list[Press]
    lost: int = 0
    crossed: int = 0


def measure(here: Ground, guards: int, options: Options, say: Say) -> Size:
    """One size: the idle triggerer, then the presses. Raises DemoError."""
    with stage(here, guards, say) as on:
        say(f"{guards} guards watch, {on.armed_after:.0f} s after Airflow was started")
        looked = idle(on.supervisor, options.idle_seconds)
        say(f"idle: triggerer {looked.rss_mb:.0f} MB and {looked.cpu:.1f} % of a core")
        tally = press_all(on, guards, options.presses, say)
        load, cores = os.getloadavg()[1], os.cpu_count() or 1
        busy = ": a busy machine, and these are its times" if load > cores else ""
        say(f"load average meanwhile {load:.1f} on {cores} cores{busy}")
        extra = len(on.observer.zeros) - len(tally.presses)
    return Size(guards, tally.presses, tally.lost, extra, looked, on.armed_after)


def press_all(on: Stage, guards: int, presses: int, say: Say) -> Tally:
    """So many presses, one after the other, over all guards in a random order."""
    chance = random.Random(guards)
    free_at = {name_of(number): 0.0 for number in range(guards)}
    order: list[str] = []
    tally = Tally([])
    for number in range(presses):
        if not order:
            order = chance.sample(sorted(free_at), len(free_at))
        name = order.pop()
        zero, crossed = one_press(on, name, free_at[name], chance.random())
        tally.crossed += 1
        if zero is None:
            tally.lost += 1
            say(f"{name} was not pressed in {LOST_AFTER:.0f} s")
        else:
            tally.presses.append(Press(name, zero.at - crossed, timeline_of(on, zero, crossed)))
        free_at[name] = time.time()
        on.work.rearm(name)
        if (number + 1) % 10 == 0:
            say(f"{number + 1} of {presses} presses")
    return tally


def one_press(on: Stage, name: str, since: float, pause: float) -> tuple[Zero | None, float]:
    """Wait until it watches, cross its threshold, wait for zero replicas; that, and when it was crossed."""
    wait_watching(on, name, since)
    time.sleep(SETTLE_SECONDS + pause)  # in no step with the scheduler's loop
    crossed = on.work.cross(name)
    return on.observer.wait_zero(name, crossed, LOST_AFTER), crossed


def wait_watching(on: Stage, name: str, since: float) -> None:
    """Until the guard's next run watches. Raises DemoError."""
    if since:
        within = ARMED_WITHIN + on.work.count
        on.until(lambda: on.armed_since(name, since + 0.5), f"{name} watches again", within)


def timeline_of(on: Stage, zero: Zero, crossed: float) -> dict[str, float]:
    """Where the time of a press went. Its run is waited for, if not for long: it would disturb the next press."""
    dag, _, run = zero.run.partition("/")
    if not run:
        return {}
    path = f"/dags/{dag}/dagRuns/{run}"
    deadline = time.monotonic() + RUN_WITHIN
    while (on.airflow.get(path) or {}).get("state") not in FINISHED and time.monotonic() < deadline:
        on.supervisor.check()
        time.sleep(0.5)
    rows = on.airflow.get(f"{path}/taskInstances", limit=100)["task_instances"]
    value = on.airflow.get(
        f"{path}/taskInstances/{WATCH}/xcomEntries/return_value", deserialize="false", stringify="false"
    )
    return parts_of(crossed, zero.at, zero.note, as_object((value or {}).get("value")), rows)


def as_object(value: Any) -> dict[str, Any]:
    """An XCom as Airflow's API answers it: an object, or its JSON."""
    found = json.loads(value) if isinstance(value, str) else value
    return found if isinstance(found, dict) else {}


def measure_cut(here: Ground, options: Options, say: Say) -> Cut:
    """Presses while every connection of Airflow's to the cluster is cut, and its API server restarted. Raises DemoError.

    One more guard sees as many restarts as its threshold allows: whoever counts one twice presses it.
    """
    way = here.options.home / "cut-kubeconfig"
    presses = [name_of(number % options.cut_guards) for number in range(options.cut_presses)]
    restarts = _spread(len(presses), API_RESTARTS) if here.process else []
    with between(here.kubeconfig, way) as proxy, stage(here, options.cut_guards + 1, say, way) as on:
        say(f"cut: {options.cut_guards} guards watch; connections live {options.cut_seconds:g} s on average")
        proxy.cut_every = options.cut_seconds
        spared = on.work.pod_of(name_of(options.cut_guards))
        spare_at = _spread(len(presses), THRESHOLD)
        free_at: dict[str, float] = {}
        slowest = 0.0
        for number, name in enumerate(presses):
            wait_watching(on, name, free_at.get(name, 0.0))
            time.sleep(SETTLE_SECONDS)
            if number in spare_at:
                on.work.restart(spared, spare_at.index(number) + 1)
            crossed = on.work.cross(name)
            if number in restarts:
                here.restart()
                say("cut: the API server was restarted")
            zero = on.observer.wait_zero(name, crossed, 2 * LOST_AFTER)
            if zero is None:
                say(f"cut: {name} was not pressed in {2 * LOST_AFTER:.0f} s")
            else:
                slowest = max(slowest, zero.at - crossed)
            free_at[name] = time.time()
            time.sleep(SETTLE_SECONDS)  # a restart in the second of the re-arm counts
            on.work.rearm(name)
        time.sleep(EXTRA_WITHIN)  # a press too many would come now
        return Cut(len(presses), len(on.observer.zeros), proxy.cuts, len(restarts), slowest)


def _spread(length: int, count: int) -> list[int]:
    """So many places, evenly over a sequence; fewer when it is too short."""
    return sorted({length * (each + 1) // (count + 1) for each in range(count)} & set(range(length)))
