"""Collects what is wrong with an object, in the words that Kubernetes has for each sort of fault."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from include.cluster.errors import Cause
from include.cluster.rules import names
from include.cluster.rules.names import quoted

IMMUTABLE = "field is immutable"
NOT_NEGATIVE = "must be greater than or equal to 0"


class Errors:
    """A growing list of causes, in the order in which they are found."""

    def __init__(self) -> None:
        self.causes: list[Cause] = []

    def invalid(self, field: str, value: Any, why: str) -> None:
        """The value is of the right type and not acceptable."""
        self.causes.append(Cause("FieldValueInvalid", f"Invalid value: {quoted(value)}: {why}", field))

    def each(self, field: str, value: Any, problems: Iterable[str]) -> bool:
        """One cause per problem; says whether there was none."""
        found = list(problems)
        for why in found:
            self.invalid(field, value, why)
        return not found

    def required(self, field: str, why: str = "") -> None:
        """The field is missing or empty."""
        self.causes.append(
            Cause("FieldValueRequired", f"Required value: {why}" if why else "Required value", field)
        )

    def unsupported(self, field: str, value: Any, supported: Sequence[str]) -> None:
        """The value is none of those that there are."""
        listed = ", ".join(quoted(one) for one in supported)
        message = f"Unsupported value: {quoted(value)}: supported values: {listed}"
        self.causes.append(Cause("FieldValueNotSupported", message, field))

    def duplicate(self, field: str, value: Any) -> None:
        """The value has to be unique and is there already."""
        self.causes.append(Cause("FieldValueDuplicate", f"Duplicate value: {quoted(value)}", field))

    def forbidden(self, field: str, why: str) -> None:
        """The field may not be set, or not be changed."""
        self.causes.append(Cause("FieldValueForbidden", f"Forbidden: {why}", field))

    def not_found(self, field: str, value: Any) -> None:
        """The value names something that is not there."""
        self.causes.append(Cause("FieldValueNotFound", f"Not found: {quoted(value)}", field))

    def too_long(self, field: str, limit: int) -> None:
        """The value has more bytes than there may be."""
        self.causes.append(Cause("FieldValueTooLong", f"Too long: may not be more than {limit} bytes", field))

    # -- checks that many kinds share ------------------------------------------------------------------------

    def not_negative(self, field: str, value: Any) -> None:
        """A number, when there is one, must not be below zero."""
        if value is not None and value < 0:
            self.invalid(field, value, NOT_NEGATIVE)

    def immutable(self, field: str, new: Any, old: Any) -> None:
        """The value must be what it was."""
        if new != old:
            self.invalid(field, new, IMMUTABLE)

    def choice(self, field: str, value: str, supported: Sequence[str]) -> None:
        """A text that must be there and one of some."""
        if not value:
            self.required(field)
        elif value not in supported:
            self.unsupported(field, value, supported)

    def labels(self, field: str, labels: dict[str, str] | None) -> None:
        """Keys and values must be those of labels."""
        for key, value in sorted((labels or {}).items()):
            self.each(field, key, names.qualified_name(key))
            self.each(field, value, names.label_value(value))

    def port(self, field: str, value: Any) -> None:
        """A port by number or name."""
        if isinstance(value, str):
            self.each(field, value, names.port_name(value))
        else:
            self.each(field, value or 0, names.port_number(value or 0))
