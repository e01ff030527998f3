"""Waits in the triggerer until a rollout is complete or has failed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from include.release.environments import RolloutPolicy
from include.release.following import Follower
from include.release.kube import KubeError
from plugins.hooks.cluster import ClusterHook


class RolloutTrigger(BaseTrigger):
    """Watches the Deployments of a release.

    Its state is in the cluster only: a triggerer that starts again goes on where the rollout is.

    Args:
        connection: Airflow connection of the cluster.
        namespace: namespace of the Deployments.
        app: app label of the release.
        names: the Deployments.
        title: how texts name the release.
        policy: fields of ``RolloutPolicy``.
        what_now: what on-call does when it fails; by default what holds for a release; empty when the task says it.
    """

    def __init__(
        self,
        *,
        connection: str,
        namespace: str,
        app: str,
        names: list[str],
        title: str,
        policy: dict[str, Any],
        what_now: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.connection, self.namespace, self.app = connection, namespace, app
        self.names, self.title, self.policy = names, title, policy
        self.what_now = what_now

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments."""
        fields = ("connection", "namespace", "app", "names", "title", "policy", "what_now")
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            name: getattr(self, name) for name in fields
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: complete or not, with the text for on-call."""
        # The connection is closed before the event goes out: whoever takes it may not come back for more.
        found = await self._follow()
        yield TriggerEvent(found)  # type: ignore[no-untyped-call]

    async def _follow(self) -> dict[str, Any]:
        policy = RolloutPolicy(**self.policy)
        try:
            async with ClusterHook(self.connection).get_async_conn() as cluster:
                follower = Follower(
                    cluster,
                    self.namespace,
                    self.app,
                    self.names,
                    self.title,
                    policy,
                    self._say,
                    self.what_now,
                )
                return asdict(await follower.follow())
        except KubeError as error:
            return {"complete": False, "text": f"The cluster does not answer: {error}", "lost": True}

    def _say(self, line: str) -> None:
        self.log.info("%s", line)
