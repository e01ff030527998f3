"""Clean the logs up every day: archive what retention no longer keeps live, delete it, and say when space will run out.

By hand this was somebody's work each morning; when he was ill, the volume filled up. This DAG does what
`include/config/log_retention.yaml` allows and never more: when that is not enough, it says how much is missing, what
is largest and which setting would have to change, with the request to Compliance ready to send. `docs/log-cleanup.md`
has the rules.

**Params.** None is needed by the schedule. *Volumes*: only these; none chosen: all. *Dry run*: measure and plan, and
print what a real run then does; nothing is changed. *Reason*: required by hand; goes on record.

| task | what it does | when it fails |
|---|---|---|
| `choose` | reads and checks the configuration, chooses the volumes | nothing was changed; the log names file, line and fix |
| `window` | asks a person first when the schedule starts it outside its window (none configured: from `start` to `finish_by`), as after a pause | nobody answered, or who may not: nothing was changed |
| `clean.measure` | takes the volume for this run, measures its space | nothing was changed; the log says who has the volume, or why the Job does not start |
| `clean.plan` | decides about every file: class, hold, retention, open or not | nothing was changed |
| `clean.approve` | asks a person about more than the configured amount, and the first time of a class or of stricter rules | nobody approved: nothing was changed |
| `clean.archive` | archives what leaves the live logs | nothing was deleted; clear it, it goes on where it was |
| `clean.verify_archive` | reads the written archives back and compares checksums | nothing was deleted; clear `clean.archive` |
| `clean.delete` | deletes, or frees the archived part of an open file | clear it; what is gone is gone, the rest follows |
| `clean.verify_space` | looks whether the space came back, and forecasts | clear it |
| `clean.report` | sums the volume up, gives it back; always runs | the volume was not cleaned up to its end; the log names the step |
| `tell` | tells the configured list of failures and of what Compliance has to decide | the log names who was not told; clear only this task |
| `heartbeat` | sends a sign of life to the monitor outside, when all went well | the monitor misses it and raises its own alarm; clear only this task. Skipped: the log says why it stayed out |

The tasks `clean.*` run once per volume, beside each other: one volume's failure does not stop another, and makes the run red.

**Safe to rerun.** Every task: a step that has finished answers what it answered, one that was killed goes on where it
was. A run keeps the plan that it has made: trigger a new one for a changed configuration (a hold counts at once). A
volume has one clean-up (or restore) at a time: a second one fails and names the first. A rollback of the volume's
application is waited for.

**Who notices that it did not run?** `overdue`, and the outside monitor that waits for `heartbeat`.
"""

from __future__ import annotations

from airflow.sdk import chain, dag, task_group

from include.logs.choosing import offered_volumes
from include.logs.due import times_of
from include.release.loading import Sources
from plugins.log_procedure import daily
from plugins.operators.log_approve import ApproveCleanupOperator
from plugins.operators.log_choose import ChooseVolumesOperator
from plugins.operators.log_ending import HeartbeatOperator, TellCleanupOperator
from plugins.operators.log_report import ReportVolumeOperator
from plugins.operators.log_steps import ChangingStepOperator, StepOperator
from plugins.operators.log_window import AskWindowOperator
from plugins.params import cleanup_params

SOURCES = Sources.from_environment()


@dag(doc_md=__doc__, params=cleanup_params(offered_volumes(SOURCES)), **daily(times_of(SOURCES)))
def log_cleanup() -> None:
    """From what is on each volume to what retention keeps there; and the record of it."""

    @task_group
    def clean(volume: str) -> None:
        """One volume."""
        shared = {"volume": volume, "map_index_template": "{{ task.volume }}"}
        chain(
            StepOperator(task_id="measure", command="measure", **shared),
            StepOperator(task_id="plan", command="plan", **shared),
            ApproveCleanupOperator(task_id="approve", **shared),
            ChangingStepOperator(task_id="archive", command="archive", planned_by="plan", **shared),
            StepOperator(task_id="verify_archive", command="verify", planned_by="plan", **shared),
            ChangingStepOperator(task_id="delete", command="delete", planned_by="plan", **shared),
            StepOperator(task_id="verify_space", command="space", **shared),
            ReportVolumeOperator(task_id="report", trigger_rule="all_done", **shared),
        )

    choose = ChooseVolumesOperator(task_id="choose", retries=0)
    window = AskWindowOperator(task_id="window")
    cleaned = clean.expand(volume=choose.output)
    # The run's state is that of the reports. What comes after them runs whatever happened.
    choose >> window >> cleaned
    cleaned >> [
        TellCleanupOperator(task_id="tell").as_teardown(),
        HeartbeatOperator(task_id="heartbeat").as_teardown(),
    ]


log_cleanup()
