"""What the containers of one pod share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.cluster.node.env import Place
from include.cluster.node.runtime import Runtime
from include.cluster.node.volumes import Volumes
from include.cluster.registry import Registry

Object = dict[str, Any]


@dataclass
class PodContext:
    """One pod on this node.

    Attributes:
        registry: for events and everything the pod refers to.
        runtime: how containers run here.
        pod: the pod as last read.
        place: its addresses.
        volumes: its volumes.
        directory: its files on this node.
        wake: asks the pod's worker to look again.
        dying: set when the pod is on its way out: nothing is started any more.
    """

    registry: Registry
    runtime: Runtime
    pod: Object
    place: Place
    volumes: Volumes
    directory: Path
    wake: Callable[[], None]
    dying: bool = False

    @property
    def full_name(self) -> str:
        """``name_namespace(uid)``, as messages name a pod."""
        meta = self.pod["metadata"]
        return f"{meta['name']}_{meta['namespace']}({meta['uid']})"

    def event(self, type_: str, reason: str, message: str, field_path: str = "") -> None:
        """Writes an event about the pod or, with a field path, one of its containers."""
        settings = self.runtime.settings
        self.registry.event(
            self.pod,
            type_,
            reason,
            message,
            component="kubelet",
            host=settings.node_name,
            field_path=field_path,
        )
