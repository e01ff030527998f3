"""Whose restarts count: those of the Deployment that is watched now, and of a soak those since it began."""

from __future__ import annotations

from datetime import timedelta

from include.restarts.decision import HELD, decide, restarts_that_count
from include.restarts.facts import Restart
from include.restarts.ledger import Ledger
from tests.include.restarts.kubelet import START, Kubelet
from tests.include.restarts.test_decision import Case, guard


def turned() -> Case:
    """A watch whose guard was given another Deployment after four network restarts of the first one's container."""
    case = Case()
    assert case.restarts(["network"] * 4).action == "press"
    other = Kubelet(uid="other")
    other.now = case.kubelet.pass_time(seconds=30)
    case.kubelet = other
    return case


def test_a_guard_that_is_given_another_deployment_counts_nothing_of_the_first() -> None:
    case = turned()
    found = case.look()
    assert (found.action, found.counts) == ("wait", {})
    assert case.restarts(["network"] * 3).action == "wait"
    assert case.restart().action == "press"


def test_it_counts_nothing_of_the_first_after_the_ledger_was_stored_either() -> None:
    case = turned()
    case.ledger = Ledger.from_json(case.ledger.to_json(), 15)
    assert case.look().counts == {}


def test_one_that_is_given_the_first_again_has_its_counts() -> None:
    case = Case()
    first = case.kubelet
    case.restarts(["network"] * 3)
    case.kubelet = Kubelet(uid="other")
    case.kubelet.now = first.pass_time(seconds=30)
    case.look()
    case.kubelet = first
    assert case.look().counts == {"app": {"network": 3}}
    assert case.restart().action == "press"


def test_a_press_that_was_held_back_holds_back_none_of_another_deployment() -> None:
    case = Case()
    case.restarts(["network"] * 4)
    case.ledger.note_alert(HELD, case.kubelet.now)
    case.ledger.note_asked(case.kubelet.now)
    assert case.look().action == "wait"
    assert case.ledger.asked_at is not None
    other = Kubelet(uid="other")
    other.now = case.kubelet.pass_time(seconds=30)
    case.kubelet = other
    assert case.restarts(["network"] * 4).action == "press"
    assert case.ledger.asked_at is None


def test_a_soak_counts_from_its_start() -> None:
    """A soak of the release before has left its counts under the same name, and the broken pods their restarts."""
    case = Case(guard(causes="any"))
    case.restarts(["application"] * 4)
    begun = case.kubelet.pass_time(seconds=5)
    view = case.kubelet.view()
    assert decide(case.rule, case.ledger, view, case.kubelet.now).action == "press"
    assert decide(case.rule, case.ledger, view, case.kubelet.now, begun_at=begun).counts == {}
    case.restarts(["application"] * 4)
    found = decide(case.rule, case.ledger, case.kubelet.view(), case.kubelet.now, begun_at=begun)
    assert (found.action, found.counts) == ("press", {"app": {"application": 4}})


def test_restarts_that_count_are_told_by_container() -> None:
    case = Case()
    case.restarts(["network"] * 2)
    stray = Restart(
        pod="p", pod_uid="p", deployment_uid="x", container="app", number=1, at=START, cause="network"
    )
    case.ledger.record([stray], case.kubelet.view(), case.kubelet.now)
    found = restarts_that_count(case.rule, case.ledger, case.kubelet.view(), case.kubelet.now)
    assert {name: [each.number for each in some] for name, some in found.items()} == {"app": [1, 2]}
    late = case.kubelet.now + timedelta(minutes=16)
    assert restarts_that_count(case.rule, case.ledger, case.kubelet.view(), late) == {}
