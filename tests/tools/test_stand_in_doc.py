"""The document about the stand-in says what the stand-in does."""

from __future__ import annotations

from tools import stand_in_doc


def test_lists_are_current() -> None:
    text = stand_in_doc.DOCUMENT.read_text()
    assert stand_in_doc.BEGIN in text
    assert text == stand_in_doc.current(text), "run python -m tools.stand_in_doc"


def test_lists_name_fields_of_pods_and_of_other_kinds() -> None:
    lists = stand_in_doc.lists()
    assert "| `pod: affinity` |" in lists
    assert "| `services: spec.type` |" in lists
