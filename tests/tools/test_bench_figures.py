"""The benchmark's arithmetic: times of a run as Airflow tells them, overheads, medians, the last line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tools.bench.figures import DagTime, Figures, Pair, ScriptTime, TaskTime, by_task, dag_time, figures

START = 1_000_000.0


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(START + seconds, UTC).isoformat()


def row(name: str, start: float | None, end: float | None, state: str = "success") -> dict[str, Any]:
    times = {
        "start_date": stamp(start) if start is not None else None,
        "end_date": stamp(end) if end else None,
    }
    return {"task_id": name, "state": state, **times}


def pair(dag: float, script: float, tasks: int = 2, release: str = "r") -> Pair:
    times = tuple(TaskTime(f"t{n}", 0.5, dag / tasks - 0.5) for n in range(tasks))
    return Pair(release, DagTime(dag, times, 0.25), ScriptTime(script, {"t0": script}))


def test_a_run_is_timed_from_the_accepted_trigger_to_its_end():
    rows = [
        row("third", None, None, "skipped"),
        row("second", 4.0, 4.5),
        row("first", 1.0, 3.5),
        row("never", 9.0, 9.0, "upstream_failed"),
    ]
    found = dag_time(START, {"end_date": stamp(5.0)}, rows)
    assert found.seconds == pytest.approx(5.0)
    assert [(task.name, pytest.approx(task.waited), pytest.approx(task.seconds)) for task in found.tasks] == [
        ("first", 1.0, 2.5),
        ("second", 0.5, 0.5),
    ]
    assert found.last_wait == pytest.approx(0.5)


def test_tasks_side_by_side_wait_for_nothing():
    rows = [row("a", 1.0, 4.0), row("b", 2.0, 3.0), row("c", 4.25, 5.0)]
    found = dag_time(START, {"end_date": stamp(5.0)}, rows)
    assert [pytest.approx(task.waited) for task in found.tasks] == [1.0, 0.0, 0.25]


def test_overhead_is_what_the_dag_takes_longer_for_each_task_that_ran():
    one = pair(12.0, 8.0, tasks=4)
    assert (one.overhead, one.overhead_per_task, one.ratio) == (4.0, 1.0, 1.5)


def test_figures_are_medians_over_all_runs():
    found = figures([pair(12.0, 8.0), pair(30.0, 10.0), pair(9.0, 8.0)], 5000, 0, 12)
    assert (found.overhead_total_s, found.overhead_per_task_s, found.ratio_to_script) == (4.0, 2.0, 1.5)
    assert (found.requests, found.failed, found.control_failed) == (5000, 0, 12)
    with pytest.raises(ValueError, match="nothing was measured"):
        figures([], 0, 0, 0)


def test_the_last_line_is_one_json_object():
    text = Figures(0.51234, 9.87654, 1.5, 5001, 0, 7).line()
    assert "\n" not in text
    assert json.loads(text) == {
        "overhead_per_task_s": 0.512,
        "overhead_total_s": 9.877,
        "ratio_to_script": 1.5,
        "requests": 5001,
        "failed": 0,
        "control_failed": 7,
    }


def test_what_is_missed_is_said():
    assert Figures(1.0, 15.0, 2.0, 5000, 0, 1).misses() == []
    assert Figures(1.2, 16.0, 2.0, 5000, 3, 0).misses() == [
        "1.20 s a task is more than 1.0 s",
        "16.0 s in all is more than 15 s",
        "3 of 5000 requests failed",
        "the control lost no request, so nothing is known about the others",
    ]


def test_each_task_is_set_beside_the_scripts_step():
    rows = by_task([pair(4.0, 1.0), pair(6.0, 3.0)])
    assert rows == [("t0", 0.5, 2.0, 2.0), ("t1", 0.5, 2.0, 0.0)]
