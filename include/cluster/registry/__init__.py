"""The one way to read and write objects: used by the HTTP handlers, the controllers and the node alike."""

from __future__ import annotations

from include.cluster.registry.core import Registry
from include.cluster.registry.options import DeleteOptions, WriteOptions

__all__ = ["DeleteOptions", "Registry", "WriteOptions"]
