"""A Deployment to press: its pods are held by a scheduling gate, so that no container is needed."""

from __future__ import annotations

from typing import Any

from include.release.kube import Cluster


def deployment(name: str = "web", replicas: int = 3, **metadata: Any) -> dict[str, Any]:
    """The manifest."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, **metadata},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "schedulingGates": [{"name": "test/held"}],
                    "containers": [{"name": "main", "image": "python:3"}],
                },
            },
        },
    }


def make(cluster: Cluster, namespace: str, name: str = "web", replicas: int = 3, **metadata: Any) -> str:
    """Create it; returns its uid."""
    answer = cluster.create(deployment(name, replicas, **metadata), namespace)
    return str(answer.object["metadata"]["uid"])


class Between:
    """A cluster in which something happens right before (or right after) the first patch of a Deployment."""

    def __init__(self, cluster: Cluster, before: Any = None, after: Any = None) -> None:
        self._cluster, self._before, self._after = cluster, before, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)

    def patch(self, *args: Any, **kwargs: Any) -> Any:
        before, self._before = self._before, None
        if before is not None:
            before()
        answer = self._cluster.patch(*args, **kwargs)
        after, self._after = self._after, None
        if after is not None:
            after()
        return answer
