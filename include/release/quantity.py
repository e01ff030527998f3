"""Kubernetes quantities: ``250m``, ``256Mi``, and what people write instead."""

from __future__ import annotations

import re
from decimal import Decimal

_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?[0-9]{1,2})?"
)
_POWERS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_HUMAN = re.compile(r"([0-9.]+)\s*([kmgt])(?:i?b|bytes?|ib?)?", re.IGNORECASE)


def parse(text: str | int | float) -> Decimal | None:
    """The number (bytes, cores) that a quantity means; None when it is none."""
    found = _QUANTITY.fullmatch(str(text))
    if found is None:
        return None
    number, suffix = Decimal(found[1]), found[2] or ""
    if suffix in _BINARY:
        return number * Decimal(1024) ** _BINARY[suffix]
    if suffix in _POWERS:
        return number * Decimal(10) ** _POWERS[suffix]
    return number * Decimal(10) ** int(suffix[1:])


def meant(text: str) -> str:
    """The quantity that somebody who wrote ``256mb`` or ``1 GB`` means; empty when it cannot be told."""
    found = _HUMAN.fullmatch(text.strip())
    return f"{found[1]}{found[2].upper()}i" if found else ""
