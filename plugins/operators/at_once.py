"""The press in the task that wakes up when the watch trips.

From the end of one task to the start of the next Airflow takes its time: a look of the scheduler at this run, which with
many guards is one of many, and a new process. Three of these would be most of the time that a press takes. So the watch
does all three steps at once; the tasks behind it find what is done, check it, and do what could not be done here.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator, Context

from include.release.creating import create_once
from include.restarts.confirming import braked_now
from include.restarts.evidence import evidence_name
from include.restarts.press import press, read_note
from include.restarts.undoers import pause_keda
from plugins.operators.base import say
from plugins.operators.confirm import collected
from plugins.operators.guarding import PRESSED, VERDICT, Post, fresh_look, post_of, press_note


def press_at_once(operator: BaseOperator, guard: str, context: Context) -> None:
    """Confirm, save the evidence and press. Never raises: what fails here is for the tasks behind to do."""
    try:
        post = post_of(guard, context)
        if post.guard.approval or post.guard.dry_run:
            return
        _press(operator, post, context)
    except Exception as error:  # (an error of any kind must not keep the other tasks from trying)
        say(operator, f"Not pressed at once, the tasks after this one try: {type(error).__name__}: {error}")


def _press(operator: BaseOperator, post: Post, context: Context) -> None:
    cluster, namespace, name = post.cluster, post.namespace, post.guard.deployment
    found = fresh_look(operator, post, context)
    verdict, before = found.verdict, read_note(found.view.deployment)
    if before is not None and before.run == post.run:
        say(operator, "This run has pressed before: an earlier try of this task was cut off after it")
        return
    say(operator, f"A fresh look says {verdict.action}: {verdict.text}")
    if verdict.action != "press":
        return
    create_once(cluster, collected(post, verdict, found.view), namespace)
    if why := braked_now(cluster, post.guards, post.meeting, verdict.decided_at):
        say(operator, f"Not pressed at once: {why}")
        return
    pause_keda(cluster, namespace, name, post.run)
    note = press_note(post, verdict, evidence_name(post.guard.name, post.run))
    done = press(cluster, namespace, name, verdict.uid, note, decided_at=verdict.decided_at)
    say(operator, done.text)
    if done.outcome == "pressed":
        # A re-arm can be quicker than the tasks behind: people are told of the press all the same.
        ti: Any = context["ti"]
        ti.xcom_push(key=VERDICT, value=verdict.model_dump_json())
        ti.xcom_push(key=PRESSED, value=done.record)
