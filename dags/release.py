"""Release the shop: gate, plan, approval, rollout, and the way back when it fails.

Takes a release from its file to the pods that serve it, without downtime, and back again by itself when something is
wrong. By hand these steps were forgotten, done twice or done in the wrong order, and builds that had not passed QA
reached production.

**Params.** *Release*: a file in `include/releases/`. *Environment*: one of `include/config/environments.yaml`, which
says who may release there, when, with which verdicts and whose approval. *Dry run*: change nothing, show the exact
difference of each object. *Reason*: goes on record. The others lift a guard with open eyes; leave them as they are.

| task | what it does | when it fails |
|---|---|---|
| `freeze_and_check` | reads and freezes the spec; may this user release here, now? | nothing was changed; the log names every problem with file and line |
| `lock` | takes the lock of the application in this environment | nothing was changed; the log says who has it, or what an interrupted run left |
| `gate` | reads the newest QA verdict on each build | nothing was changed; the log names build and verdict |
| `plan_capacity` | writes out replicas, requests and limits; has the cluster room during the update? | nothing was changed; the log has the numbers |
| `preflight` | asks the API server about every object and permission, asks the ledger (a Job of this build, which only reads), saves the state to roll back to | nothing was changed; the log names every problem |
| `approve` | asks somebody who may, with differences, plan, migrations and verdicts | nothing was changed; trigger a new run to ask again |
| `configure` | creates ConfigMaps, immutable and named by their content | it rolls back |
| `migrate` | runs each migration in a Job, with its log here | it rolls back; the log has the Job and its last lines |
| `deploy` | reads the gate again, applies the objects (server-side) | it rolls back |
| `rollout_check` | waits until the rollout is complete | it rolls back; reason, events and last log lines are in the log |
| `smoke_check` | asks every pod what the release promises | it rolls back |
| `verify_build` | compares what every serving pod runs with what was approved | it rolls back |
| `qa_verdict` | where releases are tries: records a pass or a fail on each build | clear it |
| `roll_back.plan` | after a failure: decides how to get back, which migrations are taken back, which stay | there is no way back without a decision; the log has the choices |
| `roll_back.undo_first`, `roll_back.undo_after` | takes migrations back, by the new build | clear it; what is taken back is in the ledger |
| `roll_back.restore`, `roll_back.restored_check` | brings the previous objects back and checks that they serve | clear it, or trigger the DAG `rollback` |
| `conclude` | says in one paragraph what became of the run | it fails whenever the release did not go out |
| `as_built_document` | writes the document and the entry in the history, for failed runs too | clear only this task |
| `tell` | tells everyone on the environment's list | the log names who was not told; clear only this task |
| `unlock` | gives the lock back | something was left half-way; the log has the choices |

**Safe to rerun.** Every task, and the whole run: each finds in the cluster what was done already. Migrations ask the
database's ledger. Once a later run has had the lock, clearing a task of an older one is refused: it would put the old
release back.

**The cause is in the spec?** No task after the first reads a file again: put the file right and trigger a new run.

**Who may.** `may_trigger` is checked for who triggered. Airflow does not tell a task who cleared it: who may clear is
Airflow's own permission (in the demo's simple auth manager, the role `user` may). An approval is good for what was
shown and for a limited time, so a cleared run asks again.
"""

from __future__ import annotations

from airflow.sdk import chain, dag

from include.release.lease import RELEASED
from include.release.loading import Sources
from plugins.operators.approve import ApproveOperator
from plugins.operators.capacity import PlanCapacityOperator
from plugins.operators.conclude import ConcludeOperator
from plugins.operators.configure import ConfigureOperator
from plugins.operators.deploy import DeployOperator
from plugins.operators.document import AsBuiltOperator
from plugins.operators.freeze import FreezeAndCheckOperator
from plugins.operators.gate import GateOperator, QaVerdictOperator
from plugins.operators.lock import LockOperator, UnlockOperator
from plugins.operators.migrate import MigrateOperator
from plugins.operators.preflight import PreflightOperator
from plugins.operators.roll_back import roll_back_group
from plugins.operators.rollout import RolloutCheckOperator
from plugins.operators.smoke import SmokeCheckOperator
from plugins.operators.tell import TellOperator
from plugins.operators.verify import VerifyBuildOperator
from plugins.params import release_params
from plugins.procedure import PROCEDURE


@dag(doc_md=__doc__, params=release_params(Sources.from_environment()), **PROCEDURE)
def release() -> None:
    """From a frozen spec to verified pods, or back to what was there; and the record of it."""
    lock = LockOperator(task_id="lock").as_setup()
    changing = [
        ConfigureOperator(task_id="configure"),
        MigrateOperator(task_id="migrate"),
        DeployOperator(task_id="deploy"),
        RolloutCheckOperator(task_id="rollout_check"),
        SmokeCheckOperator(task_id="smoke_check"),
        VerifyBuildOperator(task_id="verify_build", reached=RELEASED),
    ]
    chain(
        FreezeAndCheckOperator(task_id="freeze_and_check", retries=0),
        lock,
        GateOperator(task_id="gate"),
        PlanCapacityOperator(task_id="plan_capacity"),
        PreflightOperator(task_id="preflight"),
        ApproveOperator(task_id="approve"),
        *changing,
    )
    conclude = ConcludeOperator(task_id="conclude", trigger_rule="all_done")
    back = roll_back_group(trigger_rule="one_failed")
    changing >> back
    # The run's state is that of the task that concludes it. What comes after it runs whatever happened.
    chain(
        changing[-1],
        QaVerdictOperator(task_id="qa_verdict"),
        conclude,
        AsBuiltOperator(task_id="as_built_document").as_teardown(),
        TellOperator(task_id="tell").as_teardown(),
        UnlockOperator(task_id="unlock").as_teardown(setups=lock, on_failure_fail_dagrun=True),
    )
    back >> conclude


release()
