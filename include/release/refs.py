"""Image references: ``name:tag`` as a spec writes them, ``registry/name:tag@sha256:...`` as the cluster gets them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_REST = re.compile(
    r"(?P<name>[a-z0-9]+(?:[._/-][a-z0-9]+)*)(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)
FLOATING_TAGS = frozenset(
    {"latest", "stable", "main", "master", "edge", "nightly", "dev", "prod", "production"}
)


@dataclass(frozen=True)
class Reference:
    """The parts of an image reference; a part that is not there is empty."""

    registry: str
    name: str
    tag: str
    digest: str

    @property
    def short(self) -> str:
        """``name:tag``, the key of a lock file."""
        return f"{self.name}:{self.tag}"


def parse_reference(text: str) -> Reference | None:
    """The parts of ``text``; None when it is no image reference.

    The first part is a registry when it has a dot or a port or is ``localhost``, as container engines read it.
    """
    head, slash, rest = text.partition("/")
    registry = head if slash and ("." in head or ":" in head or head == "localhost") else ""
    found = _REST.fullmatch(rest if registry else text)
    if found is None:
        return None
    return Reference(registry, found["name"], found["tag"] or "", found["digest"] or "")
