from __future__ import annotations

import pytest

from include.cluster.errors import ApiError
from include.cluster.rules import selectors
from tests.include.cluster.rules.recordings import Recorded, load

_LABELS = {"app": "web", "tier": "front", "n": "3"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier=front", True),
        ("app!=web", False),
        ("missing!=x", True),
        ("app in (web, api)", True),
        ("app notin (web,api)", False),
        ("missing notin (a)", True),
        ("tier", True),
        ("!tier", False),
        ("!missing,app", True),
        ("n>2,n<4", True),
        ("n>3", False),
        ("app=", False),
    ],
)
def test_a_label_selector_selects(text: str, matches: bool) -> None:
    assert selectors.parse_labels(text).matches(_LABELS) is matches


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a===b", "unable to parse requirement: found '=', expected: identifier"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("n>x", "must be an integer"),
        ("a=not/ok", "a valid label must be an empty string"),
    ],
)
def test_a_label_selector_that_cannot_be_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(ApiError) as refusal:
        selectors.parse_labels(text)
    assert refusal.value.code == 400
    assert message in refusal.value.message


def test_a_workloads_selector_needs_all_its_parts() -> None:
    selector = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["front"]},
            {"key": "x", "operator": "DoesNotExist"},
        ],
    }
    assert selectors.from_object(selector).matches(_LABELS)
    assert not selectors.from_object(selector).matches({**_LABELS, "x": ""})
    assert selectors.from_object({}).matches({})
    assert not selectors.from_object(None).matches(_LABELS)
    assert not selectors.from_labels({}).matches(_LABELS)


def _refused_lists() -> list[Recorded]:
    return [
        case
        for topic in ("errors", "list")
        for case in load(topic)
        if case.method == "GET"
        and case.code == 400
        and {"labelSelector", "fieldSelector"} & case.query.keys()
    ]


@pytest.mark.parametrize("case", _refused_lists(), ids=lambda case: case.id)
def test_a_refused_selector_is_answered_as_recorded(case: Recorded) -> None:
    assert case.resource is not None
    with pytest.raises(ApiError) as refusal:
        selectors.parse_labels(case.query.get("labelSelector", ""))
        selectors.parse_fields(case.resource.plural, case.query.get("fieldSelector", ""))
    assert refusal.value.status() == case.answer


def _selected_lists() -> list[Recorded]:
    return [
        case
        for case in load("list")
        if case.method == "GET" and case.code == 200 and case.resource and "fieldSelector" in case.query
        if isinstance(case.answer, dict) and case.answer.get("items")
        # Translated by the server; the node's name was changed in the recording.
        if not case.path.startswith("/apis/events") and case.query["fieldSelector"] != "spec.nodeName=vm"
    ]


@pytest.mark.parametrize("case", _selected_lists(), ids=lambda case: case.id)
def test_what_a_field_selector_selected_is_selected(case: Recorded) -> None:
    assert case.resource is not None
    selector = selectors.parse_fields(case.resource.plural, case.query["fieldSelector"])
    assert all(selector.matches(item) for item in case.answer["items"])


def test_a_field_selector_tells_its_exact_name() -> None:
    selector = selectors.parse_fields("configmaps", "metadata.name=a,metadata.namespace!=b")
    assert selector.exact("metadata.name") == "a"
    assert selector.exact("metadata.namespace") is None
    assert not selector.matches({"metadata": {"name": "a", "namespace": "b"}})
