"""Does a rollback hold the application whose volume is to be cleaned up?"""

from __future__ import annotations

from collections.abc import Sequence

from airflow.sdk import Context

from include.logs.meeting import keeps_waiting
from include.release.kube import Cluster
from include.release.lock import Lock, described
from include.release.texts import moment
from plugins.operators.locking import ask_airflow


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
