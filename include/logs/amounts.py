"""Sizes and days as people write them in ``log_retention.yaml``, with the right spelling of what is nearly one."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from include.release import quantity
from include.release.policies import Clock

_HUMAN_SIZE = re.compile(r"([0-9.]+)\s*(k|m|g|t|kilo|mega|giga|tera)(?:i?b|i?bytes?)?", re.IGNORECASE)
_HUMAN_DAYS = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(d|days?|w|weeks?|y|years?)", re.IGNORECASE)
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_NEAR_CLOCK = re.compile(r"([01]?\d|2[0-3])(?:[:.h]([0-5]\d))?h?")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
MOST_DAYS = 36500
DAYS_OF = {"d": 1, "w": 7, "y": 365}


def _size(value: Any) -> Any:
    """Whole bytes, at least one: a quantity such as 250m is one of CPUs."""
    number = quantity.parse(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
    if number is not None and number >= 1 and number == int(number):
        return str(value)
    found = _HUMAN_SIZE.fullmatch(str(value).strip())
    fix = f"write {found[1]}{found[2][0].upper()}i" if found and quantity.parse(found[1]) else ""
    raise PydanticCustomError("size", "a size above 0, such as 256Mi or 10Gi", {"fix": fix})


def _days(value: Any) -> Any:
    """A number, of days."""
    if not isinstance(value, str) or _NUMBER.fullmatch(value):
        if isinstance(value, int | float) and not 0 <= value <= MOST_DAYS:
            raise PydanticCustomError(
                "days", f"a number of days from 0 to {MOST_DAYS}, such as 30", {"fix": ""}
            )
        return value
    found = _HUMAN_DAYS.fullmatch(value.strip())
    fix = f"write {float(found[1]) * DAYS_OF[found[2][0].lower()]:g}" if found else ""
    raise PydanticCustomError("days", "a number of days, such as 30", {"fix": fix})


def _time(value: Any) -> Any:
    """HH:MM, as text: YAML reads 6 as a number."""
    if isinstance(value, str) and _CLOCK.fullmatch(value):
        return value
    near = _NEAR_CLOCK.fullmatch(str(value).strip())
    fix = f'write "{int(near[1]):02d}:{near[2] or "00"}", with quotes' if near else ""
    raise PydanticCustomError("time", 'a time of day as HH:MM, such as "06:00"', {"fix": fix})


Time = Annotated[Clock, BeforeValidator(_time)]
"""A time of day."""
Size = Annotated[
    str, BeforeValidator(_size), WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}]})
]
"""Bytes, written ``256Mi``."""
Days = Annotated[float, Field(ge=0, le=MOST_DAYS, strict=False), BeforeValidator(_days)]
"""Days, of 24 hours."""
