"""What can be wrong with an order or around it: the error numbers that the log has."""

from __future__ import annotations

from typing import Any, Optional

UNKNOWN_ITEM = 12
"""An order for something that is in no catalog."""
INCOMPLETE = 13
"""A field of the order is null or makes no sense."""
NO_PRICE = 14
"""The catalog has the item, but no price."""
FULFILLED = 15
"""The order is open, but was fulfilled before: somebody opened it again."""
ENDLESS = 16
"""The order was taken as often as it may be, the last time alone, and its worker ended each time before it did."""
DATABASE = 21
"""The database went away while the order was in work."""
SHIPPER_DOWN = 31
"""The shipper does not answer, or answers with an error of its own."""
SHIPPER_REFUSED = 32
"""The shipper answered that it does not take this order."""
UNEXPECTED = 99
"""An error nobody has thought of; its text has the details."""

MOST_PIECES = 1_000_000
"""A larger quantity is a mistake, not an order."""
LONGEST_TEXT = 300
"""Characters of an error's text that are kept."""


class OrderError(Exception):
    """An order could not be processed.

    Attributes:
        code: the error number in the log.
        text: what is wrong, one line for a person.
        final: trying again cannot help: the order is set aside at once.
        outside: it is not the order's fault: the try does not count.
    """

    def __init__(self, code: int, text: str, *, final: bool = False, outside: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.text = one_line(text)
        self.final = final
        self.outside = outside


def one_line(text: str) -> str:
    """Return a text for one line of a log: without line ends and other control characters, and not too long."""
    clean = "".join(letter if letter.isprintable() else " " for letter in " ".join(text.split()))
    return clean if len(clean) <= LONGEST_TEXT else clean[: LONGEST_TEXT - 3] + "..."


def incomplete(user: Any, item: Any, quantity: Any) -> Optional[str]:
    """Return what is missing or senseless in an order as the table has it, or None."""
    wrong = []
    if user is None:
        wrong.append("no user (user_id is null)")
    if item is None:
        wrong.append("no item (item is null)")
    elif not isinstance(item, str) or not item.strip():
        wrong.append(f"no item (item is {_shown(item)})")
    if quantity is None:
        wrong.append("no quantity (quantity is null)")
    elif type(quantity) is not int or not 1 <= quantity <= MOST_PIECES:
        wrong.append(f"quantity is {_shown(quantity)}, expected 1 to {MOST_PIECES}")
    return f"the order is incomplete: {', '.join(wrong)}" if wrong else None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
