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


_REMEMBERED = 4096
"""So many Events are known by what they say; a restart of the server begins anew, as a recorder's does."""


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
    key = (namespace, reference.get("uid"), field_path, type_, reason, message, component)
    same = _same(registry, namespace, key)
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
        created = registry.create("events", namespace, event, WriteOptions(manager=component, trusted=True))
    except ApiError as error:
        if error.code not in (403, 404):
            raise
        return
    registry.recent_events.pop(key, None)
    registry.recent_events[key] = created["metadata"]["name"]
    while len(registry.recent_events) > _REMEMBERED:
        registry.recent_events.pop(next(iter(registry.recent_events)))


def _same(registry: Registry, namespace: str, key: tuple[Any, ...]) -> Object | None:
    """The Event that says the same, when it is recent enough to be counted up."""
    event = registry.find("events", namespace, registry.recent_events.get(key, ""))
    if event is None or not event.get("lastTimestamp"):
        return None
    recent = (now() - parse(event["lastTimestamp"])).total_seconds() < _COUNT_WITHIN
    return event if recent else None
