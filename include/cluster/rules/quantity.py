"""Quantities such as ``250m`` and ``1.5Gi``: their value, and the form in which Kubernetes stores them."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from functools import lru_cache

from include.cluster.errors import bad_request

_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_FORM = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))((?:[KMGTPE]i)|[numkMGTPE]?|[eE][+-]?\d+)$")
_REFUSAL = r"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


@lru_cache(maxsize=2048)
def _split(text: str) -> tuple[Decimal, str]:
    match = _FORM.match(text)
    if match is None:
        raise bad_request(_REFUSAL)
    number, suffix = match.groups()
    try:
        value = Decimal(number)
    except InvalidOperation as error:  # pragma: no cover - the expression above allows numbers only
        raise bad_request(_REFUSAL) from error
    if suffix in _BINARY:
        return value * 1024 ** _BINARY[suffix], "binary"
    if suffix in _DECIMAL:
        return value.scaleb(_DECIMAL[suffix]), "decimal"
    return value.scaleb(int(suffix[1:])), "exponent"


def parse(text: str | int | float) -> Decimal:
    """The value in units (bytes, cores, pods).

    Raises:
        ApiError: 400 in the words of Kubernetes, when it is no quantity.
    """
    return _split(str(text))[0]


def canonical(text: str | int | float) -> str:
    """The form in which Kubernetes stores it: ``0.5`` is ``500m``, ``1024Mi`` is ``1Gi``.

    Raises:
        ApiError: 400 in the words of Kubernetes, when it is no quantity.
    """
    value, form = _split(str(text))
    return format_value(value, form)


def rounded(text: str | int | float) -> str:
    """The canonical form, rounded up to thousandths: Kubernetes keeps no finer amounts of a container's resources."""
    value, form = _split(str(text))
    thousandths = value.scaleb(3)
    if thousandths != thousandths.to_integral_value():
        value = thousandths.to_integral_value(ROUND_CEILING).scaleb(-3)
    return format_value(value, form)


def format_value(value: Decimal, form: str = "decimal") -> str:
    """The shortest exact text with a whole number and one suffix.

    Args:
        value: in units.
        form: ``binary`` (Ki, Mi, ...), ``decimal`` (m, k, M, ...) or ``exponent`` (e3).
    """
    if value == 0:
        return "0"
    # Finer than a billionth does not exist; Kubernetes rounds away from zero.
    if value.scaleb(9) != value.scaleb(9).to_integral_value():
        rounded = abs(value).scaleb(9).to_integral_value(ROUND_CEILING).scaleb(-9)
        value = rounded if value > 0 else -rounded
    if form == "binary" and abs(value) >= 1024 and value == value.to_integral_value():
        number = int(value)
        for suffix, power in reversed(_BINARY.items()):
            if number % 1024**power == 0:
                return f"{number // 1024**power}{suffix}"
        return str(number)
    for suffix, power in reversed(_DECIMAL.items()):
        scaled = value.scaleb(-power)
        if scaled == scaled.to_integral_value():
            if form == "exponent" and power:
                return f"{int(scaled)}e{power}"
            return f"{int(scaled)}{suffix}"
    return str(value)  # pragma: no cover - a rounded value always fits a billionth
