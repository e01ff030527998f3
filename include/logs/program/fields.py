"""Reading JSON with clear errors: each names the place, what was found there and what was expected."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, TypeVar

from .problems import RequestError

T = TypeVar("T")
_MISSING = object()


class Fields:
    """One object of the request; each method takes a key out, ``end`` refuses what nobody took."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise RequestError(where, value, "an object")
        self.where = where
        self._left: Dict[str, Any] = dict(value)

    def _take(self, key: str, default: Any) -> Any:
        value = self._left.pop(key, default)
        if value is _MISSING:
            raise RequestError(f"{self.where}.{key}", "nothing", "a value")
        return value

    def text(self, key: str, default: Any = _MISSING) -> str:
        """A string; one without a default must say something."""
        value = self._take(key, default)
        if not isinstance(value, str) or (default is _MISSING and not value):
            raise RequestError(f"{self.where}.{key}", value, "a text")
        return value

    def slug(self, key: str) -> str:
        """A string that is safe as a file name."""
        value = self.text(key)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", value):
            raise RequestError(
                f"{self.where}.{key}", value, "letters, digits, '.', '_' and '-' (at most 200)"
            )
        return value

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise RequestError(f"{self.where}.{key}", value, "true or false")
        return value

    def number(self, key: str, default: float, least: float, most: float) -> float:
        """A number within bounds."""
        value = self.optional_number(key, least, most)
        return default if value is None else value

    def optional_number(self, key: str, least: float = 0, most: float = 2**62) -> Optional[float]:
        """A number within bounds, or None where there is none."""
        value = self._take(key, None)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            raise RequestError(f"{self.where}.{key}", value, f"a number from {least:g} to {most:g}")
        return value

    def whole(self, key: str, default: int, least: int, most: int) -> int:
        """A whole number within bounds."""
        return int(self.number(key, default, least, most))

    def optional_whole(self, key: str, least: int = 0) -> Optional[int]:
        """A whole number, or None."""
        value = self.optional_number(key, least)
        return None if value is None else int(value)

    def moment(self, key: str) -> Optional[float]:
        """A moment (ISO 8601 with a zone) in seconds since 1970, or None."""
        value = self.text(key, "")
        if not value:
            return None
        try:
            found = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            raise RequestError(f"{self.where}.{key}", value, "a moment such as 2026-01-31T04:00:00+00:00")
        return found.astimezone(timezone.utc).timestamp()

    def one_of(self, key: str, choices: Sequence[str], default: str) -> str:
        """One of the choices."""
        value = self.text(key, default)
        if value not in choices:
            raise RequestError(f"{self.where}.{key}", value, "one of " + ", ".join(choices))
        return value

    def texts(self, key: str) -> Tuple[str, ...]:
        """A list of one or more strings."""
        value = self._take(key, _MISSING)
        if not isinstance(value, list) or not value or not all(isinstance(x, str) and x for x in value):
            raise RequestError(f"{self.where}.{key}", value, "a list of one or more texts")
        return tuple(value)

    def objects(self, key: str, read: Callable[[Fields], T]) -> Tuple[T, ...]:
        """A list of objects, each read by ``read``; empty where there is none."""
        value = self._take(key, [])
        if not isinstance(value, list):
            raise RequestError(f"{self.where}.{key}", value, "a list")
        found: List[T] = []
        for number, item in enumerate(value):
            fields = Fields(item, f"{self.where}.{key}[{number}]")
            found.append(read(fields))
            fields.end()
        return tuple(found)

    def raw(self, key: str) -> Dict[str, Any]:
        """An object as it is, for another module to read; empty where there is none."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            raise RequestError(f"{self.where}.{key}", value, "an object")
        return value

    def inner(self, key: str) -> Fields:
        """An object within this one."""
        return Fields(self._take(key, _MISSING), f"{self.where}.{key}")

    def end(self) -> None:
        """Refuse what is left."""
        if self._left:
            raise RequestError(self.where, ", ".join(sorted(self._left)), "no such key")
