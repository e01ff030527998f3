"""A release run, followed task by task in the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import requests
from rich.console import Console
from rich.live import Live
from rich.table import Table

from tools.demo.api import FINISHED, Airflow, Task
from tools.demo.options import DemoError, Step
from tools.demo.questions import Approver

COLOURS = {
    "success": "green",
    "failed": "red",
    "upstream_failed": "red",
    "up_for_retry": "yellow",
    "skipped": "dim",
}
WORKING = {"running", "deferred", "queued", "scheduled", "awaiting_input"}
UNREMARKABLE = {"queued", "scheduled", "skipped", "upstream_failed"}
CONCLUDES = "conclude"
RUN_WITHIN = 600.0
LAST_LINES = 20


def task_table(title: str, tasks: list[Task]) -> Table:
    """Task, state, seconds."""
    table = Table("task", "state", "seconds", title=title, title_justify="left")
    table.columns[2].justify = "right"
    for task in tasks:
        colour = COLOURS.get(task.state, "cyan" if task.state in WORKING else "dim")
        seconds = "" if task.seconds is None else f"{task.seconds:.1f}"
        table.add_row(task.label, f"[{colour}]{task.state or 'waiting'}[/]", seconds)
    return table


class View:
    """Shows the tasks: a live table on a terminal, else a line for each change."""

    def __init__(self, console: Console, title: str) -> None:
        self.console, self.title = console, title
        self.seen: dict[str, str] = {}
        self.live = (
            Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        )

    def __enter__(self) -> View:
        if self.live:
            self.live.start()
        else:
            self.console.print(self.title)
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def show(self, tasks: list[Task]) -> None:
        """Show the state of now."""
        if self.live:
            self.live.update(task_table(self.title, tasks))
            return
        for task in tasks:
            if task.state and self.seen.get(task.label) != task.state:
                self.seen[task.label] = task.state
                if task.state in UNREMARKABLE:
                    continue
                after = f" after {task.seconds:.1f} s" if task.seconds and task.state not in WORKING else ""
                self.console.print(f"  {task.label}: {task.state}{after}", highlight=False)


def conf_of(step: Step) -> dict[str, Any]:
    """The params of a run, as the form in the UI would send them."""
    return {
        "release": step.release,
        "environment": step.environment,
        "dry_run": False,
        "reason": f"demo: {step.title}",
    }


def begin(airflow: Airflow, step: Step) -> tuple[str, str]:
    """Trigger the release, or take up a run of an earlier demo that has not failed.

    Returns:
        its id, and the state in which it was found: empty for a new run.
    """
    number = 1
    while True:
        run_id = f"demo-{step.release}-{step.environment}" + (f"-{number}" if number > 1 else "")
        state = airflow.run_state(run_id)
        if state is None:
            airflow.trigger(run_id, conf_of(step))
            return run_id, ""
        if state != "failed":
            return run_id, state
        number += 1


def interrupted(tasks: list[Task], heartbeat_seconds: int) -> str:
    """What a run that is taken up again waits for at first; empty when nothing was interrupted."""
    names = ", ".join(task.label for task in tasks if task.state in ("running", "queued"))
    if not names:
        return ""
    return (
        f"{names} was at work when the last demo ended: Airflow starts it again when it has not"
        f" heard of it for {heartbeat_seconds} s"
    )


def follow(
    airflow: Airflow,
    run_id: str,
    title: str,
    console: Console,
    watch: Callable[[], None],
    approver: Approver,
) -> list[Task]:
    """Show the run until it ends, with what it asks; returns its tasks.

    Raises:
        DemoError: it failed (with the last log lines of what failed), or does not end.
    """
    deadline = time.monotonic() + RUN_WITHIN
    silent = 0
    with View(console, title) as view:
        while time.monotonic() < deadline:
            watch()
            try:
                state, tasks = airflow.run_state(run_id), airflow.tasks(run_id)
                view.show(tasks)
                waiting = any(task.state == "awaiting_input" for task in tasks)
                if approver.look(run_id, waiting=waiting):
                    deadline = time.monotonic() + RUN_WITHIN  # people take their time
            except requests.RequestException as error:
                silent += 1
                if silent > 20:
                    raise DemoError(f"Airflow's API does not answer: {error}") from error
                time.sleep(0.5)
                continue
            silent = 0
            if state in FINISHED:
                break
            time.sleep(0.4)
        else:
            raise DemoError(f"{run_id} has not ended after {RUN_WITHIN:.0f} s")
    if console.is_terminal:
        console.print(task_table(title, tasks))
    if state != "success":
        raise DemoError(f"{run_id} failed\n{failure(airflow, run_id, tasks)}")
    return tasks


def failure(airflow: Airflow, run_id: str, tasks: list[Task]) -> str:
    """The paragraph that concludes the run, and the last log lines of each failed task."""
    said = (airflow.result(run_id, CONCLUDES, "conclusion") or {}).get("text")
    parts = [str(said)] if said else []
    for task in tasks:
        if task.state == "failed" and not (said and task.name == CONCLUDES):
            parts.append(f"--- task {task.label}, last lines of its log")
            parts += airflow.log(run_id, task, LAST_LINES)
    return "\n".join(parts) or "no task failed; see .demo/logs/scheduler.log"
