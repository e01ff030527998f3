"""The big red button: watch a service's restarts, and scale it to zero when the network is shown to be the cause.

UpCommerce's payment service dies when it cannot reach the payment gateway, again and again, and payments hang. Its guard
scales it to zero within seconds, holds and settles the payments, tells people, and arms itself again: this DAG runs all
the time, one run after the other. There is one such DAG for each guard of `include/config/guards.yaml`, and one to
re-arm it (`<guard>_rearm`). `docs/red-button.md` has the rules.

**Params.** None: it runs by itself. Threshold, window, causes, probe, payments, whom to tell, approval and dry run are in
`include/config/guards.yaml`; a change of the watch's rules counts from the next run on, all others at once. Pausing this DAG
disarms the guard at once: no task of it starts any more, also of a run that has tripped; `guards_alive` says so.

| task | what it does | when it fails |
|---|---|---|
| `watch` | waits in the triggerer, without a worker, until containers restart too often; then does the next three tasks' work at once, where nobody is asked first | what it could not do at once, the next tasks do; nothing is missed, as counts are kept in the cluster |
| `confirm` | lists afresh and decides again; asks the upstream when only unknown causes decide; looks at the storm brake | it is tried again for minutes; then people are told that nothing was decided |
| `save_evidence` | an immutable ConfigMap `evidence-...`: decision, restarts, statuses, events, log ends without secrets | what cannot be saved is in its log; it holds up the press for some seconds at most |
| `approve` | only where the guard wants it: asks who may approve; silence does not press | not approved: nothing is pressed, and people are told |
| `press` | one patch: zero replicas, and the note that says why, when, which run and how many there were; decides again first when that is a minute ago | it is tried again for minutes; then people are told that it is NOT pressed, and the next run tries again |
| `tell` | tells the guard's list: pressed, alert, braked, refused, failed, dry run | the task and the run are red: somebody was not told, or a task before it failed and people were told of that (its log says which); the press stays |
| `hold_payments` | the shop sends no more payments; new ones wait | clear it: a run holds once |
| `settle_payments` | rolls back what waits, or keeps it for replay, as configured; each payment once | clear it: a run settles once |
| `tell_payments` | tells the same list what became of the payments | as `tell` |

The press comes before the payments: a shop may be unwell when its payment service is, and the press must not wait for it.
What is sent in between reaches nobody and stays queued under its key.

**Not pressed** is: restarts of other causes (people are told, once per cooldown), a storm (more guards at once than
allowed, or a node that is not ready), the time after a re-arm (the guard's cooldown), a Deployment that was replaced or
scaled to zero by somebody, and one that is pressed already, or was re-armed since it was decided.

**Pressed: what now?** The service is at zero and stays there, through releases and rollbacks, until somebody runs the
DAG `<guard>_rearm`. The message has the reason, the evidence and who else could scale it up (KEDA is paused, others are named).

**Safe to rerun.** Every task: pressing twice is pressing once, a run holds and settles once. A guard has one run at a time: a
task of an older run that is cleared waits until the run of now has ended, so mark that success; the cleared one goes first. A press that comes late decides
on what is there then, and a run whose press was taken back by a re-arm does not press again.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import chain, dag

from include.release.environments import Environment
from include.restarts.guards import Guard, Guards
from plugins.operators.approve_press import ApprovePressOperator
from plugins.operators.confirm import ConfirmOperator, SaveEvidenceOperator
from plugins.operators.guarding import PATIENCE, guards_here
from plugins.operators.payments import HoldPaymentsOperator, SettlePaymentsOperator
from plugins.operators.press import PressOperator
from plugins.operators.tell_guard import TellGuardOperator, TellPaymentsOperator
from plugins.sensors.guard_watch import guard_watch


def guard_dag(guard: Guard, place: Environment, guards: Guards) -> None:
    """The DAG of one guard."""

    @dag(
        dag_id=f"{guard.name}_guard",
        schedule="@continuous",
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        max_active_runs=1,
        doc_md=__doc__,
        tags=["red-button", "kubernetes"],
        default_args={"owner": "sre", "guard": guard.name, **PATIENCE},
    )
    def procedure() -> None:
        """From the watch to the press, and what follows from it."""
        asked = [ApprovePressOperator(task_id="approve")] if guard.approval else []
        press = PressOperator(task_id="press", approved_by="approve" if asked else "")
        chain(
            guard_watch(guard, place, guards, task_id="watch"),
            ConfirmOperator(task_id="confirm"),
            SaveEvidenceOperator(task_id="save_evidence"),
            *asked,
            press,
            TellGuardOperator(task_id="tell", retries=2).as_teardown(on_failure_fail_dagrun=True),
        )
        if guard.payments is not None:
            chain(
                press,
                HoldPaymentsOperator(task_id="hold_payments"),
                SettlePaymentsOperator(task_id="settle_payments"),
                TellPaymentsOperator(task_id="tell_payments", retries=2).as_teardown(
                    on_failure_fail_dagrun=True
                ),
            )

    procedure()


for _guard, _place, _guards in guards_here("guard"):
    guard_dag(_guard, _place, _guards)
