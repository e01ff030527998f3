"""What fields each kind has and of what type, taken from the models of the Kubernetes Python client."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

# Fields whose Python type says less than Kubernetes' own.
_QUANTITIES = {
    ("V1ResourceRequirements", "limits"),
    ("V1ResourceRequirements", "requests"),
    ("V1VolumeResourceRequirements", "limits"),
    ("V1VolumeResourceRequirements", "requests"),
    ("V1EmptyDirVolumeSource", "sizeLimit"),
    ("V1ResourceFieldSelector", "divisor"),
    ("V1PodSpec", "overhead"),
    ("V1ResourceQuotaSpec", "hard"),
    ("V1ResourceQuotaStatus", "hard"),
    ("V1ResourceQuotaStatus", "used"),
    ("V1NodeStatus", "capacity"),
    ("V1NodeStatus", "allocatable"),
    ("V1PersistentVolumeClaimStatus", "capacity"),
    ("V1PersistentVolumeClaimStatus", "allocatedResources"),
    ("V1ContainerStatus", "allocatedResources"),
}
_INT_OR_STRING = {
    ("V1HTTPGetAction", "port"),
    ("V1TCPSocketAction", "port"),
    ("V1RollingUpdateDeployment", "maxSurge"),
    ("V1RollingUpdateDeployment", "maxUnavailable"),
    ("V1ServicePort", "targetPort"),
}
_BYTES = {("V1Secret", "data"), ("V1ConfigMap", "binaryData")}
_MICRO_TIMES = {
    ("V1LeaseSpec", "acquireTime"),
    ("V1LeaseSpec", "renewTime"),
    ("CoreV1Event", "eventTime"),
    ("CoreV1EventSeries", "lastObservedTime"),
}
_INT64 = {
    "activeDeadlineSeconds",
    "terminationGracePeriodSeconds",
    "deletionGracePeriodSeconds",
    "expirationSeconds",
    "observedGeneration",
    "tolerationSeconds",
    "generation",
    "runAsUser",
    "runAsGroup",
    "fsGroup",
    "supplementalGroups",
    "seconds",
}


@dataclass(frozen=True)
class Type:
    """The type of a field.

    ``shape`` is string, int32, int64, float, bool, any, time, microtime, quantity, intorstring, bytes, struct, list or
    map; ``model`` names the class of a struct and ``item`` the type of a list's or map's values.
    """

    shape: str
    model: str = ""
    item: Type | None = None

    def go(self) -> str:
        """The type's name in Go, as error messages show it."""
        if self.shape == "list":
            return "[]" + (self.item.go() if self.item else "")
        if self.shape == "map":
            return "map[string]" + (self.item.go() if self.item else "")
        if self.shape == "struct":
            return "v1." + struct_name(self.model)
        return {
            "time": "v1.Time",
            "quantity": "resource.Quantity",
            "bytes": "[]uint8",
            "float": "float64",
        }.get(self.shape, self.shape)


def struct_name(model: str) -> str:
    """The name of a model in Go: ``V1EnvVar`` is ``EnvVar``, ``CoreV1Event`` is ``Event``."""
    return re.sub(r"^([A-Z][a-z]+)?V\d((alpha|beta)\d)?", "", model)


@cache
def _client() -> Any:
    # The client takes about two seconds to import: once, and only when a type is asked for.
    return importlib.import_module("kubernetes.client")


@cache
def fields(model: str) -> dict[str, Type]:
    """The fields of a model by their names in JSON."""
    found = getattr(_client(), model)
    types = {found.attribute_map[name]: text for name, text in found.openapi_types.items()}
    return {name: _typed(model, name, text) for name, text in sorted(types.items())}


def documentation(model: str) -> dict[str, str]:
    """What a model's properties say of themselves, by the fields' names in JSON."""
    found = getattr(_client(), model)
    return {field: getattr(found, name).__doc__ or "" for name, field in found.attribute_map.items()}


def _typed(model: str, name: str, text: str) -> Type:
    if text.startswith("list["):
        return Type("list", item=_typed(model, name, text[5:-1]))
    if text.startswith(("dict(", "dict[")):
        return Type("map", item=_typed(model, name, text[5:-1].split(",", 1)[1].strip()))
    key = (model, name)
    if key in _QUANTITIES:
        return Type("quantity")
    if key in _INT_OR_STRING:
        return Type("intorstring")
    if key in _BYTES:
        return Type("bytes")
    if text == "datetime":
        return Type("microtime" if key in _MICRO_TIMES else "time")
    if text == "int":
        return Type("int64" if name in _INT64 else "int32")
    plain = {"str": "string", "bool": "bool", "float": "float", "object": "any"}.get(text)
    return Type(plain) if plain else Type("struct", model=text)
