"""Bringing archived logs back: the request checked, the step run, the volume given back."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException
from typing_extensions import override

from include.logs.approving import may_start
from include.logs.wishing import in_words, restore_wish
from include.release.asking import REASON, wrong_request
from include.release.problems import RejectedError
from plugins.operators.base import is_dry_run, say
from plugins.operators.log_steps import ChangingStepOperator, StepOperator
from plugins.operators.log_volume import HELD, VolumeOperator, step_errors


class CheckRestoreOperator(VolumeOperator):
    """Refuses a request that is not right, and who may not change the volume's environment."""

    @override
    def execute(self, context: Context) -> dict[str, Any]:
        """Returns what is asked back, as the program takes it."""
        with step_errors(self):
            params, dag_run = context["params"], context["dag_run"]
            conf = getattr(dag_run, "conf", None) or {}
            if problems := wrong_request(conf, str(params.get(REASON) or ""), list(context["dag"].params)):
                raise RejectedError(problems, subject="the params")
            placed = self.placed()
            wish = restore_wish(params, placed.retention.time_zone)
            if refused := may_start(placed, getattr(dag_run, "triggering_user_name", None)):
                raise RejectedError([refused], subject="the request")
            to = wish.get("to") or "a directory of this run's own"
            asked = in_words(params, placed.retention.time_zone)
            say(self, f"To be restored from {placed.name} ({placed.place}): {asked}. Where to: {to}")
            return wish


class RestoreOperator(ChangingStepOperator):
    """Runs the program's ``restore``. It changes no live log, so it waits for a rollback but needs no approval.

    Args:
        checked_by: id of the task that checked the request.
    """

    def __init__(self, *, checked_by: str = "check", **kwargs: Any) -> None:
        super().__init__(command="restore", approved_by="", **kwargs)
        self.checked_by = checked_by

    @override
    def restore(self, context: Context) -> dict[str, Any]:
        found: dict[str, Any] = self.handed_on(context, self.checked_by)
        return found


class ReleaseVolumeOperator(StepOperator):
    """Gives the volume back, whatever became of the restore."""

    def __init__(self, *, restored_by: str = "restore", **kwargs: Any) -> None:
        super().__init__(command="release", **kwargs)
        self.restored_by = restored_by

    @override
    def execute(self, context: Context) -> dict[str, Any]:
        begun = self.states(context).get(self.restored_by) in ("success", "failed")
        if not begun or is_dry_run(context) or self.handed_on(context, self.restored_by, HELD):
            say(self, f"{self.volume} was not taken by this run: nothing to give back")
            raise AirflowSkipException("nothing to give back")
        return super().execute(context)
