"""A fresh look at one Deployment: what the API server says now, asked for by its selector and its pods.

A namespace may hold a thousand other Deployments: listing all of their pods takes half a second, while a press is due.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from include.release.kube import Cluster, KubeError
from include.release.rollout import label_selector
from include.restarts.view import View, view_of

POD_EVENTS = "involvedObject.kind=Pod"
FEW_PODS = 5
"""The events of so many pods are asked for one by one, those of more by one list of the namespace."""

Object = dict[str, Any]


def look(
    cluster: Cluster, namespace: str, name: str, now: datetime, *, nodes: bool = True
) -> tuple[View, list[str]]:
    """One Deployment as it is now (with the ``nodes``), and what could not be looked at. Raises KubeError."""
    notes: list[str] = []

    def optional(kind: str, where: str, fields: str = "") -> list[Object]:
        if any(each.startswith(f"{kind}s ") for each in notes):
            return []  # refused once
        try:
            return cluster.list(kind, where, fields=fields)
        except KubeError as error:
            if error.status != 403:
                raise
            notes.append(f"{kind}s may not be listed ({error.message}); decided without them")
            return []

    deployments = cluster.list("Deployment", namespace, fields=f"metadata.name={name}")
    # The owners decide what belongs to the Deployment (view_of); its controller lets go of what its selector does not match.
    labels = label_selector(deployments[0]) if deployments else ""
    replica_sets = cluster.list("ReplicaSet", namespace, labels=labels) if labels else []
    pods = cluster.list("Pod", namespace, labels=labels) if labels else []
    events = [each for fields in _event_fields(pods) for each in optional("Event", namespace, fields)]
    view = view_of(
        namespace,
        name,
        now,
        deployments=deployments,
        replica_sets=replica_sets,
        pods=pods,
        events=events,
        nodes=optional("Node", "") if nodes else [],
    )
    return view, notes


def _event_fields(pods: Sequence[Object]) -> list[str]:
    """The field selectors by which the events of these pods are listed."""
    if len(pods) > FEW_PODS:
        return [POD_EVENTS]
    return [f"{POD_EVENTS},involvedObject.uid={each['metadata']['uid']}" for each in pods]
