"""``metadata.managedFields``: who owns which fields of an object, read, changed and written back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from include.cluster.rules import fieldset
from include.cluster.rules.fieldset import PathSet
from include.cluster.rules.names import quoted

Object = dict[str, Any]

# What nobody owns: the server sets it.
_UNOWNED = (
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "generation",
    "managedFields",
    "resourceVersion",
)
_STRIPPED = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",), *(("f:metadata", f"f:{name}") for name in _UNOWNED)}
)


@dataclass(frozen=True)
class Manager:
    """One entry of managedFields, apart from its fields and time."""

    name: str
    operation: str
    version: str
    subresource: str = ""

    def text(self) -> str:
        """The manager as conflicts name it: ``"hpa" with subresource "scale" using apps/v1``."""
        shown = quoted(self.name)
        if self.subresource:
            shown += f" with subresource {quoted(self.subresource)}"
        return f"{shown} using {self.version}" if self.operation == "Update" else shown


@dataclass(frozen=True)
class Owned:
    """The fields of one manager, and when it last took one."""

    paths: PathSet
    time: str = ""


class Managers:
    """All managers of one object."""

    def __init__(self, entries: Iterable[Object] | None) -> None:
        self.owned: dict[Manager, Owned] = {}
        for entry in entries or []:
            if not entry.get("manager") and not entry.get("fieldsV1"):
                continue
            manager = Manager(
                entry.get("manager") or "",
                entry.get("operation") or "Update",
                entry.get("apiVersion") or "",
                entry.get("subresource") or "",
            )
            self.owned[manager] = Owned(fieldset.read(entry.get("fieldsV1")), entry.get("time") or "")

    def __bool__(self) -> bool:
        return bool(self.owned)

    def paths(self, manager: Manager) -> PathSet:
        """What the manager owns."""
        found = self.owned.get(manager)
        return found.paths if found else fieldset.EMPTY

    def all_paths(self) -> PathSet:
        """What anybody owns."""
        return fieldset.EMPTY.union(*(one.paths for one in self.owned.values()))

    def give(self, manager: Manager, paths: PathSet, time: str | None = None) -> None:
        """Sets what a manager owns; without a time the last one stays."""
        before = self.owned.get(manager)
        kept = before.time if before else ""
        self.owned[manager] = Owned(paths - _STRIPPED, kept if time is None else time)

    def take(self, paths: PathSet, but: Manager | None = None) -> None:
        """Takes fields from all managers but one; who is left with nothing is gone."""
        for manager, owned in list(self.owned.items()):
            if manager != but:
                left = owned.paths - paths
                if left:
                    self.owned[manager] = replace(owned, paths=left)
                else:
                    del self.owned[manager]

    def conflicts(self, paths: PathSet, but: Manager) -> dict[Manager, PathSet]:
        """Who else owns some of these fields, and which."""
        found = {manager: owned.paths & paths for manager, owned in self.owned.items() if manager != but}
        return {manager: shared for manager, shared in found.items() if shared}

    def entries(self) -> list[Object]:
        """The list for ``metadata.managedFields``, in Kubernetes' order."""
        ordered = sorted(
            self.owned.items(),
            key=lambda one: (one[0].operation, one[1].time, one[0].name, one[0].subresource),
        )
        return [_entry(manager, owned) for manager, owned in ordered]


def _entry(manager: Manager, owned: Owned) -> Object:
    entry: Object = {"manager": manager.name, "operation": manager.operation, "apiVersion": manager.version}
    if owned.time:
        entry["time"] = owned.time
    entry["fieldsType"] = "FieldsV1"
    entry["fieldsV1"] = fieldset.write(owned.paths)
    if manager.subresource:
        entry["subresource"] = manager.subresource
    return entry


def stamp(now: datetime) -> str:
    """A time as managedFields has it."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
