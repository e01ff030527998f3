"""The arithmetic of the benchmark: what the DAG costs on top of a script that does the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

PER_TASK_SECONDS = 1.0
TOTAL_SECONDS = 15.0
"""The aims, on two cores and without an approval."""


@dataclass(frozen=True)
class TaskTime:
    """One task of a run. ``waited`` is from the moment it could begin to its start, in seconds."""

    name: str
    waited: float
    seconds: float


@dataclass(frozen=True)
class DagTime:
    """One run of the DAG: from the trigger being accepted to the end of the run, and its tasks that ran."""

    seconds: float
    tasks: tuple[TaskTime, ...]
    last_wait: float
    """From the last task's end to the run's."""


@dataclass(frozen=True)
class ScriptTime:
    """The same work by a script: seconds in all and per step."""

    seconds: float
    steps: Mapping[str, float]


@dataclass(frozen=True)
class Pair:
    """One release both ways, in the same round."""

    release: str
    dag: DagTime
    script: ScriptTime

    @property
    def overhead(self) -> float:
        """Seconds that the DAG took longer."""
        return self.dag.seconds - self.script.seconds

    @property
    def overhead_per_task(self) -> float:
        """The same, for each task that ran."""
        return self.overhead / max(len(self.dag.tasks), 1)

    @property
    def ratio(self) -> float:
        """How many times as long as the script."""
        return self.dag.seconds / self.script.seconds


@dataclass(frozen=True)
class Figures:
    """What is reported; overheads and the ratio are medians over all pairs."""

    overhead_per_task_s: float
    overhead_total_s: float
    ratio_to_script: float
    requests: int
    failed: int
    control_failed: int

    def line(self) -> str:
        """One JSON object on one line."""
        rounded = {name: round(value, 3) for name, value in vars(self).items()}
        return json.dumps(rounded)

    def misses(self) -> list[str]:
        """Which aims are missed, in words."""
        found = []
        if self.overhead_per_task_s > PER_TASK_SECONDS:
            found.append(f"{self.overhead_per_task_s:.2f} s a task is more than {PER_TASK_SECONDS:.1f} s")
        if self.overhead_total_s > TOTAL_SECONDS:
            found.append(f"{self.overhead_total_s:.1f} s in all is more than {TOTAL_SECONDS:.0f} s")
        if self.failed:
            found.append(f"{self.failed} of {self.requests} requests failed")
        if not self.control_failed:
            found.append("the control lost no request, so nothing is known about the others")
        return found


def figures(pairs: Sequence[Pair], requests: int, failed: int, control_failed: int) -> Figures:
    """Medians over all releases of all rounds. Raises ValueError when there is none."""
    if not pairs:
        raise ValueError("nothing was measured")
    return Figures(
        overhead_per_task_s=median(pair.overhead_per_task for pair in pairs),
        overhead_total_s=median(pair.overhead for pair in pairs),
        ratio_to_script=median(pair.ratio for pair in pairs),
        requests=requests,
        failed=failed,
        control_failed=control_failed,
    )


def dag_time(accepted: float, run: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]]) -> DagTime:
    """Read a run as Airflow's REST API tells it.

    Args:
        accepted: when the API had accepted the trigger, in seconds since the epoch.
        run: the run, ended.
        tasks: its task instances; those that did not run (skipped, no start) are left out.

    A task could begin when the last one before it had ended: the tasks run one after the other, but for a few.
    """
    ended = _epoch(run["end_date"])
    ran = [each for each in tasks if each.get("start_date") and each.get("state") == "success"]
    ran.sort(key=lambda each: _epoch(each["start_date"]))
    times, free = [], accepted
    for each in ran:
        start, end = _epoch(each["start_date"]), _epoch(each["end_date"])
        times.append(TaskTime(each["task_id"], max(start - free, 0.0), end - start))
        free = max(free, end)
    return DagTime(ended - accepted, tuple(times), max(ended - free, 0.0))


def by_task(pairs: Sequence[Pair]) -> list[tuple[str, float, float, float]]:
    """(task, seconds waited before it, seconds in the DAG, seconds in the script), medians, in order of the DAG."""
    waited: dict[str, list[float]] = {}
    took: dict[str, list[float]] = {}
    script: dict[str, list[float]] = {}
    for pair in pairs:
        for task in pair.dag.tasks:
            waited.setdefault(task.name, []).append(task.waited)
            took.setdefault(task.name, []).append(task.seconds)
        for name, seconds in pair.script.steps.items():
            script.setdefault(name, []).append(seconds)
    return [
        (name, median(waited[name]), median(took[name]), median(script.get(name, [0.0]))) for name in waited
    ]


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
