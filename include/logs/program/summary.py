"""What a step prints: progress for people, and one last line of data that is bounded."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Optional, Tuple

LIMIT = 32 * 1024
"""Bytes of the data, at most."""
MARK = "SUMMARY "


def shown(path: bytes) -> str:
    """A path as people can read it: bytes that are no UTF-8, and control characters, as escapes."""
    text = path.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def sized(count: float) -> str:
    """Bytes as people read them: ``1.5 GiB``."""
    sign, count = ("-" if count < 0 else ""), abs(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < (
            1024 if unit == "B" else 1023.95
        ):  # what would be rounded to 1024 is 1.0 of the next unit
            return f"{sign}{count:.0f} B" if unit == "B" else f"{sign}{count:.1f} {unit}"
        count /= 1024
    return f"{sign}{count:.1f} TiB"


def counted(count: int, noun: str, nouns: str = "") -> str:
    """``1 file``, ``2,000 files``; ``nouns`` where that is not made with an s: ``2 directories``."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def say(text: str) -> None:
    """A line for people, at once."""
    print(text, flush=True)


def bounded(facts: Dict[str, Any], limit: int = LIMIT) -> Dict[str, Any]:
    """The facts within the limit: the longest lists are halved until they fit, and ``cut`` names them."""
    found: Dict[str, Any] = json.loads(json.dumps(facts))
    cut: List[str] = []
    while len(json.dumps(found)) > limit:
        longest = max(_lists(found), key=lambda item: len(json.dumps(item[1])), default=None)
        if longest is None:
            return {"cut": ["everything: the facts are too long"], "ok": facts.get("ok")}
        name, values = longest
        del values[len(values) // 2 :]
        if name not in cut:
            cut.append(name)
        found["cut"] = cut[:20]
    return found


def _lists(value: Any, name: str = "") -> List[Tuple[str, List[Any]]]:
    """The lists in the facts that have something to leave out."""
    found: List[Tuple[str, List[Any]]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if isinstance(value, list) and value and name != "cut":
        found.append((name, value))
    for key, inner in items:
        found += _lists(inner, f"{name}.{key}" if name else str(key))
    return found


def print_summary(facts: Dict[str, Any]) -> None:
    """The last line of a step."""
    say(MARK + json.dumps(bounded(facts), sort_keys=True))


def keep(path: str, facts: Dict[str, Any]) -> None:
    """Keep what a step answered, so that it is whole whenever it is there."""
    partial = path + ".partial"
    with open(partial, "w", encoding="utf-8") as file:
        json.dump(bounded(facts), file, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def kept(path: str) -> Optional[Dict[str, Any]]:
    """What a finished step answered; None when it has not finished."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None
