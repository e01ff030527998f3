"""The press in the task that wakes up when the watch trips.

From the end of one task to the start of the next Airflow takes its time: a look of the scheduler at this run, which with
many guards is one of many, and a new process. Three of these would be most of the time that a press takes. So the watch
does all three steps at once; the tasks behind it find what is done, check it, and do what could not be done here.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator, Context

from include.restarts.confirming import braked_now, confirm
from include.restarts.evidence import evidence, evidence_name, read_logs, save
from include.restarts.press import PressNote, press, read_note
from include.restarts.undoers import pause_keda
from plugins.operators.base import asked_by, say
from plugins.operators.guarding import Post, post_of


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
    found = confirm(
        cluster,
        post.guard,
        post.place,
        post.guards,
        post.meeting,
        post.run,
        asked_by=asked_by(context),
        say=lambda line: say(operator, line),
    )
    verdict, before = found.verdict, read_note(found.view.deployment)
    if before is not None and before.run == post.run:
        say(operator, "This run has pressed before: an earlier try of this task was cut off after it")
        return
    say(operator, f"A fresh look says {verdict.action}: {verdict.text}")
    if verdict.action != "press":
        return
    newest = sorted(verdict.restarts, key=lambda each: each.at, reverse=True)
    logs = read_logs(cluster, namespace, [(each.pod, each.container) for each in newest if each.seen])
    decision: dict[str, Any] = verdict.model_dump(mode="json")
    manifest = evidence(post.guard.name, namespace, post.run, decision, found.view, logs)
    save(cluster, namespace, manifest)
    if why := braked_now(cluster, post.guards, post.meeting, verdict.decided_at):
        say(operator, f"Not pressed at once: {why}")
        return
    pause_keda(cluster, namespace, name, post.run)
    note = PressNote(
        run=post.run,
        by=post.guard.name,
        cause=verdict.cause,
        restarts=len(verdict.restarts),
        evidence=evidence_name(post.guard.name, post.run),
        reason=verdict.text,
    )
    done = press(cluster, namespace, name, verdict.uid, note, decided_at=verdict.decided_at)
    say(operator, done.text)
