"""What the demo says at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from include.records.places import RECORDS_SETTING
from tools.demo.api import Airflow, Task
from tools.demo.cluster import changes
from tools.demo.options import ENVIRONMENTS, ROOT, Options, Step
from tools.demo.state import USERS

PRODUCTION = "production"
ROLES = {
    "admin": "everything, approves",
    "oncall": "releases to production",
    "dev": "triggers in qa",
    "ro": "only reads",
}


def shown(path: Path) -> str:
    """A path as the user would type it from the checkout."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


@dataclass(frozen=True)
class Done:
    """A release that went out to one environment, and what the cluster was like before and after."""

    step: Step
    run_id: str
    tasks: list[Task]
    before: dict[str, str]
    after: dict[str, str]


def print_all(console: Console, options: Options, airflow: Airflow, done: list[Done]) -> None:
    """Tasks, changes in production, documents, verdicts, and what runs now."""
    console.print()
    print_tasks(console, done)
    for each in done:
        if each.step.environment == PRODUCTION:
            print_changes(console, each)
    console.print("[bold]As-built documents[/]")
    for each in done:
        print_document(console, each.step.title, airflow.result(each.run_id, "as_built_document"))
    ask_records(console, options, "verdicts", "What was found out about the builds")
    ask_records(console, options, "releases", "What runs, since when, by whom: make releases")


def ask_records(console: Console, options: Options, question: str, title: str) -> None:
    """Print what the records say, with the command that on-call uses."""
    console.print(f"\n[bold]{title}[/]", highlight=False)
    environment = {name: value for name, value in os.environ.items() if name != RECORDS_SETTING}
    done = subprocess.run(
        [sys.executable, "-m", "include.records", question],
        cwd=ROOT,
        env={**environment, "DEMO_DIR": str(options.home), "COLUMNS": str(console.width)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    console.print(done.stdout.rstrip(), highlight=False, markup=False, soft_wrap=True)


def print_tasks(console: Console, done: list[Done]) -> None:
    """Seconds of each task, a column per run."""
    table = Table("task", title="Tasks, in seconds", title_justify="left")
    for each in done:
        table.add_column(f"{each.step.release}\n{each.step.environment}", justify="right")
    columns = [{task.label: task for task in each.tasks} for each in done]
    names = dict.fromkeys(label for column in columns for label in column)
    # A group of tasks that no run needed is one row.
    rows = dict.fromkeys(
        name.partition(".")[0] + ".*" if "." in name and _nowhere(name, columns) else name for name in names
    )
    for row in rows:
        table.add_row(
            row, *(_cell(column.get(row)) if row in names else "[dim]not needed[/]" for column in columns)
        )
    table.add_section()
    table.add_row("in all", *(f"{sum(task.seconds or 0 for task in each.tasks):.1f}" for each in done))
    console.print(table)


def _nowhere(name: str, columns: list[dict[str, Task]]) -> bool:
    return all(name not in column or column[name].state == "skipped" for column in columns)


def _cell(task: Task | None) -> str:
    if task is None:
        return ""
    if task.state == "success" and task.seconds is not None:
        return f"[green]{task.seconds:.1f}[/]"
    return f"[dim]{task.state}[/]"


def print_changes(console: Console, done: Done) -> None:
    """What a release changed in the cluster."""
    title = f"What {done.step.title} changed in the cluster (namespace {done.step.namespace})"
    table = Table(title=title, title_justify="left")
    for column in ("object", "before", "after"):
        table.add_column(column, overflow="fold")
    rows = changes(done.before, done.after)
    if not rows:
        console.print(f"{done.step.title} changed nothing in the cluster", highlight=False)
        return
    for name, old, new in rows:
        table.add_row(name, old or "[dim]absent[/]", new or "[dim]gone[/]")
    console.print(table)


def print_document(console: Console, title: str, url: str | None) -> None:
    """Where the as-built document of a release is."""
    place = shown(Path(url.removeprefix("file://"))) if url else "none was written"
    console.print(f"  {title:<24} {place}", highlight=False, soft_wrap=True)


def print_access(console: Console, options: Options, airflow: Airflow, made: dict[str, str]) -> None:
    """The UI's address, the logins, and how to look into the cluster."""
    console.print(f"\n[bold]Airflow's UI[/]   {airflow.base}", highlight=False)
    for user in USERS:
        console.print(
            f"  user {user:<7} password {made[user]}   ({ROLES[user]})", highlight=False, markup=False
        )
    kubeconfig = shown(options.cluster_dir / "kubeconfig")
    console.print("[bold]Cluster[/]", highlight=False)
    console.print(
        f"  kubectl --kubeconfig {kubeconfig} -n {ENVIRONMENTS[PRODUCTION]} get deployments,pods,jobs",
        highlight=False,
    )
    console.print(
        "[bold]Break the payment gateway[/]   make gateway   (mend it: make gateway MODE=ok)", highlight=False
    )
    console.print(
        "[bold]Give it a bad order[/]   make orders   (mend it: make orders MODE=ok)", highlight=False
    )
    console.print(f"[bold]Logs[/]   {shown(options.logs)}/", highlight=False)
