"""Which resource a path means: each kind under its own group, and Events under events.k8s.io as well."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

from include.cluster.resources import RESOURCES, Resource

Object = dict[str, Any]

EVENTS_GROUP = "events.k8s.io"

_TO_NEW = {
    "reportingComponent": "reportingController",
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
_TO_OLD = {new: old for old, new in _TO_NEW.items()}
_FIELDS_TO_OLD = (("regarding.", "involvedObject."), ("reportingController", "reportingComponent"))


@dataclass(frozen=True)
class View:
    """A kind as one group and version show it. ``stored`` is how the registry knows it."""

    stored: Resource
    resource: Resource

    @property
    def converts(self) -> bool:
        """Whether objects look different from how they are stored."""
        return self.stored is not self.resource

    def show(self, obj: Object) -> Object:
        """A stored object as this view shows it."""
        return _renamed(obj, _TO_NEW, self.resource) if self.converts else obj

    def take(self, obj: Object) -> Object:
        """A client's object as it is stored."""
        return _renamed(obj, _TO_OLD, self.stored) if self.converts else obj

    def fields(self, selector: str) -> str:
        """A field selector in the words of the stored kind."""
        if self.converts:
            for new, old in _FIELDS_TO_OLD:
                selector = selector.replace(new, old)
        return selector


def _renamed(obj: Object, names: dict[str, str], resource: Resource) -> Object:
    shown = {names.get(key, key): value for key, value in copy.deepcopy(obj).items()}
    if "apiVersion" in shown:
        shown["apiVersion"] = resource.api_version
    return shown


_EVENTS = RESOURCES["events"]
NEW_EVENTS = replace(_EVENTS, group=EVENTS_GROUP, model="EventsV1Event")

VIEWS: dict[tuple[str, str, str], View] = {
    (resource.group, resource.version, resource.plural): View(resource, resource)
    for resource in RESOURCES.values()
} | {(EVENTS_GROUP, "v1", "events"): View(_EVENTS, NEW_EVENTS)}

GROUP_VERSIONS: dict[str, tuple[str, ...]] = {
    "": ("v1",),
    "apps": ("v1",),
    EVENTS_GROUP: ("v1",),
    "authentication.k8s.io": ("v1",),
    "authorization.k8s.io": ("v1",),
    "batch": ("v1",),
    "coordination.k8s.io": ("v1",),
    "discovery.k8s.io": ("v1",),
}
"""The groups that are served, in discovery's order, with their versions."""
