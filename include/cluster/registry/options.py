"""How a write or a delete is to be done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class WriteOptions:
    """Options of one write.

    Attributes:
        manager: who writes, as it stands in ``metadata.managedFields``.
        dry_run: check and answer, store nothing.
        field_validation: ``Strict``, ``Warn`` (also when empty) or ``Ignore`` for unknown and duplicate fields.
        subresource: ``status``, ``scale``, ... or empty for the object itself.
        force: server-side apply takes fields over from their managers.
        trusted: the writer is part of the cluster itself: no validation, no refusals.
        duplicates: fields that stood twice in the body, as ``unknown field``-style messages.
        warnings: filled by the registry; each becomes a Warning header.
        owned: the managedFields to store, when an apply has worked them out already.
    """

    manager: str = "kube-controller-manager"
    dry_run: bool = False
    field_validation: str = ""
    subresource: str = ""
    force: bool = False
    trusted: bool = False
    duplicates: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    owned: list[Any] | None = None


@dataclass(frozen=True)
class DeleteOptions:
    """Options of one delete. ``propagation`` is ``Foreground``, ``Background``, ``Orphan`` or empty (the kind's own).

    ``grace`` is in seconds; ``None`` means the object's own. ``uid`` and ``resource_version`` are preconditions.
    """

    propagation: str = ""
    grace: int | None = None
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False
