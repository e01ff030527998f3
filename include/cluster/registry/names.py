"""Names that the cluster makes up."""

from __future__ import annotations

import secrets

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""The letters Kubernetes uses: no vowels, so that no word comes out."""

_LONGEST = 63


def suffix(length: int = 5) -> str:
    """A random suffix as Kubernetes makes them."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def generate_name(base: str) -> str:
    """``base`` with a random suffix, cut to the longest name there may be."""
    return base[: _LONGEST - 5] + suffix()
