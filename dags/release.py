"""Release the shop, from its file to checked pods.

Takes a release from its file to the pods that serve it, without downtime: configuration, migrations, a rolling
update, a check of the rollout and of the running program, and a document of what was done. By hand these steps
were forgotten, done twice or done in the wrong order.

**Params.** *Release*: a file in `include/releases/`. *Environment*: one of `include/config/environments.yaml`, which
says who may release there. *Dry run*: change nothing, show the exact difference of each object in the task logs.
*Reason*: goes on record in the as-built document.

| task | what it does | when it fails |
|---|---|---|
| `freeze_and_check` | reads and freezes the spec | nothing was changed; the log names every problem with file and line |
| `preflight` | asks the API server about every object and permission, asks the ledger, saves the state to roll back to | nothing was changed; the log names every problem |
| `configure` | creates ConfigMaps, immutable and named by their content | nothing that runs has changed |
| `migrate` | runs each migration in a Job, with its log here | the previous build runs on; the log has the Job and its last lines |
| `deploy` | applies the objects (server-side) | some objects may be applied; clear it, or trigger the previous release |
| `rollout_check` | waits until the rollout is complete | the reason, events and last log lines are in the log; the old pods still serve |
| `smoke_check` | asks every pod what the release promises | the new pods serve; release the previous release, or put it right |
| `roll_back.plan` | after a failure: decides how to get back, which migrations are taken back, which stay | there is no way back without a decision; the log has the choices |
| `roll_back.undo_first`, `roll_back.undo_after` | takes migrations back, by the new build | clear it; what is taken back is in the ledger |
| `roll_back.restore`, `roll_back.restored_check` | brings the previous objects back and checks that they serve | clear it, or trigger the DAG rollback |
| `conclude` | says in one paragraph what became of the run | it fails when the release did not go out |
| `as_built_document` | writes down what was done, for failed runs too | the run keeps the state of the release; clear only this task |

**Safe to rerun.** Every task, and the whole run: each finds in the cluster what was done already. Migrations ask the
database's ledger. Once a later run has released, clearing `configure`, `migrate` or `deploy` of an older one is
refused: it would put the old release back.

**The cause is in the spec?** No task after the first reads a file again: put the file right and trigger a new run.
Checks come in two stages: the files first, and what the cluster says when they are right.

**Who may.** `may_trigger` is checked for who triggered. Airflow does not tell a task who cleared it: who may clear is
Airflow's own permission (in the demo's simple auth manager, the role `user` may).
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import chain, dag

from include.release.loading import Sources
from plugins.operators.conclude import ConcludeOperator
from plugins.operators.configure import ConfigureOperator
from plugins.operators.deploy import DeployOperator
from plugins.operators.document import AsBuiltOperator
from plugins.operators.freeze import FreezeAndCheckOperator
from plugins.operators.migrate import MigrateOperator
from plugins.operators.preflight import PreflightOperator
from plugins.operators.roll_back import roll_back_group
from plugins.operators.rollout import RolloutCheckOperator
from plugins.operators.smoke import SmokeCheckOperator
from plugins.params import release_params


@dag(
    schedule=None,
    max_active_runs=1,
    doc_md=__doc__,
    params=release_params(Sources.from_environment()),
    tags=["release", "kubernetes"],
    default_args={
        "owner": "sre",
        "retries": 3,
        "retry_delay": timedelta(seconds=10),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=1),
    },
)
def release() -> None:
    """From a frozen spec to a checked rollout and its document."""
    changing = [
        ConfigureOperator(task_id="configure"),
        MigrateOperator(task_id="migrate"),
        DeployOperator(task_id="deploy"),
        RolloutCheckOperator(task_id="rollout_check"),
        SmokeCheckOperator(task_id="smoke_check"),
    ]
    chain(
        FreezeAndCheckOperator(task_id="freeze_and_check", retries=0),
        PreflightOperator(task_id="preflight"),
        *changing,
    )
    back = roll_back_group(trigger_rule="one_failed")
    changing >> back
    # The run's state is that of the task that concludes it. A teardown runs whatever happened before it.
    document = AsBuiltOperator(task_id="as_built_document").as_teardown()
    (
        [changing[-1], back]
        >> ConcludeOperator(task_id="conclude", trigger_rule="all_done", retries=0)
        >> document
    )


release()
