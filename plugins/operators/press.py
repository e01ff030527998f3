"""Pressing the button."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException
from typing_extensions import override

from include.release.kube import KubeError
from include.release.texts import moment
from include.restarts.confirming import Verdict, braked_now
from include.restarts.press import Pressed, PressNote, press, read_note, undone
from include.restarts.undoers import name_undoers, pause_keda, resume_keda
from plugins.operators.approve_press import APPROVED_AT
from plugins.operators.base import say
from plugins.operators.guarding import (
    PRESSED,
    VERDICT,
    GuardOperator,
    Post,
    fresh_look,
    press_note,
    verdict_of,
)

FRESH = timedelta(seconds=60)
"""A verdict older than this is made again: the DAG was paused, the cluster away, or the task of an old run was cleared."""


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
        approved_at = self._approved_at(context)
        if abs(datetime.now(UTC) - max(verdict.decided_at, approved_at or verdict.decided_at)) > FRESH:
            verdict = self._decided_again(post, verdict, approved_at, context)
        elif not self.approved_by and (why := self._brake(post, verdict)):
            self._hold_back(context, "braked", why)
        note = press_note(post, verdict, str(ti.xcom_pull(task_ids=self.saved_by) or ""))
        result = self._press(post, verdict, note, context)
        if result["outcome"] not in ("pressed", "already"):
            raise AirflowSkipException(result["text"])
        return result

    def _approved_at(self, context: Context) -> datetime | None:
        text = (
            context["ti"].xcom_pull(task_ids=self.approved_by, key=APPROVED_AT) if self.approved_by else None
        )
        return datetime.fromisoformat(text) if text else None

    def _decided_again(
        self, post: Post, verdict: Verdict, approved_at: datetime | None, context: Context
    ) -> Verdict:
        """The verdict of a new look. What is pressed already, or replaced, is for the press itself to say."""
        live = post.cluster.get("Deployment", post.namespace, post.guard.deployment)
        if live is None or read_note(live) is not None or live["metadata"].get("uid") != verdict.uid:
            return verdict
        ti: Any = context["ti"]
        due = moment(verdict.decided_at.isoformat())
        answered = timedelta(minutes=post.guard.answer_within_minutes)
        if approved_at is not None and datetime.now(UTC) - approved_at > answered:
            when = moment(approved_at.isoformat())
            self._hold_back(
                context, "outdated", f"it was approved at {when}, which is too long ago: ask again"
            )
        say(self, f"The verdict is of {due}, which is too long ago: decided again")
        found = fresh_look(self, post, context, again=f"/press/{ti.try_number}").verdict
        ti.xcom_push(key=VERDICT, value=found.model_dump_json())
        say(self, f"A fresh look says {found.action}: {found.text}")
        if found.action == "braked":
            self._hold_back(context, "braked", found.text)
        if found.action != "press":
            self._hold_back(context, "outdated", f"it was due at {due}, and is not any more")
        return found

    def _hold_back(self, context: Context, outcome: str, why: str) -> NoReturn:
        context["ti"].xcom_push(key=PRESSED, value={"outcome": outcome, "text": why, "lines": []})
        say(self, f"NOT PRESSED: {why}", error=True)
        raise AirflowSkipException(f"held back: {why}")

    def _brake(self, post: Post, verdict: Verdict) -> str:
        """Guards that have tripped since this one confirmed. A press that began earlier is not undone by them."""
        live = post.cluster.get("Deployment", post.namespace, post.guard.deployment)
        if live is None or read_note(live) is not None or live["metadata"].get("uid") != verdict.uid:
            return ""
        return braked_now(post.cluster, post.guards, post.meeting, datetime.now(UTC))

    def _press(self, post: Post, verdict: Verdict, note: PressNote, context: Context) -> dict[str, Any]:
        cluster, namespace, name, dry = (
            post.cluster,
            post.namespace,
            post.guard.deployment,
            post.guard.dry_run,
        )
        lines = pause_keda(cluster, namespace, name, post.run, dry_run=dry).lines
        done = press(cluster, namespace, name, verdict.uid, note, decided_at=verdict.decided_at, dry_run=dry)
        result = done.record
        # Before anything else can go wrong: people are told what is.
        context["ti"].xcom_push(key=PRESSED, value=result)
        say(self, done.text if done.outcome in ("pressed", "already") else f"NOT PRESSED: {done.text}")
        if done.outcome in ("pressed", "already") and not dry:
            lines += pause_keda(cluster, namespace, name, post.run, at_zero=True).lines
            lines += self._verify(post)
        elif not dry and read_note(done.deployment) is None:
            # Not when another run has pressed what is there now: the pause is part of its press.
            lines = self._resume(post)
        lines = list(dict.fromkeys([*lines, *self._undoers(post, done)]))
        for line in lines:
            say(self, f"NOTICE: {line}")
        if verdict.crossed_at and done.note and done.outcome == "pressed" and not dry and not done.again:
            seconds = (datetime.fromisoformat(done.note.at) - verdict.crossed_at).total_seconds()
            say(self, f"{seconds:.1f} s after the restart that crossed the threshold")
        result["lines"] = lines
        context["ti"].xcom_push(key=PRESSED, value=result)
        return result

    def _verify(self, post: Post) -> list[str]:
        """Look again: is it at zero, with the note? Returns what is odd."""
        try:
            odd = undone(post.cluster.get("Deployment", post.namespace, post.guard.deployment))
        except KubeError as error:
            odd = f"It could not be read back: {error}."
        if not odd:
            say(self, "Read back: spec.replicas is 0, and the note of the press is there")
        return [odd] if odd else []

    def _resume(self, post: Post) -> list[str]:
        try:
            return resume_keda(post.cluster, post.namespace, post.guard.deployment)
        except KubeError as error:
            return [f"KEDA's pause cannot be taken off: {error}"]

    def _undoers(self, post: Post, done: Pressed) -> list[str]:
        if not done.deployment:
            return []
        try:
            return name_undoers(post.cluster, post.namespace, done.deployment)
        except KubeError as error:
            return [f"who else scales it could not be looked up: {error}"]
