"""Presses and re-arms in the history of changes, beside releases and rollbacks: "when was the last change?"."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseOperator, Context

from include.records.models import Change
from include.release.environments import Environment
from include.release.frozen import LABEL_APP
from include.release.kube import Cluster, KubeError
from include.release.telling import Message
from include.restarts.guards import Guard
from include.restarts.messages import Told
from include.restarts.press import PressNote
from include.restarts.view import moment_of
from plugins.hooks.records import RecordsHook
from plugins.operators.guarding import Post
from plugins.operators.locking import run_url


def app_of(cluster: Cluster, namespace: str, deployment: str) -> str:
    """The application that a Deployment belongs to, as a release labels it; else its own name. Raises KubeError."""
    return app_name(cluster.get("Deployment", namespace, deployment), deployment)


def app_name(live: dict[str, Any] | None, deployment: str) -> str:
    """The same of a Deployment that was read."""
    labels = (((live or {}).get("metadata") or {}).get("labels")) or {}
    return str(labels.get(LABEL_APP) or deployment)


def record_press(operator: BaseOperator, post: Post, told: Told, message: Message, context: Context) -> None:
    """Write a press of this run into the history. Never raises."""
    press = told.press or {}
    if message.outcome != "pressed" or press.get("outcome") != "pressed":
        return
    note = PressNote.model_validate(press.get("note") or {})
    details = {"evidence": told.evidence, "replicas": note.replicas}
    # The run began when the guard was armed, which may be weeks ago.
    at = moment_of(note.at) or datetime.now(UTC)
    _record(
        operator,
        post.guard,
        post.place,
        _app(post),
        context,
        kind="press",
        outcome="pressed",
        user="",
        reason=note.reason,
        summary=message.paragraph,
        approved_by=told.approved_by,
        details=details,
        started=at,
        ended=at,
    )


def record_rearm(
    operator: BaseOperator, post: Post, message: Message, user: str, reason: str, context: Context
) -> None:
    """Write a re-arm into the history. Never raises."""
    _record(
        operator,
        post.guard,
        post.place,
        _app(post),
        context,
        kind="re-arm",
        outcome=message.outcome,
        user=user,
        reason=reason,
        summary=message.paragraph,
        details={},
    )


def _app(post: Post) -> str:
    try:
        return app_of(post.cluster, post.namespace, post.guard.deployment)
    except KubeError:
        return post.guard.deployment


def _record(
    operator: BaseOperator, guard: Guard, place: Environment, app: str, context: Context, **values: Any
) -> None:
    dag_run: Any = context["dag_run"]
    now = datetime.now(UTC)
    url = run_url(dag_run.dag_id, dag_run.run_id)
    values["details"] = {**values["details"], "url": url}
    try:
        change = Change(
            run=f"{dag_run.dag_id}/{dag_run.run_id}",
            app=app,
            environment=place.name,
            release=guard.deployment,
            **{"started": getattr(dag_run, "start_date", None) or now, "ended": now, **values},
        )
        RecordsHook(place.records).get_conn().save_change(change)
    except Exception as error:  # (what happened is in the cluster and in this log)
        operator.log.warning("This cannot be written into the history: %s", error)
