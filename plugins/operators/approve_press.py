"""Asking a person before the button is pressed, where the guard is configured so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.sdk import Context, Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowSkipException
from typing_extensions import override

from include.release.approval import approvers, clock
from include.release.telling import WAITS, Message
from include.release.texts import plural
from include.restarts.confirming import Verdict
from include.restarts.messages import evidence_text, restarts_text, sentence
from plugins.notifiers.telling import tell_all
from plugins.operators.base import say
from plugins.operators.guarding import GuardOperator, Post, guard_errors, post_of, verdict_of
from plugins.operators.locking import run_url

WHY = "why"
REFUSED, APPROVED, APPROVED_AT = "refused", "approved", "approved_at"
"""XComs: why it was not approved; by whom it was, and when."""
TRIES = 10
ASK_AGAIN_AFTER = timedelta(seconds=2)


class ApprovePressOperator(GuardOperator, HITLOperator):
    """Asks who may approve in the guard's environment, by Airflow's human-in-the-loop. Silence does not press.

    What is not approved is skipped, with all that comes after it, and held back for the guard's cooldown.

    Args:
        confirmed_by: id of the task that confirms.
        saved_by: id of the task that saves the evidence.
    """

    template_fields = ()

    def __init__(
        self, *, guard: str, confirmed_by: str = "confirm", saved_by: str = "save_evidence", **kwargs: Any
    ) -> None:
        options = [ApprovalOperator.APPROVE, ApprovalOperator.REJECT]
        super().__init__(guard=guard, subject="Press the red button?", options=options, **kwargs)
        self.confirmed_by, self.saved_by = confirmed_by, saved_by
        # An answer that comes while Airflow still parks the task is lost; the next try asks again.
        self.retries = max(self.retries or 0, TRIES)
        self.retry_delay = ASK_AGAIN_AFTER

    @override
    def step(self, post: Post, context: Context) -> Any:
        """Ask, and let go of the worker."""
        verdict = verdict_of(context, self.confirmed_by)
        if verdict is None or verdict.action != "press":
            raise AirflowSkipException("nothing to press")
        who = approvers(post.place, None)
        guard = post.guard
        self.subject = f"Press the red button of {guard.deployment} in {post.namespace}?"
        self.body = self._body(post, verdict, str(context["ti"].xcom_pull(task_ids=self.saved_by) or ""))
        self.params = ParamsDict({WHY: _why()})
        self.assigned_users = [{"id": name, "name": name} for name in who.names]
        self.response_timeout = timedelta(minutes=guard.answer_within_minutes)
        if guard.dry_run:
            say(self, f"Dry run: {who.text} would be asked:\n{self.subject}\n\n{self.body}")
            return None
        say(self, f"{who.text} may answer.\n{self.subject}\n\n{self.body}")
        self._tell(post, verdict, who.text, context)
        return HITLOperator.execute(self, context)

    def _tell(self, post: Post, verdict: Verdict, who: str, context: Context) -> None:
        """Page those who can answer. A channel that cannot be told is in the log; the question is asked all the same."""
        guard, dag_run = post.guard, context["dag_run"]
        minutes = plural(guard.answer_within_minutes, "minute")
        message = Message(
            WAITS,
            f"press of {guard.deployment} in {post.namespace} (guard {guard.name})",
            f"{sentence(verdict.text)} {who} may answer, within {minutes}; without an answer it is not pressed.",
            {
                "Protects": guard.title,
                "Environment": post.place.name,
                "Why": evidence_text(verdict.restarts),
                "Run": post.run,
            },
            {"Answer in Airflow": run_url(dag_run.dag_id, dag_run.run_id)},
        )
        listed = post.place if guard.tell is None else post.place.model_copy(update={"tell": guard.tell})
        found = tell_all(self, message, listed, context)
        if found["failed"]:
            say(self, f"NOT TOLD: {'; '.join(found['failed'])}", error=True)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> str:
        """Judge the answer."""
        with guard_errors(self):
            post = post_of(self.guard, context)
            who = approvers(post.place, None)
            if event.get("error_type") == "timeout":
                minutes = plural(post.guard.answer_within_minutes, "minute")
                self._refuse(context, f"nobody answered within {minutes} ({who.text} could have)")
            if "error" in event:
                self._refuse(context, f"Airflow could not take the answer: {event['error']}")
            user = (event.get("responded_by_user") or {}).get("name")
            why = " ".join(str((event.get("params_input") or {}).get(WHY) or "").split())
            chosen = (event.get("chosen_options") or [""])[0]
            at = event.get("responded_at")
            when = f" at {clock(at.astimezone(UTC))}" if isinstance(at, datetime) else ""
            said = f": {why}" if why else ""
            if not who.allows(user):
                self._refuse(context, f"{user or 'somebody unknown'} answered, who may not; {who.text} may")
            if chosen != ApprovalOperator.APPROVE:
                self._refuse(context, f"{user} rejected it{when}{said}")
            text = f"{user}{when}{said}"
            context["ti"].xcom_push(key=APPROVED, value=text)
            if isinstance(at, datetime):
                context["ti"].xcom_push(key=APPROVED_AT, value=at.isoformat())
            say(self, f"Approved by {text}")
            return text

    def _refuse(self, context: Context, why: str) -> NoReturn:
        context["ti"].xcom_push(key=REFUSED, value=why)
        say(self, f"NOT APPROVED: {why}. The button is not pressed.", error=True)
        raise AirflowSkipException(f"not approved: {why}")

    def _body(self, post: Post, verdict: Verdict, evidence: str) -> str:
        guard = post.guard
        rows = {
            "Protects": guard.title,
            "Environment": post.place.name,
            "What happens": f"{guard.deployment} in namespace {post.namespace} is scaled to zero"
            + (", and payments are held" if guard.payments else ""),
            "Why": verdict.text,
            "Restarts": restarts_text(guard, verdict),
            "Evidence": evidence_text(verdict.restarts),
            "Kept as": f"ConfigMap {evidence}" if evidence else "",
        }
        lines = [f"- **{name}:** {text}" for name, text in rows.items() if text]
        minutes = plural(guard.answer_within_minutes, "minute")
        return "\n".join([*lines, "", f"Without an answer within {minutes} it is not pressed."])


def _why() -> Param:
    schema: dict[str, Any] = {
        "type": ["null", "string"],
        "title": "Why",
        "description": "A few words; they go on record.",
    }
    return Param(None, source="task", **schema)
