"""ConfigMaps, Secrets and the smaller kinds: claims, quotas, leases, events."""

from __future__ import annotations

import base64
from typing import Any

from include.cluster.rules import godump, names, quantity
from include.cluster.rules.validation import selector
from include.cluster.rules.validation.errors import NOT_NEGATIVE, Errors

Object = dict[str, Any]

_MOST_BYTES = 1024 * 1024
_IMMUTABLE = "field is immutable when `immutable` is set"
_NEEDED_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
# What a quota counts in whole numbers, and what it measures; other names have a domain.
_COUNTED = frozenset(
    ("pods", "services", "services.nodeports", "services.loadbalancers", "replicationcontrollers", "resourcequotas",
     "secrets", "configmaps", "persistentvolumeclaims")
)  # fmt: skip
_MEASURED = frozenset(
    ("cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.storage",
     "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage")
)  # fmt: skip
_ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")


def config_map(errors: Errors, obj: Object) -> None:
    """A ConfigMap's keys and size."""
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    size = 0
    for key, value in sorted(data.items()):
        errors.each(f"data[{key}]", key, names.config_key(key))
        if key in binary:
            errors.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
        size += len(value.encode())
    for key, value in sorted(binary.items()):
        errors.each(f"binaryData[{key}]", key, names.config_key(key))
        size += len(base64.b64decode(value))
    if size > _MOST_BYTES:
        errors.too_long("[]", _MOST_BYTES)


def secret(errors: Errors, obj: Object) -> None:
    """A Secret's keys, size, and what its type needs."""
    data = obj.get("data") or {}
    for key in sorted(data):
        errors.each(f"data[{key}]", key, names.config_key(key))
    if sum(len(base64.b64decode(value)) for value in data.values()) > _MOST_BYTES:
        errors.too_long("data", _MOST_BYTES)
    kind = obj.get("type") or ""
    for key in _NEEDED_KEYS.get(kind, ()):
        if key not in data:
            errors.required(f"data[{key}]")
    if kind == "kubernetes.io/basic-auth" and not data.keys() & {"username", "password"}:
        errors.required("data[username]")
        errors.required("data[password]")
    account = "kubernetes.io/service-account.name"
    if kind == "kubernetes.io/service-account-token" and not (obj["metadata"].get("annotations") or {}).get(
        account
    ):
        errors.required(f"metadata.annotations[{account}]")


def immutable(errors: Errors, new: Object, old: Object) -> None:
    """What an immutable ConfigMap or Secret may not change."""
    if not old.get("immutable"):
        return
    if not new.get("immutable"):
        errors.forbidden("immutable", _IMMUTABLE)
    for name in ("data", "binaryData"):
        if (new.get(name) or {}) != (old.get(name) or {}):
            errors.forbidden(name, _IMMUTABLE)


def claim(errors: Errors, obj: Object) -> None:
    """A PersistentVolumeClaim's spec."""
    spec = obj.get("spec") or {}
    modes = spec.get("accessModes") or []
    if not modes:
        errors.required("spec.accessModes", "at least 1 access mode is required")
    if spec.get("selector") is not None:
        selector.check(errors, "spec.selector", spec["selector"])
    for mode in modes:
        if mode not in _ACCESS_MODES:
            errors.unsupported("spec.accessModes", mode, _ACCESS_MODES)
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        errors.forbidden("spec.accessModes", "may not use ReadWriteOncePod with other access modes")
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if size is None:
        errors.required("spec.resources[storage]")
    elif quantity.parse(size) <= 0:
        errors.invalid("spec.resources[storage]", size, "must be greater than zero")
    if spec.get("storageClassName"):
        errors.each(
            "spec.storageClassName", spec["storageClassName"], names.dns_subdomain(spec["storageClassName"])
        )
    if spec.get("volumeMode") not in (None, "Block", "Filesystem"):
        errors.unsupported("spec.volumeMode", spec["volumeMode"], ("Block", "Filesystem"))


def claim_update(errors: Errors, new: Object, old: Object) -> None:
    """A claim's spec is settled; a bound one may ask for more."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    allowed = dict(spec)
    if before.get("volumeName") is None and spec.get("volumeName"):
        allowed.pop("volumeName")  # the binder's own write
    bound = (old.get("status") or {}).get("phase") == "Bound"
    if bound:
        allowed["resources"] = before.get("resources")
    if allowed != before:
        why = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        errors.forbidden("spec", f"{why}\n{godump.claim_difference(before, spec)}")
        return
    wanted, had = (one.get("resources", {}).get("requests", {}).get("storage", "0") for one in (spec, before))
    if bound and quantity.parse(wanted) < quantity.parse(had):
        errors.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")


def resource_quota(errors: Errors, obj: Object) -> None:
    """A ResourceQuota's limits."""
    for name, value in sorted(((obj.get("spec") or {}).get("hard") or {}).items()):
        field = f"spec.hard[{name}]"
        errors.each(field, name, names.qualified_name(name))
        if "/" not in name and name not in _MEASURED and name not in _COUNTED:
            errors.invalid(field, name, "must be a standard resource type or fully qualified")
            errors.invalid(field, name, "must be a standard resource for quota")
        amount = quantity.parse(value)
        if amount < 0:
            errors.invalid(field, value, NOT_NEGATIVE)
        whole = name in _COUNTED or ("/" in name and not name.startswith("requests."))
        if whole and amount != amount.to_integral_value():
            errors.invalid(field, quantity.canonical(value), "must be an integer")


def lease(errors: Errors, obj: Object) -> None:
    """A Lease's spec."""
    spec = obj.get("spec") or {}
    if spec.get("leaseDurationSeconds") is not None and spec["leaseDurationSeconds"] <= 0:
        errors.invalid("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0")
    errors.not_negative("spec.leaseTransitions", spec.get("leaseTransitions"))


def event(errors: Errors, obj: Object) -> None:
    """An Event lives where what it is about lives."""
    namespace = (obj.get("involvedObject") or {}).get("namespace") or ""
    own = obj["metadata"].get("namespace") or ""
    if own != namespace and not (own == "default" and not namespace):
        errors.invalid("involvedObject.namespace", namespace, "does not match event.namespace")
