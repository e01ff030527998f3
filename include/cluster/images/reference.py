"""Image references: ``[registry/]repository[:tag][@digest]``."""

from __future__ import annotations

import re
from dataclasses import dataclass

_DEFAULT_REGISTRY = "docker.io"
_PATTERN = re.compile(
    r"(?P<name>[a-zA-Z0-9][a-zA-Z0-9._-]*(?::[0-9]+)?(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


class ReferenceError(ValueError):
    """The text is no image reference."""


@dataclass(frozen=True)
class Reference:
    """A reference with nothing left out: ``web`` is ``docker.io/library/web:latest``, as the runtimes read it."""

    name: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Reads a reference.

        Raises:
            ReferenceError: it is not one.
        """
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise ReferenceError(f"{text!r} is not an image reference (name[:tag][@sha256:...])")
        name, tag, digest = match["name"], match["tag"] or "", match["digest"] or ""
        first, _, rest = name.partition("/")
        if not rest:
            if (
                ":" in name
            ):  # a port can only be a registry's; what looks like one behind a bare name is a tag
                name, _, tag = name.partition(":")
            name = f"{_DEFAULT_REGISTRY}/library/{name}"
        elif not ("." in first or ":" in first or first == "localhost"):
            name = f"{_DEFAULT_REGISTRY}/{name}"
        if name.lower() != name:
            raise ReferenceError(f"{text!r}: the repository's name must be in lower case")
        return cls(name, tag or ("" if digest else "latest"), digest)

    @property
    def tagged(self) -> str:
        """``registry/repository:tag``; without a tag just the repository."""
        return f"{self.name}:{self.tag}" if self.tag else self.name

    def __str__(self) -> str:
        return f"{self.tagged}@{self.digest}" if self.digest else self.tagged
