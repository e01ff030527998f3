"""How lists and structs merge: the keys that strategic merge patch and server-side apply go by.

The Python client's models do not carry this; the table follows the ``patchMergeKey``, ``x-kubernetes-list-type`` and
``x-kubernetes-map-type`` marks of the Kubernetes 1.36 API.
"""

from __future__ import annotations

from typing import Any

# (model, field): the key of strategic merge patch. An empty key: a list of plain values, merged as a set.
MERGE_KEYS: dict[tuple[str, str], str] = {
    ("V1ObjectMeta", "finalizers"): "",
    ("V1ObjectMeta", "ownerReferences"): "uid",
    ("V1PodSpec", "containers"): "name",
    ("V1PodSpec", "initContainers"): "name",
    ("V1PodSpec", "ephemeralContainers"): "name",
    ("V1PodSpec", "volumes"): "name",
    ("V1PodSpec", "imagePullSecrets"): "name",
    ("V1PodSpec", "hostAliases"): "ip",
    ("V1PodSpec", "topologySpreadConstraints"): "topologyKey",
    ("V1PodSpec", "schedulingGates"): "name",
    ("V1PodSpec", "resourceClaims"): "name",
    ("V1Container", "ports"): "containerPort",
    ("V1Container", "env"): "name",
    ("V1Container", "volumeMounts"): "mountPath",
    ("V1Container", "volumeDevices"): "devicePath",
    ("V1PodStatus", "conditions"): "type",
    ("V1PodStatus", "podIPs"): "ip",
    ("V1PodStatus", "hostIPs"): "ip",
    ("V1DeploymentStatus", "conditions"): "type",
    ("V1ReplicaSetStatus", "conditions"): "type",
    ("V1JobStatus", "conditions"): "type",
    ("V1NamespaceStatus", "conditions"): "type",
    ("V1PersistentVolumeClaimStatus", "conditions"): "type",
    ("V1ServiceStatus", "conditions"): "type",
    ("V1NodeStatus", "conditions"): "type",
    ("V1NodeStatus", "addresses"): "type",
    ("V1NodeSpec", "podCIDRs"): "",
    ("V1ServiceSpec", "ports"): "port",
    ("V1ServiceAccount", "secrets"): "name",
}
# Fields that a strategic merge patch may prune with $retainKeys.
RETAIN_KEYS = {("V1PodSpec", "volumes"), ("V1PodSpec", "resourceClaims"), ("V1DeploymentSpec", "strategy")}

# (model, field): the keys of server-side apply's associative lists, with the default of a key that is left out.
MAP_KEYS: dict[tuple[str, str], dict[str, Any]] = {
    ("V1ObjectMeta", "ownerReferences"): {"uid": None},
    ("V1PodSpec", "containers"): {"name": None},
    ("V1PodSpec", "initContainers"): {"name": None},
    ("V1PodSpec", "ephemeralContainers"): {"name": None},
    ("V1PodSpec", "volumes"): {"name": None},
    ("V1PodSpec", "imagePullSecrets"): {"name": ""},
    ("V1PodSpec", "hostAliases"): {"ip": None},
    ("V1PodSpec", "topologySpreadConstraints"): {"topologyKey": None, "whenUnsatisfiable": None},
    ("V1PodSpec", "schedulingGates"): {"name": None},
    ("V1PodSpec", "resourceClaims"): {"name": None},
    ("V1Container", "ports"): {"containerPort": None, "protocol": "TCP"},
    ("V1Container", "env"): {"name": None},
    ("V1Container", "volumeMounts"): {"mountPath": None},
    ("V1Container", "volumeDevices"): {"devicePath": None},
    ("V1ResourceRequirements", "claims"): {"name": None},
    ("V1PodStatus", "conditions"): {"type": None},
    ("V1PodStatus", "podIPs"): {"ip": None},
    ("V1DeploymentStatus", "conditions"): {"type": None},
    ("V1ReplicaSetStatus", "conditions"): {"type": None},
    ("V1NamespaceStatus", "conditions"): {"type": None},
    ("V1PersistentVolumeClaimStatus", "conditions"): {"type": None},
    ("V1ServiceStatus", "conditions"): {"type": None},
    ("V1NodeStatus", "conditions"): {"type": None},
    ("V1NodeStatus", "addresses"): {"type": None},
    ("V1ServiceSpec", "ports"): {"port": None, "protocol": "TCP"},
    ("V1ServiceAccount", "secrets"): {"name": None},
}
# Lists of plain values whose entries are owned one by one.
SETS = {("V1ObjectMeta", "finalizers"), ("V1NodeSpec", "podCIDRs")}
# Structs and maps that are owned and replaced whole.
ATOMIC_MODELS = {
    "V1LabelSelector", "V1LocalObjectReference", "V1ConfigMapKeySelector", "V1SecretKeySelector", "V1ObjectFieldSelector",
    "V1ResourceFieldSelector", "V1ObjectReference", "V1TypedLocalObjectReference", "V1NodeSelector", "V1NodeSelectorTerm",
    "V1SecretReference", "V1OwnerReference", "V1ScopeSelector",
}  # fmt: skip
ATOMIC_FIELDS = {("V1PodSpec", "nodeSelector"), ("V1ServiceSpec", "selector")}


def same_lists(model: str) -> str:
    """The model whose table entries hold: ephemeral containers are merged as containers are."""
    return "V1Container" if model == "V1EphemeralContainer" else model
