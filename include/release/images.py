"""Which build an image name means: the lock files in ``include/config/images``."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from include.release.refs import parse_reference
from include.release.spec import Strict, Text

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
BuildId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class LockedImage(Strict):
    """One build."""

    digest: Digest = Field(title="Digest by which the registry and the cluster know it")
    build: BuildId | None = Field(
        default=None, title="Build id that the program computes of itself and answers at /version"
    )
    qa_only: bool = Field(
        default=False, title="Made for trying: never for an environment with a gate (label shop.qa-only)"
    )


class ImageLock(Strict):
    """What each ``name:tag`` is in one registry. Written by the image build; not by hand."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, title="Image lock")

    registry: Text = Field(title="Registry, without a slash at the end")
    images: dict[str, LockedImage] = Field(title="Builds by name:tag")

    def find(self, image: str) -> LockedImage | None:
        """What ``image`` (resolved or not) is; None when it is not locked."""
        reference = parse_reference(image)
        return self.images.get(reference.short) if reference else None

    def resolve(self, image: str) -> str | None:
        """``registry/name:tag@sha256:...`` for ``name:tag``; None when it is not locked."""
        reference, locked = parse_reference(image), self.find(image)
        return f"{self.registry}/{reference.short}@{locked.digest}" if locked and reference else None

    def build_of(self, image: str) -> str | None:
        """The build id that the program in ``image`` (resolved or not) reports; None when it is not known."""
        locked = self.find(image)
        return locked.build if locked else None
