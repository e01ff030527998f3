"""Go back to what ran before, on request: pods, configuration and, where that is safe, migrations.

For on-call. A release that fails rolls itself back; this is for one that went out and turned out wrong, and for what
an interrupted run left. It may run at any time: change windows are for releases.

**Params.** *Application* and *Environment*: what, and where. *Target*: `previous`, the name of a release that was live
before, or `before <run>`. It is read from what earlier runs kept in the namespace, never from files. *Dry run*: show
the plan and every difference, change nothing. *Drop data*: take back migrations although rows are destroyed by that;
`plan` shows them first. *Break the lock*: see the form. *Reason*: goes on record.

| task | what it does | when it fails |
|---|---|---|
| `find_target` | finds and freezes what to go back to, checks who asks | nothing was changed; the log lists the targets there are |
| `lock` | takes the lock of the application | nothing was changed; the log says who has it, and what to do |
| `gate` | says what the newest verdicts on the target's builds are; refuses none | nothing was changed; clear it |
| `preflight` | asks the API server, permissions and the ledger; saves the state of now | nothing was changed; the log names every problem |
| `plan` | decides the order, which migrations are taken back, which stay and why | nothing was changed; there is no way back without a decision, the log has the choices |
| `approve` | asks somebody, where the environment wants that | nothing was changed; trigger it again |
| `undo_first` | takes migrations back that the target cannot live with | clear it; what is taken back is in the ledger |
| `restore` | applies the target's objects, deletes what only the newer release has | clear it; or trigger this DAG again |
| `rollout_check` | waits until the target's pods serve and the others have ended | the reason, events and last log lines are in the log |
| `smoke_check` | asks every pod what the target promises | the target serves and something is wrong with it; go forward |
| `verify_build` | compares what the pods run with the target's builds | as above |
| `undo_after` | takes back the migrations that the target can live with | the target serves; clear it |
| `conclude` | says in one paragraph what became of the run | it fails unless the target serves |
| `as_built_document` | writes the document and the entry in the history | clear only this task |
| `tell` | tells everyone on the environment's list | the log names who was not told; clear only this task |
| `unlock` | gives the lock back | something was left half-way; the log has the choices |

**Safe to rerun.** Every task, and the whole run: each finds in the cluster and in the ledger what was done already.
Nothing is rolled forward by itself when a rollback fails; its last state is in the logs.

**Red button.** A Deployment that was scaled to zero by its button stays there.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import chain, dag

from include.release.lease import ROLLED_BACK
from include.release.loading import Sources
from plugins.operators.approve import ApproveOperator
from plugins.operators.conclude import ConcludeOperator
from plugins.operators.document import AsBuiltOperator
from plugins.operators.find_target import FindTargetOperator, TargetGateOperator
from plugins.operators.lock import LockOperator, UnlockOperator
from plugins.operators.preflight import PreflightOperator
from plugins.operators.roll_back import (
    PlanRollbackOperator,
    RestoredCheckOperator,
    RestoreOperator,
    UndoMigrationsOperator,
)
from plugins.operators.smoke import SmokeCheckOperator
from plugins.operators.tell import TellOperator
from plugins.operators.verify import VerifyBuildOperator
from plugins.params import rollback_params
from plugins.procedure import PROCEDURE

TARGET: dict[str, Any] = {"frozen_by": "find_target"}
PLANNED = {**TARGET, "plan_by": "plan"}
ENDING: dict[str, Any] = {**TARGET, "kind": "rollback"}


@dag(doc_md=__doc__, params=rollback_params(Sources.from_environment()), **PROCEDURE)
def rollback() -> None:
    """From what is live to what ran before."""
    lock = LockOperator(task_id="lock", kind="rollback", **TARGET).as_setup()
    chain(
        FindTargetOperator(task_id="find_target", retries=0),
        lock,
        TargetGateOperator(task_id="gate", **TARGET),
        PreflightOperator(task_id="preflight", kind="rollback", **TARGET),
        PlanRollbackOperator(task_id="plan", **TARGET),
        ApproveOperator(task_id="approve", kind="rollback", planned_by="plan", **TARGET),
        UndoMigrationsOperator(task_id="undo_first", when="first", **PLANNED),
        RestoreOperator(task_id="restore", **PLANNED),
        RestoredCheckOperator(task_id="rollout_check", asks=False, **PLANNED),
        SmokeCheckOperator(task_id="smoke_check", **TARGET),
        VerifyBuildOperator(task_id="verify_build", **TARGET),
        UndoMigrationsOperator(task_id="undo_after", when="after", reached=ROLLED_BACK, **PLANNED),
        ConcludeOperator(task_id="conclude", trigger_rule="all_done", **ENDING),
        AsBuiltOperator(task_id="as_built_document", **ENDING).as_teardown(),
        TellOperator(task_id="tell", **ENDING).as_teardown(),
        UnlockOperator(task_id="unlock", **TARGET).as_teardown(setups=lock, on_failure_fail_dagrun=True),
    )


rollback()
