"""The scale subresource: a small object over ``spec.replicas``."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from include.cluster.errors import Cause, bad_request, invalid
from include.cluster.registry import Registry, WriteOptions, pipeline
from include.cluster.resources import Resource

Object = dict[str, Any]

SCALE = Resource("scales", "scale", "Scale", "autoscaling", "v1", True, "V1Scale")


def scale_of(obj: Object) -> Object:
    """The Scale of a Deployment or ReplicaSet. Zeros are left out, as Kubernetes leaves them out."""
    meta = {
        key: obj["metadata"][key]
        for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        if key in obj["metadata"]
    }
    replicas = obj["spec"].get("replicas", 0)
    status: Object = {"replicas": (obj.get("status") or {}).get("replicas", 0)}
    labels = (obj["spec"].get("selector") or {}).get("matchLabels") or {}
    if labels:
        status["selector"] = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": meta,
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def replace_scale(
    registry: Registry, resource: Resource, namespace: str, name: str, body: Object, options: WriteOptions
) -> Object:
    """Sets the replicas from a whole Scale.

    Raises:
        ApiError: 404, 409, 422.
    """
    old = registry.get(resource.plural, namespace, name)
    return _set(registry, resource, old, pipeline.decoded(SCALE, body, options), options)


def patch_scale(
    registry: Registry,
    resource: Resource,
    namespace: str,
    name: str,
    content_type: str,
    body: Any,
    options: WriteOptions,
) -> Object:
    """Sets the replicas by a patch of the Scale.

    Raises:
        ApiError: 404, 409, 415, 422.
    """
    old = registry.get(resource.plural, namespace, name)
    if content_type == pipeline.APPLY:
        raise bad_request(
            "server-side apply of the scale subresource is not built in this stand-in: patch it, or apply the object"
        )
    scale = scale_of(old)
    sent = body.get("metadata", {}).get("resourceVersion") if isinstance(body, dict) else None
    new = pipeline.patched(SCALE, scale, content_type, body, options)
    if not sent:
        new["metadata"].pop("resourceVersion", None)
    return _set(registry, resource, old, new, options)


def _set(registry: Registry, resource: Resource, old: Object, scale: Object, options: WriteOptions) -> Object:
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    name = old["metadata"]["name"]
    if replicas < 0:
        cause = Cause(
            "FieldValueInvalid",
            f"Invalid value: {replicas}: must be greater than or equal to 0",
            "spec.replicas",
        )
        raise invalid("Scale", "autoscaling", name, [cause])
    new = copy.deepcopy(old)
    new["spec"]["replicas"] = replicas
    meta = scale.get("metadata") or {}
    new["metadata"]["resourceVersion"] = meta.get("resourceVersion") or old["metadata"]["resourceVersion"]
    if meta.get("uid"):
        new["metadata"]["uid"] = meta["uid"]
    written = registry.replace(
        resource.plural, old["metadata"]["namespace"], name, new, replace(options, subresource="scale")
    )
    return scale_of(written)
