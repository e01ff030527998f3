"""The tasks of the DAGs, from the DAGs themselves: what every test that follows whole runs compares with."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

DAGS = Path(__file__).resolve().parents[1] / "dags"
ONLY_ON_FAILURE = "roll_back"
"""The task group that runs only when a change has failed."""
ONLY_IN_QA = "qa_verdict"


@cache
def bag() -> Any:
    """All DAGs of the project."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(DAGS))


def tasks(dag_id: str = "release") -> list[str]:
    """Ids of a DAG's tasks, each after those that it waits for."""
    return [task.task_id for task in bag().dags[dag_id].topological_sort()]


def good_run(dag_id: str = "release", environment: str = "production") -> dict[str, str]:
    """The state that each task has after a run in which nothing went wrong."""
    skipped = {name for name in tasks(dag_id) if name.startswith(f"{ONLY_ON_FAILURE}.")}
    skipped |= set() if environment == "qa" else {ONLY_IN_QA}
    return {name: "skipped" if name in skipped else "success" for name in tasks(dag_id)}
