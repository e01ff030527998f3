"""How well causes are found: on recorded deaths, on look-alikes, on what real programs print."""

from __future__ import annotations

import copy
import sys
from typing import Any

import pytest

from include.restarts.cause import classify, culprits
from include.restarts.cause.cases import Case, read_cases
from include.restarts.cause.measuring import Judged, matrix
from tests.include.restarts.cause.building import RECORDED, look_alikes

RECORDINGS = list(read_cases([RECORDED]))
HAND_MADE = [*look_alikes("look-alikes.yaml"), *look_alikes("held-out.yaml")]
PROGRAMS = look_alikes("programs.jsonl")

NOT_FOUND = {
    "elixir_tcp_connect": "the error of the network is followed by another that names no reason: unknown, it asks",
}


def judged(cases: list[Case]) -> list[Judged]:
    return [case.judged()[1] for case in cases]


def name(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", RECORDINGS, ids=name)
def test_a_recorded_death_has_its_label_or_one_that_is_defensible(case: Case) -> None:
    _, result = case.judged()
    assert result.defensible, f"{result.found}: {result.finding}"
    assert result.finding.evidence


@pytest.mark.parametrize("case", HAND_MADE, ids=name)
def test_a_look_alike_is_not_mistaken(case: Case) -> None:
    _, result = case.judged()
    if case.name in NOT_FOUND:
        assert result.finding.cause == "unknown"
        assert "network" in result.finding.alternatives
        return
    assert result.defensible, f"{result.found}: {result.finding}"


@pytest.mark.parametrize(
    ("title", "cases", "missed"),
    [
        ("recorded deaths", RECORDINGS, 0),
        ("look-alikes, by hand", HAND_MADE, 1),
        ("real programs", PROGRAMS, 5),
    ],
    ids=["recorded", "by-hand", "programs"],
)
def test_the_network_is_never_blamed_and_hardly_missed(
    title: str, cases: list[Case], missed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    results = judged(cases)
    with capsys.disabled():
        sys.stdout.write(f"\n\n{title}: {matrix(results)}\n")
    assert [each.case for each in results if each.presses and not each.may_press] == []
    lost = [each.case for each in results if each.must_press and not each.presses]
    assert len(lost) <= missed, lost


@pytest.mark.parametrize("lines", [20, 8])
def test_a_log_that_is_cut_never_blames_the_network(lines: int) -> None:
    for case in [*PROGRAMS, *HAND_MADE]:
        logs = {
            container: {
                which: "\n".join(log.splitlines()[-lines:]) if isinstance(log, str) else log
                for which, log in each.items()
            }
            for container, each in case.logs.items()
        }
        container = culprits(case.pod)[0].name
        finding = classify(case.pod, container, case.events, logs)
        result = Judged(case.name, case.label, case.also, finding)
        assert result.may_press or not result.presses, (case.name, finding)


def renamed(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, list):
        return [renamed(each, old, new) for each in value]
    if isinstance(value, dict):
        return {renamed(key, old, new): renamed(each, old, new) for key, each in value.items()}
    return value


@pytest.mark.parametrize("case", RECORDINGS, ids=name)
def test_neither_names_nor_commands_are_what_decides(case: Case) -> None:
    pod = copy.deepcopy(case.pod)
    for key in ("initContainers", "containers"):
        for each in pod["spec"].get(key, []):
            each.pop("command", None)
            each.pop("args", None)
    own = pod["metadata"]["name"]
    changed = Case(
        case.name,
        renamed(pod, own, "pod-7"),
        renamed(case.events, own, "pod-7"),
        renamed(case.logs, own, "pod-7"),
    )
    assert changed.finding()[1].cause == case.finding()[1].cause


def test_the_container_that_has_to_explain_itself_is_found() -> None:
    recorded = {case.name: case for case in RECORDINGS}
    expected = {
        "init_application": "migrate",
        "init_network_dns": "fetch-config",
        "sidecar_native_restarts": "proxy",
        "two_containers_one_application": "worker",
        "config_missing_pvc": "app",
        "eviction_emptydir": "app",
    }
    assert {each: recorded[each].finding()[0] for each in expected} == expected
