"""What a cluster has room for, as far as the connection's user may see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from include.release.kube import Cluster, KubeError

Objects = list[dict[str, Any]]


@dataclass(frozen=True)
class Seen:
    """The state of now. None is what may not be seen; ``notices`` say what follows from that."""

    nodes: Objects | None
    pods: Objects | None
    """Of all namespaces."""
    own_pods: Objects
    """Of the release's namespace."""
    quotas: Objects
    ranges: Objects
    deployments: dict[str, dict[str, Any]]
    notices: list[str] = field(default_factory=list)


def look(cluster: Cluster, namespace: str, deployments: list[str]) -> Seen:
    """Read nodes, pods, quotas and limit ranges. Raises KubeError when the cluster does not answer.

    Args:
        cluster: where to look.
        namespace: the release's namespace.
        deployments: names of the Deployments that the release brings.
    """
    notices: list[str] = []
    running = "status.phase!=Succeeded,status.phase!=Failed"
    nodes = _seen(cluster, "Node", "", notices, "whether the pods fit on the nodes is not checked")
    pods = None
    if nodes is not None:
        pods = _seen(
            cluster,
            "Pod",
            "",
            notices,
            "what is used of the nodes is not known, so that is not checked",
            running,
        )
    own = [each for each in pods or [] if each["metadata"].get("namespace") == namespace]
    if pods is None:
        own = cluster.list("Pod", namespace, fields=running)
    quotas = _seen(
        cluster, "ResourceQuota", namespace, notices, "whether the pods keep within quotas is not checked"
    )
    ranges = _seen(cluster, "LimitRange", namespace, [], "")
    found = {
        name: each for name in deployments if (each := cluster.get("Deployment", namespace, name)) is not None
    }
    return Seen(nodes, pods, own, quotas or [], ranges or [], found, notices)


def _seen(
    cluster: Cluster, kind: str, namespace: str, notices: list[str], so: str, fields: str = ""
) -> Objects | None:
    """All objects of a kind; None when they may not be read (or there is no such kind)."""
    try:
        return cluster.list(kind, namespace, fields=fields)
    except KubeError as error:
        if error.status not in (403, 404):
            raise
        where = f"of namespace {namespace}" if namespace else "of the cluster"
        notices.append(f"The connection's user may not list {kind} objects {where}: {so}.")
        return None
