"""What one look brings into the ledger, and what stays in it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from include.restarts.facts import Restart
from include.restarts.ledger import MOST_AT_ONCE, Ledger
from include.restarts.view import View
from tests.include.restarts.kubelet import START, Kubelet, stamp

WINDOW = 15.0


def look(ledger: Ledger, kubelet: Kubelet, cause: str = "network") -> list[Restart]:
    """What a watch does with one look; every cause it can find is ``cause``."""
    new = ledger.new_restarts(kubelet.view(), kubelet.now)
    explained = [each.model_copy(update={"cause": cause}) if each.seen else each for each in new]
    ledger.record(explained, kubelet.view(), kubelet.now)
    ledger.prune(kubelet.now)
    return explained


def numbers(ledger: Ledger, kubelet: Kubelet) -> list[int]:
    """Restarts in the window, by number."""
    return [each.number for each in ledger.in_window(kubelet.now)]


def written(pod: dict[str, Any], **status: Any) -> View:
    """A view of one pod whose container status somebody wrote."""
    pod = {**pod, "status": {"containerStatuses": [{"name": "app", **status}]}}
    return View("sre", "swype-app", START, {"metadata": {"name": "swype-app"}, "spec": {}}, [], [pod])


def test_the_first_look_at_a_young_pod_counts_all_its_restarts() -> None:
    kubelet, ledger = Kubelet(), Ledger(WINDOW)
    for _ in range(3):
        kubelet.crash(kubelet.only(), after=60)
    found = look(ledger, kubelet)
    assert [(each.number, each.seen, each.cause) for each in found] == [
        (1, False, "unknown"),
        (2, False, "unknown"),
        (3, True, "network"),
    ]
    assert found[0].not_before == START


def test_the_first_look_at_an_old_pod_counts_what_its_times_prove() -> None:
    kubelet, ledger = Kubelet(), Ledger(WINDOW)
    for _ in range(9):
        kubelet.crash(kubelet.only(), after=3600)
    assert [each.number for each in look(ledger, kubelet)] == [9]
    kubelet, ledger = Kubelet(), Ledger(WINDOW)
    for _ in range(9):
        kubelet.crash(kubelet.only(), after=3600)
    kubelet.pass_time(minutes=20)
    assert look(ledger, kubelet) == []
    kubelet.crash(kubelet.only())
    assert [each.number for each in look(ledger, kubelet)] == [10]


def test_of_an_old_pod_in_a_crash_loop_the_last_two_restarts_are_proven() -> None:
    kubelet, ledger = Kubelet(), Ledger(WINDOW)
    kubelet.pass_time(hours=2)
    for _ in range(5):
        kubelet.crash(kubelet.only(), after=2, back_off=100)
    found = look(ledger, kubelet)
    assert [(each.number, each.seen) for each in found] == [(4, False), (5, True)]


def test_a_count_that_jumps_has_unseen_restarts_of_unknown_cause() -> None:
    kubelet, ledger = Kubelet(), Ledger(WINDOW)
    look(ledger, kubelet)
    for _ in range(4):
        kubelet.crash(kubelet.only())
    found = look(ledger, kubelet)
    assert [(each.seen, each.cause) for each in found] == [(False, "unknown")] * 3 + [(True, "network")]


def test_pods_without_container_statuses_are_no_restarts() -> None:
    pod = {"metadata": {"name": "p", "uid": "u", "creationTimestamp": stamp(START)}}
    ledger = Ledger(WINDOW)
    for shown in (pod, {**pod, "status": {}}, {**pod, "status": {"containerStatuses": None}}):
        view = View("sre", "swype-app", START, {"metadata": {"name": "swype-app"}}, [], [shown])
        assert ledger.new_restarts(view, START) == []
        ledger.record([], view, START)
    view = written(
        pod, restartCount=1, state={"running": {}}, lastState={"terminated": {"finishedAt": stamp(START)}}
    )
    assert [each.number for each in ledger.new_restarts(view, START)] == [1]


def test_what_the_process_ended_of_is_found_before_the_kubelet_starts_it_again() -> None:
    """It counts when it is started again; its cause is known by then, and is not asked for twice."""
    kubelet, ledger = Kubelet(), Ledger(WINDOW)
    look(ledger, kubelet)
    kubelet.only().end(kubelet.pass_time(seconds=5))
    assert [(each.number, each.pending) for each in look(ledger, kubelet)] == [(1, True)]
    assert numbers(ledger, kubelet) == []
    kubelet.only().back_off()
    assert look(ledger, kubelet) == []
    kubelet.only().start(kubelet.pass_time(seconds=40))
    assert look(ledger, kubelet) == []
    (restart,) = ledger.in_window(kubelet.now)
    assert (restart.number, restart.pending, restart.cause) == (1, False, "network")
    assert restart.at == START + timedelta(seconds=5)


def test_a_cause_that_was_not_found_at_the_end_is_looked_for_again_at_the_restart() -> None:
    kubelet, ledger = Kubelet(), Ledger(WINDOW)
    look(ledger, kubelet)
    kubelet.only().end(kubelet.pass_time(seconds=5))
    look(ledger, kubelet, cause="unknown")
    kubelet.only().start(kubelet.pass_time(seconds=5))
    assert [(each.number, each.pending) for each in look(ledger, kubelet)] == [(1, False)]
    assert [each.cause for each in ledger.in_window(kubelet.now)] == ["network"]


@pytest.mark.parametrize("what", ["replaced", "scaled to zero", "scaled up"])
def test_restarts_stay_when_their_pod_is(what: str) -> None:
    kubelet, ledger = Kubelet(), Ledger(WINDOW)
    look(ledger, kubelet)
    kubelet.crash(kubelet.only())
    look(ledger, kubelet)
    (uid,) = kubelet.pods
    if what == "replaced":
        kubelet.replace(uid)
    elif what == "scaled to zero":
        kubelet.remove(uid)
    else:
        kubelet.add()
    kubelet.pass_time(minutes=2)
    assert look(ledger, kubelet) == []
    assert numbers(ledger, kubelet) == [1]
    kubelet.pass_time(minutes=14)
    assert numbers(ledger, kubelet) == []


def test_an_evicted_pod_has_ended_but_not_restarted() -> None:
    kubelet, ledger = Kubelet(), Ledger(WINDOW)
    look(ledger, kubelet)
    kubelet.only().end(kubelet.pass_time(seconds=5))
    view = kubelet.view()
    view.pods[0]["status"]["phase"] = "Failed"
    assert ledger.new_restarts(view, kubelet.now) == []


def test_an_init_container_that_is_done_is_not_about_to_restart() -> None:
    kubelet, ledger = Kubelet((("migrate", "init"), ("app", "main"))), Ledger(WINDOW)
    kubelet.only("migrate").end(kubelet.pass_time(seconds=5))
    view = kubelet.view()
    (status,) = view.pods[0]["status"]["initContainerStatuses"]
    status["state"]["terminated"]["exitCode"] = 0
    assert ledger.new_restarts(view, kubelet.now) == []


def test_a_count_that_falls_back_is_taken_as_it_is_and_goes_on_counting() -> None:
    kubelet, ledger = Kubelet(), Ledger(WINDOW)
    look(ledger, kubelet)
    for _ in range(3):
        kubelet.crash(kubelet.only())
        look(ledger, kubelet)
    kubelet.only().count = 0  # the container runtime was reset
    kubelet.only().ends.clear()
    kubelet.pass_time(seconds=30)
    assert look(ledger, kubelet) == []
    kubelet.crash(kubelet.only())
    assert [each.number for each in look(ledger, kubelet)] == [4]
    assert numbers(ledger, kubelet) == [1, 2, 3, 4]


def test_an_older_state_of_a_pod_changes_nothing() -> None:
    """A list may come from an API server that lags behind."""
    kubelet, ledger = Kubelet(), Ledger(WINDOW)
    look(ledger, kubelet)
    stale = kubelet.view()
    for _ in range(2):
        kubelet.crash(kubelet.only())
        look(ledger, kubelet)
    assert ledger.new_restarts(stale, kubelet.now) == []
    assert not ledger.record([], stale, kubelet.now)
    assert look(ledger, kubelet) == []
    assert numbers(ledger, kubelet) == [1, 2]


def test_a_cluster_that_was_restored_from_a_backup_is_believed_after_a_while() -> None:
    kubelet, ledger = Kubelet(), Ledger(WINDOW)
    kubelet.view()
    look(ledger, kubelet)
    kubelet.crash(kubelet.only())
    view = kubelet.view()
    view.pods[0]["metadata"]["resourceVersion"] = "1"
    kubelet.pass_time(minutes=6)
    assert [each.number for each in ledger.new_restarts(view, kubelet.now)] == [1]


def test_what_is_kept_says_the_same_when_it_is_read_again() -> None:
    kubelet, ledger = Kubelet(), Ledger(WINDOW)
    look(ledger, kubelet)
    kubelet.crash(kubelet.only())
    look(ledger, kubelet)
    ledger.note_alert("other causes", kubelet.now)
    ledger.note_asked(kubelet.now)
    again = Ledger.from_json(ledger.to_json(), WINDOW)
    assert again.to_json() == ledger.to_json()
    assert again.restarts == ledger.restarts
    assert (again.alerted_at("other causes"), again.asked_at) == (kubelet.now, kubelet.now)
    assert look(again, kubelet) == []


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"restarts": [{"pod": "p"}]}', "null", '{"pods": {"u": {"at": "soon"}}}']
)
def test_kept_counts_that_cannot_be_read_begin_anew_and_say_so(text: str) -> None:
    ledger = Ledger.from_json(text, WINDOW)
    assert ledger.problem.startswith("The kept counts cannot be read (")
    assert ledger.problem.endswith("counting begins anew, with what the pods prove.")
    assert ledger.restarts == []
    assert Ledger.from_json(ledger.to_json(), WINDOW).problem == ""


def test_only_news_has_to_be_written() -> None:
    kubelet, ledger = Kubelet(), Ledger(WINDOW)
    view = kubelet.view()
    assert ledger.record([], view, kubelet.now)
    assert not ledger.record([], kubelet.view(), kubelet.pass_time(minutes=1))
    assert not ledger.prune(kubelet.now)
    kubelet.crash(kubelet.only())
    new = ledger.new_restarts(kubelet.view(), kubelet.now)
    assert ledger.record(new, kubelet.view(), kubelet.now)
    kubelet.remove(next(iter(kubelet.pods)))
    assert ledger.record([], kubelet.view(), kubelet.now)
    assert not ledger.record([], kubelet.view(), kubelet.now)
    assert ledger.prune(kubelet.pass_time(hours=2))
    assert json.loads(ledger.to_json()) == {"deployment": "d"}


def test_after_days_without_a_look_the_count_before_is_still_known() -> None:
    kubelet, ledger = Kubelet(), Ledger(WINDOW)
    look(ledger, kubelet)
    kept = ledger.to_json()
    kubelet.pass_time(days=5)
    for _ in range(3):
        kubelet.crash(kubelet.only(), after=30)
    ledger = Ledger.from_json(kept, WINDOW)
    ledger.prune(kubelet.now)
    look(ledger, kubelet)
    assert numbers(ledger, kubelet) == [1, 2, 3]


def test_an_absurd_count_is_bounded() -> None:
    pod = {"metadata": {"name": "p", "uid": "u", "creationTimestamp": stamp(START)}}
    view = written(
        pod, restartCount=2**31 - 1, state={"running": {}}, lastState={"terminated": {"exitCode": 1}}
    )
    found = Ledger(WINDOW).new_restarts(view, START)
    assert len(found) == MOST_AT_ONCE
    assert found[-1].number == 2**31 - 1


def test_an_end_of_long_ago_that_still_waits_is_no_news_with_every_look() -> None:
    """After a node's restart an image that cannot be pulled holds a container for hours."""
    kubelet, ledger = Kubelet(), Ledger(WINDOW)
    look(ledger, kubelet)
    kubelet.only().end(kubelet.pass_time(seconds=5))
    kubelet.only().back_off()
    assert len(look(ledger, kubelet)) == 1
    kubelet.pass_time(hours=5)
    for _ in range(3):
        assert look(ledger, kubelet) == []
        assert not ledger.record([], kubelet.view(), kubelet.now)
    kubelet.only().start(kubelet.pass_time(seconds=5))
    look(ledger, kubelet)
    assert numbers(ledger, kubelet) == []


def test_a_clock_that_went_back_is_told_for_a_window() -> None:
    kubelet, ledger = Kubelet(), Ledger(WINDOW)
    look(ledger, kubelet)
    kubelet.crash(kubelet.only())
    look(ledger, kubelet)
    kubelet.replace("uid-1")
    look(ledger, kubelet)
    kubelet.pass_time(hours=-1)
    assert ledger.record([], kubelet.view(), kubelet.now)
    assert "The clock went back by 3" in ledger.clock_text(kubelet.now)
    assert not ledger.record([], kubelet.view(), kubelet.pass_time(seconds=1)), "it goes back once"
    assert numbers(ledger, kubelet) == [1]
    kubelet.pass_time(minutes=16)
    ledger.prune(kubelet.now)
    assert ledger.clock_text(kubelet.now) == ""
    assert numbers(ledger, kubelet) == []


def test_a_clock_that_went_back_with_the_nodes_is_no_reason_to_doubt_their_times() -> None:
    kubelet, ledger = Kubelet(), Ledger(WINDOW)
    look(ledger, kubelet)
    kubelet.pass_time(hours=-1)
    kubelet.only().end(kubelet.pass_time(seconds=5))
    kubelet.only().start(kubelet.pass_time(seconds=30))
    (restart,) = look(ledger, kubelet)
    assert restart.at == START - timedelta(minutes=59, seconds=55)


def test_no_restart_is_from_before_its_pod() -> None:
    """A node's clock is a minute behind, and the process ends at once."""
    kubelet, ledger = Kubelet(skew=timedelta(minutes=-1)), Ledger(WINDOW)
    kubelet.crash(kubelet.only())
    (restart,) = look(ledger, kubelet)
    assert restart.at == START
