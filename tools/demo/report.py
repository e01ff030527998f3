"""What the demo says at the end."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from tools.demo.api import Airflow, Task
from tools.demo.cluster import changes
from tools.demo.options import NAMESPACES, ROOT, Options
from tools.demo.state import USERS

ROLES = {"admin": "everything", "oncall": "releases to production", "dev": "triggers", "ro": "only reads"}


def shown(path: Path) -> str:
    """A path as the user would type it from the checkout."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def print_tasks(console: Console, runs: dict[str, list[Task]]) -> None:
    """One table over all runs: task, state, seconds."""
    table = Table("release", "task", "state", "seconds", title="Tasks", title_justify="left")
    table.columns[3].justify = "right"
    for release, tasks in runs.items():
        for task in tasks:
            colour = "green" if task.state == "success" else "yellow"
            seconds = "" if task.seconds is None else f"{task.seconds:.1f}"
            table.add_row(release, task.label, f"[{colour}]{task.state}[/]", seconds)
    console.print(table)


def print_changes(console: Console, release: str, before: dict[str, str], after: dict[str, str]) -> None:
    """What a release changed in the cluster."""
    title = f"What {release} changed in the cluster (namespace {NAMESPACES[0]})"
    table = Table(title=title, title_justify="left")
    for column in ("object", "before", "after"):
        table.add_column(column, overflow="fold")
    rows = changes(before, after)
    if not rows:
        console.print(f"{release} changed nothing in the cluster", highlight=False)
        return
    for name, old, new in rows:
        table.add_row(name, old or "[dim]absent[/]", new or "[dim]gone[/]")
    console.print(table)


def print_document(console: Console, release: str, url: str | None) -> None:
    """Where the as-built document of a release is."""
    place = shown(Path(url.removeprefix("file://"))) if url else "none was written"
    console.print(f"[bold]As-built document of {release}[/]   {place}", highlight=False, soft_wrap=True)


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
        f"  kubectl --kubeconfig {kubeconfig} -n {NAMESPACES[0]} get deployments,pods,jobs", highlight=False
    )
    console.print(f"[bold]Logs[/]   {shown(options.logs)}/", highlight=False)
