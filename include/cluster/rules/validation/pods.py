"""Pods, and the pod's part of a template."""

from __future__ import annotations

import copy
import ipaddress
from typing import Any

from include.cluster.rules import godump, names
from include.cluster.rules.validation import containers, metadata, volumes
from include.cluster.rules.validation.errors import Errors

Object = dict[str, Any]

_RESTART = ("Always", "OnFailure", "Never")
_DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_UPDATABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def check(errors: Errors, pod: Object) -> None:
    """A new pod."""
    found = pod.get("spec") or {}
    spec(errors, "spec", found)
    containers.trimmed_images(errors, "spec.containers", found.get("containers") or [])
    containers.trimmed_images(errors, "spec.initContainers", found.get("initContainers") or [])
    if found.get("ephemeralContainers"):
        errors.forbidden("spec.ephemeralContainers", "cannot be set on create")


def template(errors: Errors, field: str, found: Object) -> None:
    """A pod template of a workload."""
    meta = found.get("metadata") or {}
    errors.labels(f"{field}.labels", meta.get("labels"))
    metadata.check_annotations(errors, f"{field}.annotations", meta.get("annotations"))
    spec(errors, f"{field}.spec", found.get("spec") or {})
    if (found.get("spec") or {}).get("ephemeralContainers"):
        errors.forbidden(
            f"{field}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template"
        )


def spec(errors: Errors, field: str, found: Object) -> None:
    """A pod's spec."""
    known = volumes.check(errors, f"{field}.volumes", found.get("volumes") or [])
    around = containers.Surroundings(known, found.get("terminationGracePeriodSeconds"))
    taken = containers.check(errors, f"{field}.containers", found.get("containers") or [], around)
    containers.check_init(errors, f"{field}.initContainers", found.get("initContainers") or [], taken, around)
    errors.choice(f"{field}.restartPolicy", found.get("restartPolicy") or "", _RESTART)
    errors.choice(f"{field}.dnsPolicy", found.get("dnsPolicy") or "", _DNS)
    errors.labels(f"{field}.nodeSelector", found.get("nodeSelector"))
    containers.security(errors, f"{field}.securityContext", found.get("securityContext"))
    _dns(errors, field, found)
    _gates(errors, field, found)
    for name in ("serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName"):
        if found.get(name):
            errors.each(f"{field}.{name}", found[name], names.dns_subdomain(found[name]))
    seconds = found.get("activeDeadlineSeconds")
    if seconds is not None and not 1 <= seconds <= 2**31 - 1:
        errors.invalid(
            f"{field}.activeDeadlineSeconds", seconds, "must be between 1 and 2147483647, inclusive"
        )
    for name in ("hostname", "subdomain"):
        if found.get(name):
            errors.each(f"{field}.{name}", found[name], names.dns_label(found[name]))
    for index, one in enumerate(found.get("tolerations") or []):
        _toleration(errors, f"{field}.tolerations[{index}]", one)
    for index, alias in enumerate(found.get("hostAliases") or []):
        _alias(errors, f"{field}.hostAliases[{index}]", alias)
    if found.get("shareProcessNamespace") and found.get("hostPID"):
        why = "ShareProcessNamespace and HostPID cannot both be enabled"
        errors.invalid(f"{field}.shareProcessNamespace", True, why)


def _dns(errors: Errors, field: str, found: Object) -> None:
    if found.get("dnsPolicy") != "None":
        return
    if not found.get("dnsConfig"):
        errors.required(f"{field}.dnsConfig", "must provide `dnsConfig` when `dnsPolicy` is None")
    elif not found["dnsConfig"].get("nameservers"):
        why = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        errors.required(f"{field}.dnsConfig.nameservers", why)


def _gates(errors: Errors, field: str, found: Object) -> None:
    gates = found.get("schedulingGates") or []
    seen: set[str] = set()
    for index, gate in enumerate(gates):
        where, name = f"{field}.schedulingGates[{index}]", gate.get("name") or ""
        errors.each(where, name, names.qualified_name(name))
        if name in seen:
            errors.duplicate(where, name)
        seen.add(name)
    if gates and found.get("nodeName"):
        errors.forbidden(f"{field}.nodeName", "cannot be set until all schedulingGates have been cleared")


def _toleration(errors: Errors, field: str, one: Object) -> None:
    if one.get("key"):
        errors.each(f"{field}.key", one["key"], names.qualified_name(one["key"]))
    operator = one.get("operator") or ""
    if not one.get("key") and operator != "Exists":
        why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        errors.invalid(f"{field}.operator", operator, why)
    if one.get("tolerationSeconds") is not None and one.get("effect") != "NoExecute":
        errors.invalid(
            f"{field}.effect",
            one.get("effect") or "",
            "effect must be 'NoExecute' when `tolerationSeconds` is set",
        )
    if operator in ("", "Equal"):
        errors.each(f"{field}.operator", one.get("value") or "", names.label_value(one.get("value") or ""))
    elif operator == "Exists":
        if one.get("value"):
            errors.invalid(
                f"{field}.operator", one["value"], "value must be empty when `operator` is 'Exists'"
            )
    else:
        # These two are known to the type, and not to be used yet.
        more = ("Lt", "Gt") if operator in ("Lt", "Gt") else ()
        errors.unsupported(f"{field}.operator", operator, ("Equal", "Exists", *more))
    if one.get("effect") and one["effect"] not in _EFFECTS:
        errors.unsupported(f"{field}.effect", one["effect"], _EFFECTS)


def _alias(errors: Errors, field: str, alias: Object) -> None:
    try:
        ipaddress.ip_address(alias.get("ip") or "")
    except ValueError:
        why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        errors.invalid(f"{field}.ip", alias.get("ip") or "", why)
    for name in alias.get("hostnames") or []:
        errors.each(f"{field}.hostnames", name, names.dns_subdomain(name))


def check_update(errors: Errors, new: Object, old: Object) -> None:
    """A pod's spec is settled when it is created, but for a few fields."""
    spec_, before = new.get("spec") or {}, old.get("spec") or {}
    for name in ("containers", "initContainers"):
        if len(spec_.get(name) or []) != len(before.get(name) or []):
            what = "containers" if name == "containers" else "init containers"
            errors.forbidden(f"spec.{name}", f"pod updates may not add or remove {what}")
            return
    for name in ("containers", "initContainers"):
        for index, container in enumerate(spec_.get(name) or []):
            if not container.get("image"):
                errors.required(f"spec.{name}[{index}].image")
    _deadline(errors, spec_, before)
    settled = _settled(spec_, before)
    if settled != before:
        errors.forbidden("spec", f"{_UPDATABLE}\n{godump.pod_difference(before, settled)}")


def _settled(new: Object, old: Object) -> Object:
    """The new spec with the few fields that may change as they were."""
    changed = copy.deepcopy(new)
    for name in ("containers", "initContainers"):
        for container, was in zip(changed.get(name) or [], old.get(name) or [], strict=True):
            container["image"] = was.get("image")
    if all(one in (new.get("tolerations") or []) for one in old.get("tolerations") or []):
        changed["tolerations"] = old.get("tolerations")
    if all(one in (old.get("schedulingGates") or []) for one in new.get("schedulingGates") or []):
        # Gates may only be taken away.
        changed["schedulingGates"] = old.get("schedulingGates")
    changed["activeDeadlineSeconds"] = old.get("activeDeadlineSeconds")
    if (old.get("terminationGracePeriodSeconds") or 0) < 0 and new.get("terminationGracePeriodSeconds") == 1:
        changed["terminationGracePeriodSeconds"] = old["terminationGracePeriodSeconds"]
    return {key: value for key, value in changed.items() if value is not None}


def _deadline(errors: Errors, new: Object, old: Object) -> None:
    field, seconds, before = (
        "spec.activeDeadlineSeconds",
        new.get("activeDeadlineSeconds"),
        old.get("activeDeadlineSeconds"),
    )
    if seconds is None:
        if before is not None:
            errors.invalid(field, None, "must not update from a positive integer to nil value")
    elif seconds < 0 or seconds > 2**31 - 1:
        errors.invalid(field, seconds, "must be between 0 and 2147483647, inclusive")
    elif before is not None and seconds > before:
        errors.invalid(field, seconds, "must be less than or equal to previous value")
