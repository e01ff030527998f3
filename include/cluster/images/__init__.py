"""Images of the embedded cluster: directory trees in a store addressed by their content."""

from __future__ import annotations

from include.cluster.images.builder import BuildError
from include.cluster.images.reference import Reference, ReferenceError
from include.cluster.images.store import BASE_REFERENCE, Image, ImageStore

__all__ = ["BASE_REFERENCE", "BuildError", "Image", "ImageStore", "Reference", "ReferenceError"]
