"""The rollout check: waits, without holding a worker, until the rollout is complete or has failed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from typing_extensions import override

from include.release.frozen import Frozen
from include.release.kube import Cluster
from include.release.rollout import judge
from include.release.texts import table
from plugins.operators.base import ReleaseOperator, give_up, say
from plugins.triggers.rollout import RolloutTrigger


class RolloutCheckOperator(ReleaseOperator):
    """Judges the rollout as ``kubectl rollout status`` does, and says why one does not get on."""

    @override
    def step(self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool) -> Any:
        """Defers, unless there is nothing to wait for."""
        if dry_run:
            say(self, "Dry run: nothing was applied, so there is no rollout to wait for")
            raise AirflowSkipException("dry run")
        namespace = frozen.environment.namespace
        names = [each["metadata"]["name"] for each in frozen.deployments()]
        verdicts = [judge(cluster.get("Deployment", namespace, name), name) for name in names]
        for verdict in verdicts:
            say(self, verdict.text)
        if all(verdict.phase == "complete" for verdict in verdicts):
            say(self, f"Rolled out: {frozen.title}")
            return [{"deployment": name} for name in names]
        self.wait_for(frozen, names, frozen.title)
        return None

    def wait_for(self, frozen: Frozen, names: list[str], title: str) -> None:
        """Hand the wait for these Deployments to the triggerer, which calls ``resume``."""
        policy = frozen.environment.rollout
        self.defer(
            trigger=RolloutTrigger(
                connection=frozen.environment.connection,
                namespace=frozen.environment.namespace,
                app=frozen.release.app,
                names=names,
                title=title,
                policy=policy.model_dump(),
            ),
            method_name="resume",
            timeout=timedelta(seconds=policy.timeout_seconds + 300),
        )

    def resume(self, _context: Context, event: dict[str, Any]) -> list[dict[str, Any]]:
        """What the trigger found."""
        if event.get("complete"):
            say(self, event["text"])
            rows = event.get("rows") or []
            say(self, table(("deployment", "revision", "pods"), [tuple(row.values()) for row in rows]))
            return list(rows)
        if event.get("lost"):
            say(self, event["text"], error=True)
            raise AirflowException(event["text"])
        raise give_up(self, event["text"], kind="trouble" if event.get("around") else "failed")
