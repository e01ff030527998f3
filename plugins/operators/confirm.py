"""Confirming what the watch has found, and saving the evidence for it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException
from typing_extensions import override

from include.release.creating import create_once
from include.release.kube import KubeError
from include.restarts.confirming import Verdict
from include.restarts.evidence import evidence, evidence_name, read_logs
from include.restarts.facts import Restart
from include.restarts.looking import look
from include.restarts.redact import redact
from include.restarts.view import View
from plugins.operators.base import say
from plugins.operators.guarding import VERDICT, GuardOperator, Post, fresh_look, verdict_of
from plugins.sensors.restart_watch import found_by

SAVE_SECONDS, SAVE_AGAIN_SECONDS = 10.0, 1.0
"""So long a press waits for its evidence, and so long between two tries."""


class ConfirmOperator(GuardOperator):
    """Lists afresh, decides again by the same rules, asks the upstream when that decides, and looks at the storm brake.

    Everything after it is skipped when there is nothing to do any more.

    Args:
        watched_by: id of the task that watches.
    """

    def __init__(self, *, watched_by: str = "watch", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.watched_by = watched_by

    @override
    def step(self, post: Post, context: Context) -> str:
        """Returns the action."""
        ti: Any = context["ti"]
        watched = found_by(context, self.watched_by)
        if watched:
            say(self, f"The watch says {watched.get('action')}: {watched.get('text')}")
        found = fresh_look(self, post, context)
        verdict = found.verdict
        ti.xcom_push(key=VERDICT, value=verdict.model_dump_json())
        for note in verdict.notes:
            say(self, f"NOTICE: {note}")
        say(self, f"A fresh look says {verdict.action}: {verdict.text}")
        if verdict.action == "wait":
            raise AirflowSkipException("nothing to do any more")
        return verdict.action


class SaveEvidenceOperator(GuardOperator):
    """Saves the evidence before anything is done. What cannot be saved goes into this log, and holds up nothing for long.

    Args:
        confirmed_by: id of the task that confirms.
    """

    def __init__(self, *, confirmed_by: str = "confirm", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.confirmed_by = confirmed_by

    @override
    def step(self, post: Post, context: Context) -> str:
        """Returns the name of the ConfigMap; empty when it could not be saved."""
        verdict = verdict_of(context, self.confirmed_by)
        if verdict is None:
            raise AirflowSkipException(f"{self.confirmed_by} has decided nothing")
        data = {"decision.json": redact(verdict.model_dump_json(indent=1))}
        until = time.monotonic() + SAVE_SECONDS
        while True:
            try:
                return self._save(post, verdict, data)
            except Exception as error:  # (an error of any kind must not keep the button from being pressed)
                if isinstance(error, KubeError) and error.transient and time.monotonic() < until:
                    time.sleep(SAVE_AGAIN_SECONDS)
                    continue
                say(
                    self,
                    f"The evidence CANNOT BE SAVED: {type(error).__name__}: {error}. It follows.",
                    error=True,
                )
                for key, text in data.items():
                    say(self, f"--- {key}\n{text}")
                return ""

    def _save(self, post: Post, verdict: Verdict, data: dict[str, str]) -> str:
        """Collect it into ``data``, and save that."""
        cluster, namespace, name = post.cluster, post.namespace, post.guard.name
        saved = evidence_name(name, post.run)
        if cluster.get("ConfigMap", namespace, saved) is not None:
            say(self, f"ConfigMap {saved} in namespace {namespace} has the evidence already")
            return saved
        view, _ = look(cluster, namespace, post.guard.deployment, datetime.now(UTC), nodes=False)
        manifest = collected(post, verdict, view)
        data.update(manifest["data"])
        for each in newest_first(verdict):
            say(self, f"  {each.at:%H:%M:%S} {each.pod} {each.container}: {each.cause}. {each.evidence}")
        create_once(cluster, manifest, namespace)
        say(self, f"Saved as ConfigMap {saved} in namespace {namespace}: {', '.join(data)}")
        return saved


def newest_first(verdict: Verdict) -> list[Restart]:
    """The restarts that led to a verdict."""
    return sorted(verdict.restarts, key=lambda each: each.at, reverse=True)


def collected(post: Post, verdict: Verdict, view: View) -> dict[str, Any]:
    """The evidence for a verdict: what was looked at, and the logs. Raises KubeError."""
    seen = [(each.pod, each.container) for each in newest_first(verdict) if each.seen]
    logs = read_logs(post.cluster, post.namespace, seen)
    return evidence(post.guard.name, post.namespace, post.run, verdict.model_dump(mode="json"), view, logs)
