"""How much a ledger keeps: it must fit into a ConfigMap, and decide as if it kept everything."""

from __future__ import annotations

import json
from collections import Counter

from include.restarts.decision import decide
from include.restarts.ledger import GONE_KEPT, Ledger, most_kept
from tests.include.restarts.kubelet import Kubelet
from tests.include.restarts.test_decision import guard

WINDOW = 15.0


def test_a_ledger_stays_small_however_many_pods_die_and_still_says_what_it_must() -> None:
    """A ConfigMap holds 1 MiB; 175 pods of 19 restarts each were more than that."""
    kubelet, ledger = Kubelet(replicas=200), Ledger(WINDOW)
    evidence = "said by the log: " + "x" * 240
    for _ in range(19):
        for pod in kubelet.pods.values():
            kubelet.crash(pod.processes[0], after=0)
        view, now = kubelet.view(), kubelet.pass_time(seconds=20)
        new = ledger.new_restarts(view, now)
        assert len(new) == 200
        ledger.record(
            [each.model_copy(update={"cause": "application", "evidence": evidence}) for each in new],
            view,
            now,
        )
        ledger.prune(now, 3)
    assert len(ledger.to_json()) < 100_000
    kept = ledger.in_window(kubelet.now)
    assert len(kept) == most_kept(3)
    assert {each.number for each in kept} == {19}
    ledger = Ledger.from_json(ledger.to_json(), WINDOW)
    assert ledger.new_restarts(kubelet.view(), kubelet.now) == []


def test_what_is_rare_is_kept_beside_what_is_frequent_and_what_is_pending_is_not_dropped() -> None:
    kubelet, ledger = Kubelet(replicas=2), Ledger(WINDOW)
    rare, frequent = (pod.processes[0] for pod in kubelet.pods.values())
    kubelet.crash(rare)
    causes = {"uid-1": "network", "uid-2": "application"}
    for _ in range(40):
        kubelet.crash(frequent)
        rare.end(kubelet.now)
        view, now = kubelet.view(), kubelet.now
        new = ledger.new_restarts(view, now)
        ledger.record([each.model_copy(update={"cause": causes[each.pod_uid]}) for each in new], view, now)
        ledger.prune(now, 3)
    found = Counter(each.cause for each in ledger.in_window(kubelet.now))
    assert found == {"network": 1, "application": most_kept(3)}
    assert [each.pod_uid for each in ledger.restarts if each.pending] == ["uid-1"]


def test_what_is_pending_is_kept_however_much_it_is_or_it_would_come_again_with_every_look() -> None:
    kubelet, ledger = Kubelet(replicas=60), Ledger(WINDOW)
    for pod in kubelet.pods.values():
        pod.processes[0].end(kubelet.now)
    view, now = kubelet.view(), kubelet.now
    ledger.record(ledger.new_restarts(view, now), view, now)
    ledger.prune(now, 3)
    assert ledger.new_restarts(kubelet.view(), now) == []


def test_pods_that_are_gone_are_forgotten_when_there_are_many() -> None:
    kubelet, ledger = Kubelet(replicas=1), Ledger(WINDOW)
    for _ in range(GONE_KEPT + 20):
        kubelet.replace(next(iter(kubelet.pods)))
        view, now = kubelet.view(), kubelet.pass_time(seconds=1)
        ledger.record([], view, now)
        ledger.prune(now)
    assert len(json.loads(ledger.to_json())["pods"]) == GONE_KEPT + 1


def test_the_message_says_that_there_were_more_than_are_kept() -> None:
    kubelet, ledger = Kubelet(), Ledger(WINDOW)
    for _ in range(30):
        kubelet.crash(kubelet.only())
        view, now = kubelet.view(), kubelet.now
        new = ledger.new_restarts(view, now)
        ledger.record([each.model_copy(update={"cause": "network"}) for each in new], view, now)
        ledger.prune(now, 3)
    found = decide(guard(), ledger, kubelet.view(), kubelet.now)
    assert found.action == "press"
    assert found.text.startswith("At least 23 restarts of sre/swype-app (app) in 15 minutes (23 network)")
