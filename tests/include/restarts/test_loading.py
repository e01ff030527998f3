"""What is wrong with a guards file is said once, clearly, and with its line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from include.release.loading import PROJECT, Sources
from include.release.problems import RejectedError
from include.restarts.loading import read_guard, read_guards

GUARD = """guards:
  - name: swype
    title: UpCommerce's payment service
    environment: payments
    deployment: swype-app
"""
CAUSES = (
    "any, or a list such as [network], of network, oom, liveness, startup_probe, image, config, node, application, "
    "signal, clean_exit, unknown"
)


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """The project's configuration, with guards that a test writes."""
    shutil.copy(PROJECT / "include" / "config" / "environments.yaml", tmp_path)
    return Sources(PROJECT / "include" / "releases", tmp_path)


def refused(sources: Sources, text: str) -> list[tuple[int, str, str, str]]:
    """Line, field, found and expected of every problem."""
    (sources.config / "guards.yaml").write_text(text)
    with pytest.raises(RejectedError) as error:
        read_guards(sources)
    return [(each.line, each.field, each.found, each.expected) for each in error.value.problems]


def test_the_guards_as_shipped_are_right() -> None:
    sources = Sources.from_environment()
    guard, place, _ = read_guard(sources, "swype")
    assert (guard.deployment, place.namespace) == ("swype-app", "sre")
    assert (guard.threshold, guard.window_minutes, guard.causes) == (3, 15, ["network"])


@pytest.mark.parametrize(
    ("line", "field", "found", "expected"),
    [
        (
            "threshold: 0",
            "guards[0].threshold",
            "the number 0",
            "a number of restarts from 1 to 100: it presses at more than that; 0 would press at the first restart",
        ),
        (
            "threshold: -1",
            "guards[0].threshold",
            "the number -1",
            "a number of restarts from 1 to 100: it presses at more than that",
        ),
        (
            "threshold: 101",
            "guards[0].threshold",
            "the number 101",
            "a number of restarts from 1 to 100: it presses at more than that",
        ),
        ("threshold: many", "guards[0].threshold", "'many'", "a whole number"),
        ("threshold: 3.5", "guards[0].threshold", "the number 3.5", "a whole number"),
        ("threshold: true", "guards[0].threshold", "true", "a whole number"),
        ("causes: []", "guards[0].causes", "an empty list", CAUSES),
        ("causes: network", "guards[0].causes", "'network'", CAUSES),
        ("causes: null", "guards[0].causes", "nothing", CAUSES),
        ("causes: [network, dns]", "guards[0].causes", "a list of 2", f"{CAUSES} (not dns)"),
        ("causes: [any]", "guards[0].causes", "a list of 1", f"{CAUSES} (not any)"),
        ("causes: [oom, oom]", "guards[0].causes", "a list of 2", f"{CAUSES} (oom once)"),
        ("window_minutes: 0", "guards[0].window_minutes", "the number 0", "input should be greater than 0"),
        (
            "window_minutes: 15m",
            "guards[0].window_minutes",
            "'15m'",
            "input should be a valid number, unable to parse string as a number",
        ),
        (
            "cooldown_minutes: 0",
            "guards[0].cooldown_minutes",
            "the number 0",
            "input should be greater than 0",
        ),
        ("containers: app", "guards[0].containers", "'app'", "a list"),
        (
            "upstream: {kind: service, service: gateway-service}",
            "guards[0].upstream",
            "a mapping",
            "service and port, such as service: gateway-service, port: 5010",
        ),
        (
            "upstream: {kind: service, service: gateway-service, port: 1, command: [ls]}",
            "guards[0].upstream",
            "a mapping",
            "no command: that is for kind: job, or it is not known what is to be asked",
        ),
        (
            "upstream: {kind: job, command: [ls], port: 1}",
            "guards[0].upstream",
            "a mapping",
            "the command alone, or it is not known what is to be asked",
        ),
    ],
)
def test_one_mistake_is_one_problem(
    sources: Sources, line: str, field: str, found: str, expected: str
) -> None:
    assert refused(sources, f"{GUARD}    {line}\n") == [(6, field, found, expected)]


def test_a_key_that_is_misspelt_is_named_with_what_was_meant(sources: Sources) -> None:
    (sources.config / "guards.yaml").write_text(f"{GUARD}    treshold: 4\n")
    with pytest.raises(RejectedError, match="write threshold: instead"):
        read_guards(sources)


def test_two_guards_of_one_name_or_of_one_deployment_are_refused_once_each(sources: Sources) -> None:
    second = GUARD.removeprefix("guards:\n").replace("name: swype", "name: swype-again")
    assert refused(sources, GUARD + second) == [
        (
            9,
            "deployment",
            "swype-app in namespace sre, which the guard swype (line 2) has already",
            "one guard for a Deployment: two would press and re-arm against each other",
        )
    ]
    second = GUARD.removeprefix("guards:\n").replace("swype-app", "other-app")
    assert refused(sources, GUARD + second) == [
        (
            6,
            "name",
            "swype again (first on line 2)",
            "each name once: its DAGs and its counts are kept under it",
        )
    ]


def test_the_same_deployment_through_another_environment_is_refused_too(sources: Sources) -> None:
    path = sources.config / "environments.yaml"
    text = path.read_text()
    start = text.index("  - name: payments")
    path.write_text(text + text[start:].replace("name: payments", "name: payments-too"))
    second = GUARD.removeprefix("guards:\n").replace("name: swype", "name: again")
    found = refused(sources, GUARD + second.replace("environment: payments", "environment: payments-too"))
    assert [(line, field) for line, field, _, _ in found] == [(9, "deployment")]


def test_a_name_that_no_object_can_have_is_refused(sources: Sources) -> None:
    for name in ("Swype", "swype_app", "-swype", "s" * 54):
        ((line, field, _, expected),) = refused(sources, GUARD.replace("name: swype", f"name: {name}"))
        assert (line, field) == (2, "guards[0].name")
        assert expected.startswith("text that matches ")


def test_an_environment_that_is_not_there_is_named_with_those_that_are(sources: Sources) -> None:
    assert refused(sources, GUARD.replace("environment: payments", "environment: prod")) == [
        (4, "environment", "prod", "one of qa, production, payments")
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", (1, "", "nothing", "a mapping with storm, liveness_minutes, relist_seconds, guards")),
        ("guards:\n", (1, "guards", "nothing", "a list")),
        (
            f"storm: {{guards: 0}}\n{GUARD}",
            (1, "storm.guards", "the number 0", "input should be greater than or equal to 1"),
        ),
        (
            f"liveness_minutes: 0.2\n{GUARD}",
            (1, "liveness_minutes", "the number 0.2", "input should be greater than or equal to 1"),
        ),
    ],
)
def test_what_all_guards_share_is_checked_too(
    sources: Sources, text: str, problem: tuple[int, str, str, str]
) -> None:
    assert refused(sources, text) == [problem]


def test_no_guard_at_all_is_right(sources: Sources) -> None:
    (sources.config / "guards.yaml").write_text("guards: []\n")
    assert read_guards(sources).guards == []


def test_a_guard_that_is_not_there_is_named_with_those_that_are(sources: Sources) -> None:
    (sources.config / "guards.yaml").write_text(GUARD)
    with pytest.raises(RejectedError, match="no guard 'swipe'"):
        read_guard(sources, "swipe")
