"""A clean-up that starts late, after a pause or when Airflow was down, asks a person before it works in the day."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException
from typing_extensions import override

from include.logs.choosing import right_retention
from include.logs.retention import LogRetention
from include.release.loading import Sources
from include.release.texts import moment
from include.release.windows import in_words, is_open, next_open
from plugins.operators.asking import QuestionOperator
from plugins.operators.base import by_hand, give_up, is_dry_run, readable_errors, say
from plugins.operators.locking import requested_at
from plugins.operators.log_people import answer_minutes, tell_waiting, who_may

NOW, LEAVE = "Clean up now", "Leave it for the next run"


class AskWindowOperator(QuestionOperator):
    """Asks when the schedule starts a run outside the window; a run by hand and a dry run need no window.

    Without an answer it ends without harm, and fails, so that it is told.

    Args:
        chosen_by: id of the task that chose the volumes.
    """

    ui_color = "#e8f0e4"

    def __init__(self, *, chosen_by: str = "choose", **kwargs: Any) -> None:
        super().__init__(options=[NOW, LEAVE], **kwargs)
        self.chosen_by = chosen_by

    @override
    def execute(self, context: Context) -> str:
        """Returns why nobody had to be asked."""
        with readable_errors(self):
            retention = right_retention(Sources.from_environment())
            now = datetime.now(UTC)
            if by_hand(context) or is_dry_run(context):
                why = "a dry run" if is_dry_run(context) else "asked for by hand"
                say(self, f"No question: this run is {why}")
                return why
            if is_open(retention.change_window, now):
                say(self, f"Inside the window: {in_words(retention.change_window)}")
                return "inside the window"
            volumes = self._volumes(context)
            who, minutes = who_may(volumes), answer_minutes(volumes)
            subject = f"Clean the logs up outside the window ({', '.join(volumes)})?"
            body = self._body(retention, context, now, volumes)
            tell_waiting(self, retention, subject, body, who, minutes, context)
            return self.ask(context, subject, body, who, minutes)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> str:
        """Judge the answer."""
        with readable_errors(self):
            volumes = self._volumes(context)
            answer = self.answer_of(event, who_may(volumes), answer_minutes(volumes))
            if answer.chosen == NOW:
                say(self, f"Goes on outside the window: {answer.text}")
                return answer.text
            if answer.chosen == LEAVE:
                say(self, f"Left for the next run: {answer.text}. Nothing has been changed.")
                raise AirflowSkipException(f"left for the next run: {answer.text}")
            raise give_up(
                self,
                f"NOT CLEANED UP: {answer.text}. Nothing has been changed.\n"
                "What now: trigger log_cleanup by hand, which needs no window, or wait for the next run.",
                reason=f"it started outside the window, and {answer.text}",
                kind="refused",
            )

    def _volumes(self, context: Context) -> list[str]:
        return list(context["ti"].xcom_pull(task_ids=self.chosen_by) or [])

    def _body(self, retention: LogRetention, context: Context, now: datetime, volumes: list[str]) -> str:
        opens = next_open(retention.change_window, now)
        due = requested_at(context)
        return "\n".join(
            [
                f"The clean-up was due at **{moment(due)}** and starts only now, **{moment(now.isoformat())}**: Airflow "
                "was down or the DAG was paused.",
                "",
                f"- **Volumes:** {', '.join(volumes)}",
                f"- **Window:** {in_words(retention.change_window)}",
                f"- **Opens next:** {moment(opens.isoformat()) if opens else 'never'}",
                "",
                "It reads and compresses what leaves the live logs beside whoever works on these volumes now. Without an "
                "answer nothing is changed.",
            ]
        )
