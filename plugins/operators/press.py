"""Pressing the button."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException
from typing_extensions import override

from include.release.kube import KubeError
from include.restarts.confirming import Verdict, braked_now, note_alert
from include.restarts.decision import HELD
from include.restarts.press import Pressed, PressNote, press, read_note, undone
from include.restarts.undoers import name_undoers, pause_keda, resume_keda
from plugins.operators.base import say
from plugins.operators.guarding import GuardOperator, Post, verdict_of

PRESSED = "pressed"
"""XCom with what became of the press."""


class PressOperator(GuardOperator):
    """Scales the Deployment to zero. Pressing twice is pressing once.

    Args:
        confirmed_by: id of the task that confirms.
        saved_by: id of the task that saves the evidence.
        approved_by: id of the task that asks for an approval; empty where nobody is asked.
    """

    ui_color = "#e07a6e"

    def __init__(
        self,
        *,
        confirmed_by: str = "confirm",
        saved_by: str = "save_evidence",
        approved_by: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.confirmed_by, self.saved_by, self.approved_by = confirmed_by, saved_by, approved_by

    @override
    def step(self, post: Post, context: Context) -> dict[str, Any]:
        """Returns outcome, text, what to look out for, and the note that was written."""
        ti: Any = context["ti"]
        verdict = verdict_of(context, self.confirmed_by)
        if verdict is None or verdict.action != "press":
            raise AirflowSkipException("nothing to press")
        if not self.approved_by and (why := self._brake(post, verdict)):
            ti.xcom_push(key=PRESSED, value={"outcome": "braked", "text": why, "lines": []})
            say(self, f"NOT PRESSED: {why}", error=True)
            raise AirflowSkipException("held back by the storm brake")
        note = PressNote(
            run=post.run,
            by=post.guard.name,
            cause=verdict.cause,
            restarts=len(verdict.restarts),
            evidence=str(ti.xcom_pull(task_ids=self.saved_by) or ""),
            reason=verdict.text,
        )
        result = self._press(post, verdict, note)
        ti.xcom_push(key=PRESSED, value=result)
        if result["outcome"] not in ("pressed", "already"):
            raise AirflowSkipException(result["text"])
        if post.guard.dry_run:
            note_alert(post.cluster, post.guard, post.namespace, HELD, datetime.now(UTC))
        return result

    def _brake(self, post: Post, verdict: Verdict) -> str:
        """Guards that have tripped since this one confirmed. A press that began earlier is not undone by them."""
        live = post.cluster.get("Deployment", post.namespace, post.guard.deployment)
        if live is None or read_note(live) is not None or live["metadata"].get("uid") != verdict.uid:
            return ""
        why = braked_now(post.cluster, post.guards, post.meeting, datetime.now(UTC))
        if why:
            note_alert(post.cluster, post.guard, post.namespace, HELD, datetime.now(UTC))
        return why

    def _press(self, post: Post, verdict: Verdict, note: PressNote) -> dict[str, Any]:
        cluster, namespace, name, dry = (
            post.cluster,
            post.namespace,
            post.guard.deployment,
            post.guard.dry_run,
        )
        lines = pause_keda(cluster, namespace, name, post.run, dry_run=dry).lines
        done = press(cluster, namespace, name, verdict.uid, note, dry_run=dry)
        say(self, done.text if done.outcome in ("pressed", "already") else f"NOT PRESSED: {done.text}")
        if done.outcome in ("pressed", "already") and not dry:
            lines += pause_keda(cluster, namespace, name, post.run, at_zero=True).lines
            lines += self._verify(post)
        elif not dry:
            lines = resume_keda(cluster, namespace, name)
        lines += self._undoers(post, done)
        for line in lines:
            say(self, f"NOTICE: {line}")
        if verdict.crossed_at and done.note and done.outcome == "pressed" and not dry and not done.again:
            seconds = (datetime.fromisoformat(done.note.at) - verdict.crossed_at).total_seconds()
            say(self, f"{seconds:.1f} s after the restart that crossed the threshold")
        return {
            "outcome": done.outcome,
            "text": done.text,
            "lines": lines,
            "again": done.again,
            "note": done.note.model_dump(mode="json") if done.note else None,
        }

    def _verify(self, post: Post) -> list[str]:
        """Look again: is it at zero, with the note? Returns what is odd."""
        live = post.cluster.get("Deployment", post.namespace, post.guard.deployment)
        odd = undone(live)
        if not odd:
            say(self, "Read back: spec.replicas is 0, and the note of the press is there")
        return [odd] if odd else []

    def _undoers(self, post: Post, done: Pressed) -> list[str]:
        if not done.deployment:
            return []
        try:
            return name_undoers(post.cluster, post.namespace, done.deployment)
        except KubeError as error:
            return [f"who else scales it could not be looked up: {error}"]
