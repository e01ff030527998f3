"""What the demo says at the end."""

from __future__ import annotations

import io

from rich.console import Console

from tools.demo import report
from tools.demo.api import Task
from tools.demo.options import STEPS
from tools.demo.report import Done


def task(name: str, state: str = "success", seconds: float = 1.0) -> Task:
    return Task(name, -1, state, seconds, 1, "2026-03-01T09:00:00Z")


def table(*runs: list[Task]) -> str:
    text = io.StringIO()
    done = [Done(step, "run", tasks, {}, {}) for step, tasks in zip(STEPS, runs, strict=False)]
    report.print_tasks(Console(file=text, width=140), done)
    return text.getvalue()


def test_each_run_is_a_column_and_each_task_a_row() -> None:
    text = table([task("lock", seconds=1.25), task("deploy")], [task("lock"), task("deploy", "failed")])
    assert [line.split("│")[1:-1] for line in text.splitlines() if line.startswith("│")] == [
        [" lock   ", "       1.2 ", "        1.0 "],
        [" deploy ", "       1.0 ", "     failed "],
        [" in all ", "       2.2 ", "        2.0 "],
    ]


def test_a_group_that_no_run_needed_is_one_row() -> None:
    back = [task("roll_back.plan", "skipped"), task("roll_back.restore", "skipped")]
    assert "roll_back.plan" not in table(back, back)
    assert table(back, back).count("roll_back.*") == 1
    assert "roll_back.*" not in table(back, [task("roll_back.plan"), task("roll_back.restore")])
    assert "roll_back.restore" in table(back, [task("roll_back.plan"), task("roll_back.restore")])
