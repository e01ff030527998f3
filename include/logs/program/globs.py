"""Patterns of paths below the root, as one regular expression for all classes.

``*`` and ``?`` stay within one part of the path, ``**`` crosses directories (``a/**/b`` is ``a/b`` as well),
``[a-z]`` and ``[!a-z]`` are one character. Everything else stands for itself, and the whole path must match.
"""

from __future__ import annotations

import os
import re
from typing import Pattern, Sequence


def pattern(glob: str) -> str:
    """A glob as a regular expression, over a path as ``os.fsdecode`` has it."""
    text = os.fsdecode(glob.encode("utf-8", "surrogateescape"))
    found, at = "", 0
    while at < len(text):
        char = text[at]
        if text.startswith("**/", at) and (at == 0 or text[at - 1] == "/"):
            found, at = found + "(?:.*/)?", at + 3
        elif text.startswith("**", at):
            found, at = found + ".*", at + 2
        elif char == "*":
            found, at = found + "[^/]*", at + 1
        elif char == "?":
            found, at = found + "[^/]", at + 1
        elif char == "[" and "]" in text[at + 2 :]:
            end = text.index("]", at + 2)
            inner = text[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            inner = (
                "^/" + inner[1:]
                if inner[0] == "!"
                else inner.replace("^", "\\^", 1 if inner[0] == "^" else 0)
            )
            found, at = found + f"[{inner}]", end + 1
        else:
            found, at = found + re.escape(char), at + 1
    return found


def compiled(groups: Sequence[Sequence[str]]) -> Pattern[str]:
    """One expression for several groups of globs; ``match(...).lastindex`` counts the group from 1.

    The first group that matches wins. Raises re.error for a range that makes no sense, such as ``[z-a]``.
    """
    parts = ("(" + "|".join(pattern(glob) for glob in globs) + r")\Z" for globs in groups)
    return re.compile("|".join(parts) or r"(?!)", re.DOTALL)
