"""Look every few minutes whether too many orders wait, so that the alert does not wait for the hour.

'Outstanding orders too high' is raised on their number, on the age of the oldest, and when working them off takes longer
than from one run of `order_processor` to the next; the limits are `alarm` in `include/config/orders.yaml`.
One statement is asked of the database, and no cluster.

**Params.** None.

| task | what it does | when it fails |
|---|---|---|
| `look` | judges what waits; tells on-call once, again when it has doubled or lasts a day, and when it is over | the log names who was not told, or what is wrong in a file; the next look tries again |

A database that does not answer, or has no orders, is told of in the same way. What an alert means and what to do: `docs/orders.md`.

**Safe to rerun.** It changes nothing but what it keeps of the alert in the records.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag

from plugins.operators.orders_backlog import LookAtBacklogOperator
from plugins.order_procedure import looks


@dag(doc_md=__doc__, **looks())
def order_backlog() -> None:
    """One look."""
    LookAtBacklogOperator(task_id="look", execution_timeout=timedelta(minutes=2))


order_backlog()
