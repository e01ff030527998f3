"""Events: one object for all equal ones, counted, as the recorders of Kubernetes write them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from include.cluster.errors import ApiError
from include.cluster.registry.clock import micro_stamp, now, parse, stamp
from include.cluster.registry.options import WriteOptions

if TYPE_CHECKING:
    from include.cluster.registry.core import Registry

Object = dict[str, Any]

_COUNT_WITHIN = 600.0
"""Equal events further apart than this many seconds get an object of their own, as with Kubernetes' recorder."""


def record(
    registry: Registry,
    involved: Object,
    type_: str,
    reason: str,
    message: str,
    *,
    component: str,
    host: str = "",
    field_path: str = "",
    action: str = "",
) -> None:
    """Writes an Event, or counts up the one that says the same. A namespace on its way out takes none."""
    meta = involved["metadata"]
    namespace = meta.get("namespace") or "default"
    reference: Object = {
        "kind": involved["kind"],
        "namespace": meta.get("namespace", ""),
        "name": meta["name"],
        "uid": meta.get("uid", ""),
        "apiVersion": involved["apiVersion"],
        "resourceVersion": meta.get("resourceVersion", ""),
        "fieldPath": field_path,
    }
    reference = {key: value for key, value in reference.items() if value}
    same = _same(registry, namespace, reference, type_, reason, message, component)
    if same is not None and not action:

        def count_up(event: Object) -> None:
            event["count"] = event.get("count", 1) + 1
            event["lastTimestamp"] = stamp()

        registry.edit("events", namespace, same["metadata"]["name"], count_up, manager=component)
        return
    event: Object = {
        "kind": "Event",
        "apiVersion": "v1",
        "metadata": {"name": f"{meta['name']}.{time.time_ns():x}", "namespace": namespace},
        "involvedObject": reference,
        "reason": reason,
        "message": message,
        "type": type_,
        "reportingComponent": component,
    }
    if action:
        event |= {
            "source": {},
            "firstTimestamp": None,
            "lastTimestamp": None,
            "eventTime": micro_stamp(),
            "action": action,
            "reportingInstance": f"{component}-{host}",
        }
    else:
        moment = stamp()
        event |= {
            "source": {"component": component, "host": host} if host else {"component": component},
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
            "eventTime": None,
            "reportingInstance": host,
        }
    try:
        registry.create("events", namespace, event, WriteOptions(manager=component, trusted=True))
    except ApiError as error:
        if error.code not in (403, 404):
            raise


def _same(
    registry: Registry,
    namespace: str,
    reference: Object,
    type_: str,
    reason: str,
    message: str,
    component: str,
) -> Object | None:
    for event in registry.list("events", namespace):
        about = event["involvedObject"]
        if (
            event["reason"] == reason
            and event["message"] == message
            and event["type"] == type_
            and event.get("reportingComponent") == component
            and about.get("uid") == reference.get("uid")
            and about.get("fieldPath") == reference.get("fieldPath")
            and event.get("lastTimestamp")
            and (now() - parse(event["lastTimestamp"])).total_seconds() < _COUNT_WITHIN
        ):
            return event
    return None
