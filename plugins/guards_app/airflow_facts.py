"""What the API server knows of the guards' DAGs, from its own database: a few queries for all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from sqlalchemy import select

from include.restarts.alerting import MEMORY, Memory
from include.restarts.liveness import RETRYING, WATCH, Dag

ALIVE = "guards_alive"
UNKNOWN = Dag(known=False)


@dataclass(frozen=True)
class Facts:
    """The guards' DAGs, and what the last look of guards_alive left."""

    dags: Mapping[str, Dag] = field(default_factory=dict)
    alive: Dag = UNKNOWN
    memory: Memory | None = None

    def dag(self, dag_id: str) -> Dag:
        """One of them."""
        return self.dags.get(dag_id, UNKNOWN)

    @property
    def looked(self) -> datetime | None:
        """When guards_alive looked last."""
        return self.memory.at if self.memory else None


def ask_airflow(dag_ids: Sequence[str]) -> Facts:
    """What there is to know of these DAGs."""
    wanted = [*dag_ids, ALIVE]
    with create_session() as session:
        paused = {
            each.dag_id: bool(each.is_paused)
            for each in session.execute(
                select(DagModel.dag_id, DagModel.is_paused).where(DagModel.dag_id.in_(wanted))
            )
        }
        tasks: dict[str, dict[str, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
        query = (
            select(TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id, TaskInstance.state)
            .join(DagRun, (DagRun.dag_id == TaskInstance.dag_id) & (DagRun.run_id == TaskInstance.run_id))
            .where(DagRun.dag_id.in_(wanted), DagRun.state == DagRunState.RUNNING)
        )
        for each in session.execute(query):
            tasks[each.dag_id][each.run_id][each.task_id] = each.state
        kept = session.execute(
            select(XComModel.value)
            .where(XComModel.dag_id == ALIVE, XComModel.key == MEMORY)
            .order_by(XComModel.timestamp.desc())
            .limit(1)
        ).first()
    dags = {}
    for dag_id, is_paused in paused.items():
        run, states = next(reversed(tasks[dag_id].items()), ("", {}))
        dags[dag_id] = Dag(paused=is_paused, retrying=states.get(WATCH) in RETRYING, run=run, tasks=states)
    return Facts(
        dags, dags.get(ALIVE, UNKNOWN), Memory.read(XComModel.deserialize_value(kept)) if kept else None
    )
