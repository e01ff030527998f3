"""Whether a container's image is there, in the words and with the events of a kubelet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from include.cluster.images import Image, ImageStore, Reference, ReferenceError

Object = dict[str, Any]
Event = Callable[[str, str, str], None]
"""Writes an event about the container: type, reason, message."""


class ImageError(Exception):
    """The image is not to be had. ``reason`` and the text are those of the container's waiting state."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Found:
    """An image with the names that a container status carries."""

    image: Image
    name: str
    identity: str


def fetch(store: ImageStore, container: Object, event: Event) -> Found:
    """Finds a container's image by its pull policy, and says so in events.

    Raises:
        ImageError: it is not there.
    """
    text: str = container["image"]
    policy = container.get("imagePullPolicy") or "IfNotPresent"
    try:
        reference = Reference.parse(text)
    except ReferenceError as error:
        message = f'Failed to apply default image tag "{text}": couldn\'t parse image name "{text}": invalid reference format'
        event("Warning", "InspectFailed", message)
        event("Warning", "Failed", "Error: InvalidImageName")
        raise ImageError("InvalidImageName", message) from error
    image = store.resolve(text)
    if image is None and policy == "Never":
        message = f'Container image "{text}" is not present with pull policy of Never'
        event("Warning", "ErrImageNeverPull", message)
        event("Warning", "Failed", "Error: ErrImageNeverPull")
        raise ImageError("ErrImageNeverPull", message)
    if image is None:
        event("Normal", "Pulling", f'Pulling image "{text}"')
        name = str(reference)
        why = (
            f'rpc error: code = NotFound desc = failed to pull and unpack image "{name}": '
            f"failed to resolve image: {name}: not found"
        )
        event("Warning", "Failed", f'Failed to pull image "{text}": {why}')
        event("Warning", "Failed", "Error: ErrImagePull")
        raise ImageError("ErrImagePull", why)
    if policy == "Always":
        event("Normal", "Pulling", f'Pulling image "{text}"')
        event(
            "Normal",
            "Pulled",
            f'Successfully pulled image "{text}" in 0s (0s including waiting). Image size: {image.size} bytes.',
        )
    else:
        event(
            "Normal",
            "Pulled",
            f'Container image "{text}" already present on machine and can be accessed by the pod',
        )
    return Found(image, reference.tagged, f"{reference.name}@{image.digest}")
