"""The kept state of a watch: its ledger, in a ConfigMap beside the Deployment.

Written only over the revision that was read: of two triggerers that for a moment run the same watch, and a task that
confirms, none undoes what another has noted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from include.release.frozen import MANAGED_BY
from include.release.kube import Cluster, KubeError
from include.release.kube_async import AsyncCluster
from include.restarts.ledger import Ledger

KEY = "ledger"


def ledger_name(watch: str) -> str:
    """Name of the ConfigMap that keeps a watch's ledger."""
    return f"restarts-{watch}"


@dataclass
class Kept:
    """A ledger as it was read.

    Args:
        ledger: what was kept; an empty one when nothing was.
        revision: resourceVersion of the ConfigMap; empty when there is none yet.
    """

    ledger: Ledger
    revision: str = ""


class Conflict(Exception):  # noqa: N818 - no error: somebody else was faster
    """Somebody else has written the ledger since it was read: read it again, and look again."""


class Keeper:
    """Reads and writes the ledger of one watch, in a task.

    Args:
        cluster: where it is.
        namespace: the Deployment's.
        watch: name of the watch.
        window_minutes: the watch's window.
    """

    def __init__(self, cluster: Cluster, namespace: str, watch: str, window_minutes: float) -> None:
        self._cluster, self._namespace, self._watch = cluster, namespace, watch
        self._window = window_minutes

    def read(self) -> Kept:
        """What is kept. Raises KubeError."""
        found = self._cluster.get("ConfigMap", self._namespace, ledger_name(self._watch))
        return kept_in(found, self._window)

    def write(self, kept: Kept) -> None:
        """Keep it. Raises Conflict, KubeError."""
        manifest = manifest_of(self._watch, self._namespace, kept)
        with _Conflicts():
            if kept.revision:
                answer = self._cluster.replace(manifest, self._namespace)
            else:
                answer = self._cluster.create(manifest, self._namespace)
            kept.revision = _revision(answer.object)


class AsyncKeeper:
    """The same in a trigger."""

    def __init__(self, cluster: AsyncCluster, namespace: str, watch: str, window_minutes: float) -> None:
        self._cluster, self._namespace, self._watch = cluster, namespace, watch
        self._window = window_minutes

    async def read(self) -> Kept:
        """What is kept. Raises KubeError."""
        found = await self._cluster.get("ConfigMap", self._namespace, ledger_name(self._watch))
        return kept_in(found, self._window)

    async def write(self, kept: Kept) -> None:
        """Keep it. Raises Conflict, KubeError."""
        manifest = manifest_of(self._watch, self._namespace, kept)
        with _Conflicts():
            write = self._cluster.replace if kept.revision else self._cluster.create
            kept.revision = _revision(await write(manifest, self._namespace))


def kept_in(config_map: dict[str, Any] | None, window_minutes: float) -> Kept:
    """The ledger in a ConfigMap; an empty one when there is none."""
    text = ((config_map or {}).get("data") or {}).get(KEY)
    return Kept(Ledger.from_json(text, window_minutes), _revision(config_map or {}))


def manifest_of(watch: str, namespace: str, kept: Kept) -> dict[str, Any]:
    """The ConfigMap of a ledger."""
    metadata: dict[str, Any] = {
        "name": ledger_name(watch),
        "namespace": namespace,
        "labels": dict(MANAGED_BY),
    }
    if kept.revision:
        metadata["resourceVersion"] = kept.revision
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {KEY: kept.ledger.to_json()},
    }


class _Conflicts:
    """Says Conflict for the answers that mean it: written or made (409), or deleted (404) by somebody else."""

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KubeError) and (
            error.status == 409 or (error.status == 404 and "PUT" in error.request)
        ):
            raise Conflict(str(error)) from error


def _revision(thing: dict[str, Any]) -> str:
    return str((thing.get("metadata") or {}).get("resourceVersion", ""))
