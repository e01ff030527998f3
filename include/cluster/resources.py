"""The kinds that the stand-in serves, with what discovery says of each."""

from __future__ import annotations

from dataclasses import dataclass

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Resource:
    """One kind. ``plural`` is unique over all groups here, and is how the rest of the code names a kind.

    ``model`` is the class of the Python client that describes the kind's fields (``V1Deployment``).
    """

    plural: str
    singular: str
    kind: str
    group: str
    version: str
    namespaced: bool
    model: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """``apps/v1``, or ``v1`` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def prefix(self) -> str:
        """The path below which the group and version are served."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"


_LIST = (
    Resource("namespaces", "namespace", "Namespace", "", "v1", False, "V1Namespace", ("ns",),
             verbs=("create", "delete", "get", "list", "patch", "update", "watch"), subresources=("status", "finalize")),
    Resource("nodes", "node", "Node", "", "v1", False, "V1Node", ("no",), subresources=("status",)),
    Resource("pods", "pod", "Pod", "", "v1", True, "V1Pod", ("po",), ("all",),
             subresources=("status", "log", "proxy", "eviction")),
    Resource("configmaps", "configmap", "ConfigMap", "", "v1", True, "V1ConfigMap", ("cm",)),
    Resource("secrets", "secret", "Secret", "", "v1", True, "V1Secret"),
    Resource("services", "service", "Service", "", "v1", True, "V1Service", ("svc",), ("all",),
             subresources=("status", "proxy")),
    Resource("endpoints", "endpoints", "Endpoints", "", "v1", True, "V1Endpoints", ("ep",)),
    Resource("endpointslices", "endpointslice", "EndpointSlice", "discovery.k8s.io", "v1", True, "V1EndpointSlice"),
    Resource("serviceaccounts", "serviceaccount", "ServiceAccount", "", "v1", True, "V1ServiceAccount", ("sa",),
             subresources=("token",)),
    Resource("events", "event", "Event", "", "v1", True, "CoreV1Event", ("ev",)),
    Resource("persistentvolumeclaims", "persistentvolumeclaim", "PersistentVolumeClaim", "", "v1", True,
             "V1PersistentVolumeClaim", ("pvc",), subresources=("status",)),
    Resource("resourcequotas", "resourcequota", "ResourceQuota", "", "v1", True, "V1ResourceQuota", ("quota",),
             subresources=("status",)),
    Resource("deployments", "deployment", "Deployment", "apps", "v1", True, "V1Deployment", ("deploy",), ("all",),
             subresources=("status", "scale")),
    Resource("replicasets", "replicaset", "ReplicaSet", "apps", "v1", True, "V1ReplicaSet", ("rs",), ("all",),
             subresources=("status", "scale")),
    Resource("jobs", "job", "Job", "batch", "v1", True, "V1Job", (), ("all",), subresources=("status",)),
    Resource("leases", "lease", "Lease", "coordination.k8s.io", "v1", True, "V1Lease"),
)  # fmt: skip

RESOURCES: dict[str, Resource] = {resource.plural: resource for resource in _LIST}
BY_KIND: dict[str, Resource] = {resource.kind: resource for resource in _LIST}
