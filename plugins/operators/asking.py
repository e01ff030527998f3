"""Asking a person, by Airflow's human-in-the-loop: no worker is held, and silence is an answer too."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Context, Param
from airflow.sdk.definitions.param import ParamsDict

from include.release.approval import Approvers, clock
from include.release.texts import plural
from plugins.operators.base import say
from plugins.operators.locking import run_url

WHY = "why"
TRIES = 10
ASK_AGAIN_AFTER = timedelta(seconds=2)


@dataclass(frozen=True)
class Answer:
    """What became of a question. ``chosen`` is empty when there is no answer that counts; ``text`` says who and when, or why not."""

    chosen: str
    text: str
    user: str = ""
    silent: bool = False


class QuestionOperator(HITLOperator):
    """A task that may ask one question and goes on, in ``answered``, with what became of it.

    Args:
        options: what can be answered.
    """

    template_fields: Collection[str] = ()

    def __init__(self, *, options: Sequence[str], **kwargs: Any) -> None:
        super().__init__(subject="?", options=list(options), **kwargs)
        # An answer that comes while Airflow still parks the task (a second or so) is lost: the scheduler takes the
        # task for a lost one. Its next try asks again, which costs nothing but a try.
        self.retries = max(self.retries or 0, TRIES)
        self.retry_delay = ASK_AGAIN_AFTER

    def ask(self, context: Context, subject: str, body: str, who: Approvers, minutes: int) -> NoReturn:
        """Ask these people, in Markdown, and let go of the worker."""
        self.subject, self.body = subject, body
        self.params = ParamsDict({WHY: _why()})
        self.assigned_users = [{"id": name, "name": name} for name in who.names]
        self.response_timeout = timedelta(minutes=minutes)
        say(self, f"{who.text} may answer, within {plural(minutes, 'minute')}.\n{subject}\n\n{body}")
        HITLOperator.execute(self, context)
        raise AssertionError("the task waits for an answer")

    def answer_of(self, event: dict[str, Any], who: Approvers, minutes: int) -> Answer:
        """Judge what came: an answer by somebody who may, or why there is none."""
        if event.get("error_type") == "timeout":
            within = plural(minutes, "minute")
            return Answer("", f"nobody answered within {within} ({who.text} could have)", silent=True)
        if "error" in event:
            return Answer("", f"Airflow could not take the answer: {event['error']}")
        user = (event.get("responded_by_user") or {}).get("name")
        if not who.allows(user):
            return Answer("", f"{user or 'somebody unknown'} answered, who may not; {who.text} may")
        why = " ".join(str((event.get("params_input") or {}).get(WHY) or "").split())
        at = event.get("responded_at")
        when = f" at {clock(at.astimezone(UTC))}" if isinstance(at, datetime) else ""
        chosen = str((event.get("chosen_options") or [""])[0])
        return Answer(chosen, f"{user}{when}{f': {why}' if why else ''}", str(user))


def question_url(context: Context, task_id: str) -> str:
    """The page on which a question is answered; empty when Airflow has no ``api.base_url``."""
    dag_run: Any = context["dag_run"]
    url = run_url(dag_run.dag_id, dag_run.run_id)
    index = getattr(context["ti"], "map_index", -1)
    mapped = f"/mapped/{index}" if isinstance(index, int) and index >= 0 else ""
    return f"{url}/tasks/{task_id}{mapped}/required_actions" if url else ""


def _why() -> Param:
    schema: dict[str, Any] = {
        "type": ["null", "string"],
        "title": "Why",
        "description": "A few words; they go on record.",
    }
    return Param(None, source="task", **schema)
