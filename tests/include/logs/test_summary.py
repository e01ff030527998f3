"""The last line of a step's log: anybody may have written it."""

from __future__ import annotations

import json

import pytest

from include.logs.summary import MOST, StepError, SummaryError, read_summary


def test_the_last_line_is_read():
    lines = [
        'SUMMARY {"command": "plan", "entries": 1}',
        'SUMMARY {"command": "plan", "entries": 2}',
        "",
        " ",
    ]
    assert read_summary(lines, "plan") == {"command": "plan", "entries": 2}


BAD = {
    "nothing": ([], "it wrote nothing"),
    "another last line": (["SUMMARY {}", "bye"], "its last line is 'bye', not SUMMARY and its data"),
    "a long last line": (["x" * 9000], "...', not SUMMARY and its data"),
    "too long": (["SUMMARY {" + " " * MOST + "}"], "more than 49,152"),
    "no JSON": (["SUMMARY {'a': 1}"], "is no JSON: "),
    "cut off": (['SUMMARY {"command": "plan", "na'], "is no JSON: "),
    "a list": (["SUMMARY [1]"], "is no JSON object: [1]"),
    "another command": (['SUMMARY {"command": "delete"}'], "is of command 'delete', not plan"),
    "no command": (["SUMMARY {}"], "is of command None, not plan"),
    "deep": (["SUMMARY " + "[" * 20_000], "is no JSON: "),
    "nested": (['SUMMARY {"command": "plan", "a": ' + "[" * 20 + "]" * 20 + "}"], "nested more than 12 deep"),
    "no number": (['SUMMARY {"command": "plan", "a": NaN}'], "NaN is no number"),
    "infinity": (['SUMMARY {"command": "plan", "a": 1e999}'], "a number without end"),
    "a huge number": (['SUMMARY {"command": "plan", "a": ' + "9" * 4000 + "}"], "a number that nothing here can count"),
    "a number that Python does not read": (['SUMMARY {"command": "plan", "a": ' + "9" * 9000 + "}"], "is no JSON: "),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_answer_is_refused(name):
    lines, why = BAD[name]
    with pytest.raises(SummaryError) as raised:
        read_summary(lines, "plan")
    assert why in str(raised.value)
    assert len(str(raised.value)) < 500


def test_nothing_in_it_moves_a_terminal():
    facts = {"command": "plan", "examples": ["\x1b[2Jgone", "a\nb", "\u202egpj.exe", "caf\u00e9"]}
    found = read_summary([f"SUMMARY {json.dumps(facts)}"], "plan")
    assert found["examples"] == ["\ufffd[2Jgone", "a\nb", "\ufffdgpj.exe", "caf\u00e9"]


def test_the_holder_is_known_only_where_that_is_why_it_failed():
    facts = {"holder": {"run": "a/1", "since": "2026-11-21T04:00:00+00:00", "working": True}}
    assert StepError("x", 3, facts).holder == {"run": "a/1", "since": "2026-11-21T04:00:00+00:00", "link": ""}
    assert StepError("x", 3, facts).working
    assert StepError("x", 1, facts).holder == {}
    assert StepError("x", 3, {"holder": "a/1"}).holder == {}
