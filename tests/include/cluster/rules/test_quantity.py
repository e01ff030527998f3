from __future__ import annotations

from decimal import Decimal

import pytest

from include.cluster.errors import ApiError
from include.cluster.rules import quantity


@pytest.mark.parametrize(
    ("text", "stored", "value"),
    [
        ("0.5", "500m", "0.5"),
        ("1000m", "1", "1"),
        ("250m", "250m", "0.25"),
        ("1024Mi", "1Gi", "1073741824"),
        ("1.5Gi", "1536Mi", "1610612736"),
        ("1000M", "1G", "1000000000"),
        ("123Ki", "123Ki", "125952"),
        ("0", "0", "0"),
        ("-1", "-1", "-1"),
        ("1e3", "1e3", "1000"),
        (" 1"[1:], "1", "1"),
        (128, "128", "128"),
        ("0.0000000001", "1n", "1E-10"),
    ],
)
def test_a_quantity_is_read_and_stored_in_one_form(text: str | int, stored: str, value: str) -> None:
    assert quantity.canonical(text) == stored
    assert quantity.parse(text) == Decimal(value)


@pytest.mark.parametrize("text", ["256mb", "", "abc", "1 Gi", "1GiB", "--1", "1ki"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="quantities must match the regular expression"):
        quantity.parse(text)
