"""Re-arm a pressed service: is the upstream healthy, then bring back what there was, and let the payments flow.

The big red button leaves a service at zero until a person takes the press back. Somebody who scales it up by hand forgets
the payments that are held, and an autoscaler that is paused. There is one such DAG for each guard of
`include/config/guards.yaml`.

**Params.** *Dry run*: change nothing, say what would be done. *Reason*: goes on record. *Although the upstream is down*: a
reason, by who may approve in the guard's environment. *Replicas*: where the note of the press does not say how many there
were (somebody pressed by hand). *Break the lock*: takes the application's lock from a run that has not ended.

| task | what it does | when it fails |
|---|---|---|
| `check` | is the request right, may this user, is the button pressed? | nothing was changed; the log names every problem |
| `lock` | takes the lock of the application: one release, rollback or re-arm of it at a time | nothing was changed; the log says who has it |
| `probe_upstream` | asks the upstream from inside the cluster | nothing was changed; it does not answer. Clear it when it does |
| `restore` | un-pauses KEDA; one patch brings the former replicas back (or those of a release since) and takes the press off | clear it: what was done is found |
| `rollout_check` | waits until the pods serve | payments stay held; reason, events and last log lines are in the log. Put the cause right and clear it |
| `release_payments` | ends the hold; kept payments are sent now | clear it, or trigger again: it goes on with the payments |
| `tell` | tells the guard's list, and writes the history | the log names who was not told; clear only this task |
| `unlock` | gives the lock back | clear it |

For the guard's cooldown after a re-arm nothing is pressed by itself: people are told instead. Restarts from before the
re-arm count no more.

**Safe to rerun.** Every task, and the whole run: a run brings the replicas back once, and holds are ended once.

**Who may.** `may_trigger` of the guard's environment; `may_approve` for the params that lift a guard.
"""

from __future__ import annotations

from airflow.sdk import chain, dag

from include.restarts.guards import Guard
from plugins.operators.guarding import guards_here
from plugins.operators.payments import ReleasePaymentsOperator
from plugins.operators.rearm import (
    CheckRearmOperator,
    LockRearmOperator,
    ProbeUpstreamOperator,
    RearmRolloutCheckOperator,
    RestoreOperator,
    TellRearmOperator,
    UnlockRearmOperator,
)
from plugins.params import rearm_params
from plugins.procedure import PROCEDURE


def rearm_dag(guard: Guard) -> None:
    """The DAG that re-arms one guard."""
    default_args = {**PROCEDURE["default_args"], "guard": guard.name}

    @dag(
        dag_id=f"{guard.name}_rearm",
        doc_md=__doc__,
        params=rearm_params(),
        **{**PROCEDURE, "default_args": default_args, "tags": ["red-button", "kubernetes"]},
    )
    def procedure() -> None:
        """From a healthy upstream to payments that flow."""
        lock = LockRearmOperator(task_id="lock").as_setup()
        payments = [ReleasePaymentsOperator(task_id="release_payments")] if guard.payments else []
        chain(
            CheckRearmOperator(task_id="check", retries=0),
            lock,
            ProbeUpstreamOperator(task_id="probe_upstream"),
            RestoreOperator(task_id="restore"),
            RearmRolloutCheckOperator(task_id="rollout_check"),
            *payments,
            TellRearmOperator(task_id="tell").as_teardown(),
            UnlockRearmOperator(task_id="unlock").as_teardown(setups=lock),
        )

    procedure()


for _guard, _, _ in guards_here("rearm"):
    rearm_dag(_guard)
