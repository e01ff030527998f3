"""Process the outstanding orders every hour: a batch that finishes, and errors that reach who can put them right.

Batches are run by this DAG, as Jobs with build, settings and resources of the Deployment `order-processor` that is live. The
Deployment's own loop takes none while they do, and goes on where Airflow does not run; claims are in the database, so each
order is processed once, whoever takes it, and whoever is killed meanwhile. `include/config/orders.yaml` has schedule, limits and whom to tell;
`include/config/order_errors.yaml` what each error means. `docs/orders.md` is for on-call.

**Params.** *Dry run*: start no Job, tell nobody, show size and Job. *Open again*: numbers of orders that were set aside and
are put right by now; this run's batch tries them anew. *Reason*: asked for when somebody triggers it by hand.

| task | what it does | when it fails |
|---|---|---|
| `read_backlog` | how many orders wait, since when, how many come and go; checks the request of who triggered it | the request is not right (on-call is told), or the file does not say whose orders: nothing was started. A database that cannot be asked is no failure: orders are processed all the same |
| `reopen` | opens the orders again that the request names, by a Job of the live processor; nothing without numbers | none of the orders is there, or the Job failed: its log says why. Clear it: an order is opened once. A number that is wrong among others is in its log and in the entry of the on-call log |
| `size_batch` | the arithmetic: how many orders fit in before the next run | the processor that is live does not fit the configuration |
| `run_batch` | waits while a release changes the shop, starts the Job, judges its log as it is written. An error that hits everything stops the batch and restarts it once; orders left over start another batch at once, while there is time | the cluster does not answer: clear it. The Job goes on and is found again |
| `read_log` | what failed, by the log and by the database, which knows the order of each error | clear it |
| `decide` | what follows: nothing, a proposal to Ops, orders set aside, or a hand-over | **orders are not processed as they should be**; its log says why, since when, what changed, and who was told |
| `tell` | each problem once: when it is new, when it has grown, after a day, when it is over | the log names who was not told; clear only this task |
| `record` | the entry of the on-call log, in the records and beside the documents; the last good run | clear only this task |

**One batch at a time.** A run that starts while a batch of another run still works (somebody ended that run by hand)
goes on with that batch. A release's migrations have a batch give way: it finishes what it has in work, and this run goes on
with the new build afterwards. No batch starts while a release or rollback changes the shop, nor while the processor's red
button is pressed.

**Safe to rerun.** Every task, and the whole run. A retry finds its Jobs; a run that is cleared starts a new batch, which
processes only what still waits. Marking a task as failed stops no Job: `kubectl delete job` does, and costs nothing but
the tries of the orders in work.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import chain, dag

from plugins.operators.orders_batch import ReadBacklogOperator, RunBatchOperator, SizeBatchOperator
from plugins.operators.orders_outcome import (
    DecideOperator,
    ReadLogOperator,
    RecordOrdersOperator,
    TellOrdersOperator,
)
from plugins.operators.orders_reopen import ReopenOperator
from plugins.order_procedure import batches

SOON = timedelta(minutes=10)
"""No task but the one that runs the batches has more to do than a few questions."""


@dag(doc_md=__doc__, **batches())
def order_processor() -> None:
    """From what waits to the entry in the on-call log."""
    chain(
        ReadBacklogOperator(task_id="read_backlog", execution_timeout=SOON),
        ReopenOperator(task_id="reopen", execution_timeout=SOON),
        SizeBatchOperator(task_id="size_batch", read_by="reopen", execution_timeout=SOON),
        RunBatchOperator(task_id="run_batch"),
        ReadLogOperator(task_id="read_log", trigger_rule="all_done", execution_timeout=SOON),
        # The run's state is that of this task; what comes after it runs whatever happened.
        DecideOperator(task_id="decide", trigger_rule="all_done", execution_timeout=SOON),
        TellOrdersOperator(task_id="tell", execution_timeout=SOON).as_teardown(),
        RecordOrdersOperator(task_id="record", execution_timeout=SOON).as_teardown(),
    )


order_processor()
