"""Who is in the way: a rollback of the application whose volume it is, or a run that waits for an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context

from include.logs.meeting import keeps_waiting
from include.release.kube import Cluster
from include.release.lock import Lock, described
from include.release.texts import moment
from plugins.operators.locking import WAITING, ask_airflow, word

QUESTION = re.compile(r"(.+\.)?(approve|window)(_\d+)?")
"""The tasks of a clean-up that ask people, as Airflow names them in the states of a run: with the volume's number."""


def waits_for_answer(run: str, context: Context) -> bool:
    """Whether a question of another run (``dag_id/run_id``) waits for a person."""
    ti: Any = context["ti"]
    dag_id, _, run_id = run.partition("/")
    states = ti.get_task_states(dag_id=dag_id, run_ids=[run_id]).get(run_id) or {}
    return any(QUESTION.fullmatch(name) and word(state) in WAITING for name, state in states.items())


def held_by(cluster: Cluster, namespace: str, apps: Sequence[str], context: Context) -> str:
    """Who is waited for, in a sentence; empty when nobody is. A run that has ended is waited for no more.

    Raises KubeError.
    """
    for app in apps:
        lock = Lock(cluster, namespace, app)
        state = lock.read()
        holder = state.holding
        if not state.holder or not keeps_waiting(holder):
            continue
        fate = ask_airflow(context)(holder) if holder.kind else None
        if fate is None or fate.holds:
            who = described(holder, fate.state if fate else "written in by hand")
            link = f": {holder.url}" if holder.url else ""
            return f"{who} holds the lock {lock.name} of {app} since {moment(state.acquired)}{link}"
    return ""
