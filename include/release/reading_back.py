"""What is deployed, as the cluster tells it: the app's objects and the ConfigMaps that they use."""

from __future__ import annotations

from typing import Any

from include.release.frozen import Frozen
from include.release.kube import Cluster
from include.release.manifests import KINDS
from include.release.pods import templates, uses
from include.release.saved import live_objects


def read_back(cluster: Cluster, frozen: Frozen) -> list[dict[str, Any]]:
    """The objects of the app as they are now, in the order in which they are applied. Raises KubeError."""
    order = list(KINDS)
    objects = sorted(
        live_objects(cluster, frozen), key=lambda each: (order.index(each["kind"]), each["metadata"]["name"])
    )
    names = {
        use.name
        for manifest in objects
        for pod, _ in templates(manifest)
        for use in uses(pod)
        if use.kind == "ConfigMap"
    }
    found = [cluster.get("ConfigMap", frozen.environment.namespace, name) for name in sorted(names)]
    maps = [{"apiVersion": "v1", "kind": "ConfigMap", **each} for each in found if each is not None]
    return [*maps, *objects]
