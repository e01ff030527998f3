"""Exact figures: how people write them, what they are worth, and how they are shown."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from include.release import quantity

MEBIBYTE = 1024 * 1024
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?(/[0-9]{1,15})?")
_PERCENT = re.compile(r"([+-]?)\s*([0-9]{1,4}(?:\.[0-9]{1,6})?)\s*%")


def _check_figure(value: Any) -> Any:
    """A number above 0. A float of the file becomes the text it was written as, so that it stays exact."""
    written = str(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else ""
    if not _NUMBER.fullmatch(written) or written.endswith("/0") or fraction(written) <= 0:
        raise PydanticCustomError("figure", "a number above 0, such as 500, 2.5 or 1300/3")
    return written if isinstance(value, float) else value


def _check_share(value: Any) -> Any:
    if not isinstance(value, str) or not _PERCENT.fullmatch(value) or not 0 < percent(value) <= 1:
        plain = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 100
        fix = {"fix": f"write {value} %" if plain else ""}
        raise PydanticCustomError("share", "a share above 0 % and at most 100 %, such as 85 %", fix)
    return value


def _check_change(value: Any) -> Any:
    if not isinstance(value, str) or not _PERCENT.fullmatch(value) or percent(value) <= -1:
        raise PydanticCustomError("change", "a change above -100 %, such as +25 %, -10 % or 0 %")
    return value


def _check_amount(value: Any) -> Any:
    number = quantity.parse(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
    if number is None or number <= 0:
        right = quantity.meant(str(value))
        raise PydanticCustomError(
            "amount",
            "{text}",
            {"text": f"a quantity above 0 like 256Mi or 250m{f'; write {right}' if right else ''}"},
        )
    return str(value)


_NUMBER_OR_TEXT = WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}]})
Figure = Annotated[int | str, BeforeValidator(_check_figure), _NUMBER_OR_TEXT]
"""A number above 0, exact: ``500``, ``2.5`` or ``1300/3``."""
Share = Annotated[str, BeforeValidator(_check_share)]
"""A share above 0 % and at most 100 %, written ``85 %``."""
Change = Annotated[str, BeforeValidator(_check_change)]
"""A change of a figure, written ``+25 %``."""
Amount = Annotated[str, BeforeValidator(_check_amount), _NUMBER_OR_TEXT]
"""A Kubernetes quantity above 0: ``256Mi``, ``250m``."""


def fraction(value: int | str) -> Fraction:
    """What a Figure is worth."""
    over, _, under = str(value).partition("/")
    return Fraction(over) / Fraction(under or 1)


def percent(value: str) -> Fraction:
    """What a Share or a Change is worth: ``+25 %`` is 1/4."""
    found = _PERCENT.fullmatch(value)
    if found is None:
        raise ValueError(f"{value!r} is no percentage")
    return Fraction(found[2]) / 100 * (-1 if found[1] == "-" else 1)


def amount(value: str) -> Fraction:
    """What a quantity is worth, in bytes or cores. Raises ValueError."""
    number = quantity.parse(value)
    if number is None:
        raise ValueError(f"{value!r} is no quantity")
    return Fraction(number)


def whole_up(value: Fraction) -> int:
    """The next whole number, upwards."""
    return -(-value.numerator // value.denominator)


def step_up(value: Fraction, step: Fraction) -> Fraction:
    """The next multiple of a step, upwards."""
    return whole_up(value / step) * step


def number(value: Fraction | int, digits: int = 1) -> str:
    """A number as it is shown: whole if it is, else rounded half up to a few digits."""
    exact = Fraction(value)
    if exact.denominator == 1:
        return str(exact.numerator)
    scaled = int(abs(exact) * 10**digits + Fraction(1, 2))
    text = f"{scaled // 10**digits}.{scaled % 10**digits:0{digits}d}".rstrip("0").rstrip(".")
    return f"-{text}" if exact < 0 and scaled else text


def share_text(value: Fraction) -> str:
    """``85 %``; rounded to a whole percentage."""
    return (
        f"{number(value * 100, 1) if value < Fraction(1, 100) else number(Fraction(_half_up(value * 100)))} %"
    )


def change_text(value: str) -> str:
    """A Change as a reader knows it: ``unchanged`` or ``+25 %``."""
    return value if percent(value) else "unchanged"


def memory_text(size: Fraction, digits: int = 1) -> str:
    """Bytes as ``272 MiB``."""
    return f"{number(size / MEBIBYTE, digits)} MiB"


def cpu_text(cores: Fraction) -> str:
    """Cores as ``217m``, thousandths of a core."""
    return f"{number(cores * 1000)}m"


def memory_quantity(size: Fraction) -> str:
    """Bytes as a Kubernetes quantity, ``320Mi``, ``1Gi``; rounded up to whole bytes."""
    count = whole_up(size)
    for suffix, power in (("Gi", 3), ("Mi", 2), ("Ki", 1)):
        if count % 1024**power == 0:
            return f"{count // 1024**power}{suffix}"
    return str(count)


def cpu_quantity(cores: Fraction) -> str:
    """Cores as a Kubernetes quantity in thousandths, ``250m``."""
    return f"{whole_up(cores * 1000)}m"


def _half_up(value: Fraction) -> int:
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)
