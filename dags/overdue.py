"""See every ten minutes whether what should have run by itself did, and say so when it did not.

The log clean-up was a person's morning work; he fell ill, and for a week nobody noticed that it was not done. A
procedure that does not run is as quiet as one with nothing to do. This DAG compares what each procedure's own
configuration says it does (when it starts, by when it has ended) with what Airflow says it did. It needs no triggerer.

**Params.** None. Whoever is to be told, when a run is due and by when it has ended is in the procedure's own file:
`include/config/log_retention.yaml` for `log_cleanup`, `include/config/orders.yaml` for `order_processor` and `order_backlog`.

| task | what it does | when it fails |
|---|---|---|
| `judge` | judges each procedure, tells its list of a problem once and again after a day, and of the end of it | a procedure is overdue, or a file is not right; the log says which, since when, and what to do |

It also tells, with file and line, of mistakes in the configuration of order processing, whose runs go on beside them where they can.

States: *on time*, *paused* (found at two looks), *unknown* (its DAG does not load), *not started*, *not finished*,
*failed*. A problem lasts until a run in earnest has ended well, whoever started it; one of batches that failed and told
people why itself is none; a dry run does not count, a run that
somebody left for the next one does.

**Safe to rerun.** It changes nothing. A run that is triggered by hand looks without telling anybody.

**Who watches this?** A scheduler that is down runs no DAG, this one neither. So `log_cleanup` sends a sign of life to a
monitor outside when it has ended well (`heartbeat` in its file): that one misses it.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag

from plugins.operators.overdue import OverdueOperator


@dag(
    schedule="*/10 * * * *",
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["logs", "orders"],
    default_args={"owner": "sre", "retries": 0},
)
def overdue() -> None:
    """One look."""
    OverdueOperator(task_id="judge", execution_timeout=timedelta(minutes=2))


overdue()
