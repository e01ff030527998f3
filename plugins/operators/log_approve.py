"""The approval of a clean-up: more than the configured amount, or a class for the first time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Context
from typing_extensions import override

from include.logs.approving import plan_code, question_body, why_asked
from include.release.approval import Approvers
from plugins.operators.asking import QuestionOperator
from plugins.operators.base import give_up, is_dry_run, say
from plugins.operators.log_people import answer_minutes, request_details, tell_waiting, who_may
from plugins.operators.log_volume import VolumeOperator, step_errors


class ApproveCleanupOperator(VolumeOperator, QuestionOperator):
    """Asks who may approve in the volume's environment. Silence, or a no, leaves the volume as it is."""

    template_fields = ("volume",)

    def __init__(self, *, volume: str, **kwargs: Any) -> None:
        super().__init__(volume=volume, options=[ApprovalOperator.APPROVE, ApprovalOperator.REJECT], **kwargs)

    @override
    def execute(self, context: Context) -> dict[str, Any]:
        """Returns that no approval is needed; otherwise asks, and the answer resumes the task."""
        with step_errors(self):
            placed = self.placed()
            plan = self._plan(context)
            reasons = why_asked(placed.volume, plan)
            if not reasons:
                say(self, f"{placed.name}: nobody has to approve this")
                return {"required": False, "code": plan_code(plan)}
            who, minutes = self._who(context), answer_minutes([self.volume])
            subject = f"Clean up {placed.name} ({placed.volume.title})?"
            body = question_body(placed, plan, reasons, request_details(context), minutes, datetime.now(UTC))
            if is_dry_run(context) or placed.volume.dry_run:
                say(self, f"Dry run: {who.text} would be asked:\n{subject}\n\n{body}")
                return {"required": True, "code": plan_code(plan), "dry_run": True}
            tell_waiting(self, placed.retention, subject, body, who, minutes, context)
            return self.ask(context, subject, body, who, minutes)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Judge the answer. What was planned cannot change meanwhile: it is a file of this run on the volume."""
        with step_errors(self):
            answer = self.answer_of(event, self._who(context), answer_minutes([self.volume]))
            if answer.chosen == ApprovalOperator.APPROVE:
                code = plan_code(self._plan(context))
                say(self, f"Approved by {answer.text} (plan {code})")
                return {"required": True, "by": answer.user, "text": answer.text, "code": code}
            said = f"{answer.text} rejected it" if answer.chosen else answer.text
            raise give_up(
                self,
                f"NOT APPROVED: {said}. {self.volume} stays as it is.\n"
                "What now: trigger log_cleanup for this volume when somebody can approve it; what is held or kept longer is "
                "configured in include/config/log_retention.yaml.",
                reason=f"not approved: {said}",
                kind="refused",
            )

    def _plan(self, context: Context) -> dict[str, Any]:
        found = self.answer(context, "plan")
        if found is None:
            raise give_up(self, "The task plan handed nothing on; clear it first")
        return found.facts

    def _who(self, context: Context) -> Approvers:
        return who_may([self.volume], triggered_by=getattr(context["dag_run"], "triggering_user_name", None))
