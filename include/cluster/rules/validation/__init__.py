"""Whether an object is acceptable: every fault at once, in the order and words of Kubernetes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from include.cluster.errors import Cause
from include.cluster.resources import Resource
from include.cluster.rules.validation import config, endpoints, metadata, pods, services, workloads
from include.cluster.rules.validation.errors import Errors

Object = dict[str, Any]

_CREATE: dict[str, Callable[[Errors, Object], None]] = {
    "pods": pods.check,
    "deployments": workloads.deployment,
    "replicasets": workloads.replica_set,
    "jobs": workloads.job,
    "services": services.check,
    "endpoints": endpoints.endpoints,
    "endpointslices": endpoints.endpoint_slice,
    "configmaps": config.config_map,
    "secrets": config.secret,
    "persistentvolumeclaims": config.claim,
    "resourcequotas": config.resource_quota,
    "leases": config.lease,
    "events": config.event,
}

_IMMUTABLE = {"secrets": ("type",), "endpointslices": ("addressType",)}


def validate_create(resource: Resource, obj: Object) -> list[Cause]:
    """What is wrong with a new object, defaults and all; empty when nothing is."""
    errors = Errors()
    metadata.check(errors, resource, obj.get("metadata") or {})
    checker = _CREATE.get(resource.plural)
    if checker is not None:
        checker(errors, obj)
    return errors.causes


def validate_update(resource: Resource, new: Object, old: Object, subresource: str = "") -> list[Cause]:
    """What is wrong with an object that is to take another one's place.

    Args:
        resource: the kind.
        new: what is to be stored, defaults and all.
        old: what is stored.
        subresource: ``status`` and the like, whose writes leave the spec alone.
    """
    errors = Errors()
    metadata.check_update(errors, resource, new.get("metadata") or {}, old.get("metadata") or {})
    if subresource not in ("", "scale"):
        return errors.causes
    plural = resource.plural
    for name in _IMMUTABLE.get(plural, ()):
        errors.immutable(name, new.get(name), old.get(name))
    if plural in ("configmaps", "secrets"):
        config.immutable(errors, new, old)
    if plural == "services":
        services.check_update(errors, new, old)
    if plural == "pods":
        pods.check_update(errors, new, old)
    elif plural == "persistentvolumeclaims":
        config.claim(errors, new)
        config.claim_update(errors, new, old)
    elif plural in _CREATE:
        _CREATE[plural](errors, new)
    if plural in ("deployments", "replicasets"):
        workloads.check_update(errors, new, old)
    elif plural == "jobs":
        workloads.job_update(errors, new, old)
    return errors.causes
