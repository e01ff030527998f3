"""Writing signs of life, one key of a ConfigMap for each triggerer."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from include.release.frozen import FIELD_MANAGER
from include.release.kube import KubeError
from include.release.kube_async import AsyncCluster
from include.restarts.heartbeat import HEARTBEAT, Beat, read_beats

BEAT_SECONDS = 20.0
FORGOTTEN = timedelta(hours=1)
"""After so long the key of a triggerer that is gone is removed."""
MANAGED = {"app.kubernetes.io/managed-by": FIELD_MANAGER}


def value_of(beat: Beat) -> str:
    """A sign of life as it is stored."""
    moments = {"at": beat.at, "last_event": beat.last_event, "last_relist": beat.last_relist}
    shown = {name: at.isoformat(timespec="milliseconds") if at else None for name, at in moments.items()}
    by_name = {"troubles": beat.troubles, "deployments": beat.deployments}
    sorted_names = {key: dict(sorted(each.items())) for key, each in by_name.items() if each}
    return json.dumps({**shown, "watches": sorted(beat.watches), "problem": beat.problem, **sorted_names})


async def write_beat(cluster: AsyncCluster, namespace: str, beat: Beat) -> None:
    """Write a sign of life, and remove those of triggerers that are long gone. Raises KubeError."""
    mine = {beat.triggerer: value_of(beat)}
    try:
        found = await cluster.merge("ConfigMap", namespace, HEARTBEAT, {"data": mine})
    except KubeError as error:
        if error.status != 404:
            raise
        found = await _create(cluster, namespace, mine)
    old = {each.triggerer: None for each in read_beats(found) if beat.at - each.at > FORGOTTEN}
    if old:
        await cluster.merge("ConfigMap", namespace, HEARTBEAT, {"data": old})


async def _create(cluster: AsyncCluster, namespace: str, data: dict[str, str]) -> dict[str, Any]:
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": HEARTBEAT, "labels": dict(MANAGED)},
        "data": data,
    }
    try:
        return await cluster.create(manifest, namespace)
    except KubeError as error:
        if error.status != 409:
            raise  # another triggerer was first
        return await cluster.merge("ConfigMap", namespace, HEARTBEAT, {"data": data})
