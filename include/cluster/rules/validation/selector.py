"""Label selectors of workloads."""

from __future__ import annotations

from typing import Any

from include.cluster.rules import names
from include.cluster.rules.validation.errors import Errors

Object = dict[str, Any]

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def check(errors: Errors, field: str, selector: Object) -> None:
    """Its labels and expressions."""
    errors.labels(f"{field}.matchLabels", selector.get("matchLabels"))
    for index, one in enumerate(selector.get("matchExpressions") or []):
        _expression(errors, f"{field}.matchExpressions[{index}]", one)


def _expression(errors: Errors, field: str, one: Object) -> None:
    operator, values = one.get("operator") or "", one.get("values") or []
    if operator in ("In", "NotIn") and not values:
        errors.required(f"{field}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist") and values:
        errors.forbidden(
            f"{field}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        )
    elif operator not in _OPERATORS:
        errors.invalid(f"{field}.operator", operator, "not a valid selector operator")
    errors.each(f"{field}.key", one.get("key") or "", names.qualified_name(one.get("key") or ""))
    for index, value in enumerate(values):
        errors.each(f"{field}.values[{index}]", value, names.label_value(value))
