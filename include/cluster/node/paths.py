"""Where containers cannot have a file system of their own: paths in their texts are replaced by the real ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path


class PathMap:
    """Replaces path prefixes in texts.

    Args:
        real: the host's path for each path of the container; longer ones win.
    """

    def __init__(self, real: Mapping[str, Path]) -> None:
        self._real = {path.rstrip("/"): str(place) for path, place in real.items() if path.rstrip("/")}
        names = sorted(self._real, key=len, reverse=True)
        # a path begins where no part of another one precedes it, and ends at a slash or at what no name contains
        joined = "|".join(re.escape(name) for name in names)
        self._pattern = re.compile(rf"(?<![\w./-])({joined})(?![\w.-])") if names else None

    def text(self, text: str) -> str:
        """The text with every path of the container replaced."""
        if self._pattern is None:
            return text
        # sqlite:////data/shop.db has its path behind three slashes; the look-behind would miss it
        spread = re.sub(r"(\w+:///)(?=/)", "\\1\0", text)
        return self._pattern.sub(lambda match: self._real[match[1]], spread).replace("\0", "")

    def words(self, words: list[str]) -> list[str]:
        """Each text of a list with its paths replaced."""
        return [self.text(word) for word in words]
