"""Creating what an earlier try may have created."""

from __future__ import annotations

from typing import Any

from include.release.kube import Cluster, KubeError


def create_once(cluster: Cluster, manifest: dict[str, Any], namespace: str) -> bool:
    """Create an object; False when one of its name is there, by a try before or beside this one. Raises KubeError."""
    try:
        cluster.create(manifest, namespace)
    except KubeError as error:
        if error.reason != "AlreadyExists":
            raise
        return False
    return True
