"""Bring archived logs back: one file, files that match a pattern, or what was archived of a day.

For whoever needs lines that retention has taken off the live volume: Compliance, or on-call after an incident. A file
that is there is never written over. What is restored without *To* stays until somebody removes it (`.log-cleanup/restored/`
of the volume); elsewhere it is kept as `include/config/log_retention.yaml` says for its new path, counted from the day of
the restore, and as long as its first path is held.

**Params.** *Volume*: one of the configuration. *Files*: paths below the volume's root or patterns (`app.log`,
`web/**/*.log`), one a line. *Day*: only what may have lines of it (`2026-11-21`, in the time zone of the file): files changed
last on that day, and of each log the next one after it. *To*: directory below the volume's root; empty: a directory of this
run's own, named in the log. *Dry run*: show what would come back. *Reason*: goes on record.

| task | what it does | when it fails |
|---|---|---|
| `check` | is the request right, and may this user? | nothing was changed; the log says what is wrong |
| `restore` | takes the volume for this run and writes the files, each compared with its checksum; the volume's floor stays free | clear it: what is back is not written again; the log names files that are in the way, and damaged archives |
| `release` | gives the volume back; always runs | clear it; the next run takes the volume over, too |
| `tell` | tells the configured list | the log names who was not told; clear only this task |

**Safe to rerun.** Every task. A volume has one restore or clean-up at a time: the second fails and names the first.
"""

from __future__ import annotations

from airflow.sdk import chain, dag

from include.logs.choosing import offered_volumes
from include.release.loading import Sources
from plugins.log_procedure import LOGS
from plugins.operators.log_ending import TellRestoreOperator
from plugins.operators.log_restore import CheckRestoreOperator, ReleaseVolumeOperator, RestoreOperator
from plugins.params import restore_params

VOLUME = "{{ params.volume }}"


@dag(
    doc_md=__doc__, params=restore_params(offered_volumes(Sources.from_environment())), schedule=None, **LOGS
)
def log_restore() -> None:
    """From archives back to files."""
    chain(
        CheckRestoreOperator(task_id="check", volume=VOLUME, retries=0),
        RestoreOperator(task_id="restore", volume=VOLUME),
        ReleaseVolumeOperator(task_id="release", volume=VOLUME).as_teardown(),
        TellRestoreOperator(task_id="tell", volume=VOLUME).as_teardown(),
    )


log_restore()
