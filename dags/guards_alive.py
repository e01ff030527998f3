"""See every minute whether each guard guards, and say so when one does not.

A watch that has died looks like one with nothing to do. This DAG asks Airflow whether the guards' DAGs run, and the clusters
whether the watches give signs of life (ConfigMap `restart-watch` in the watched namespace). It needs no triggerer: it
is what notices that the triggerer is gone.

**Params.** None. Guards are those of `include/config/guards.yaml`, which also says after how many minutes of silence one is
not alive (`liveness_minutes`).

| task | what it does | when it fails |
|---|---|---|
| `judge` | judges each guard, tells its list of a change for the worse, again after each cooldown, and of the end | a guard is not alive, or they need more triggers than the triggerers hold; the log says which, why, and what to do |

States: *armed* (it watches), *acting* (its run is past the watch), *pressed* (the Deployment stays at zero until it is
re-armed), *disarmed* (its DAG is paused), *waiting* (no Deployment yet, no permission, or the cluster does not answer),
*not alive* (nothing watches).
A guard in `guards.yaml` that is not configured right has no DAG and disarms no other: it is told of as `guards.yaml`. So is a
file `environments.yaml` that cannot be read, to those who were to be told when it last could. The page *Guards* in Airflow's
navigation shows them with the last event and the last list.

**Safe to rerun.** It changes nothing. A run that is triggered by hand looks without telling anybody.

**Who watches this?** A scheduler that is down runs no DAG, this one neither: have whatever monitors your hosts ask
`/api/v2/monitor/health` of Airflow, or alert on the age of this DAG's last run.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag

from plugins.operators.guards_alive import GuardsAliveOperator


@dag(
    schedule="* * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["red-button", "kubernetes"],
    default_args={"owner": "sre", "retries": 0},
)
def guards_alive() -> None:
    """One look."""
    GuardsAliveOperator(task_id="judge", execution_timeout=timedelta(minutes=2))


guards_alive()
