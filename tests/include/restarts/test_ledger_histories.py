"""Random histories of pods, looked at now and then, against an oracle that has seen everything.

Whatever happens between two looks: no restart counts twice, none is made up, and none that a look could still see is
forgotten inside the window.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from include.release.kube_async import Change
from include.restarts.ended import shown_in
from include.restarts.facts import CAUSES, Restart
from include.restarts.index import Index
from include.restarts.ledger import Ledger
from include.restarts.view import container_statuses
from tests.include.restarts.kubelet import Kubelet, Pod, stamp

WINDOW = 15.0
Key = tuple[str, str, int]


class Watcher:
    """Looks at the pods as a watch does, and remembers what it could have known."""

    def __init__(self, kubelet: Kubelet, dice: random.Random) -> None:
        self.kubelet, self.dice = kubelet, dice
        self.ledger = Ledger(WINDOW)
        self.shown: set[Key] = set()
        """Restarts that a look could see."""
        self.unproven: set[Key] = set()
        """Those before the first look at a pod that was older than the window then."""
        self._met: set[str] = set()

    def look(self, now: datetime) -> None:
        """One look, by a clock that says ``now``."""
        if self.dice.random() < 0.3:  # another process goes on with what was kept
            self.ledger = Ledger.from_json(self.ledger.to_json(), WINDOW)
        view = self.kubelet.view()
        new = self.ledger.new_restarts(view, now)
        assert len({each.key for each in new}) == len(new), "one look shows a restart twice"
        known = {each.key for each in self.ledger.restarts if not each.pending}
        assert not known & {each.key for each in new}, "a restart that is in the ledger is new again"
        self.ledger.record([self._explained(each) for each in new], view, now)
        self.ledger.prune(now)
        assert self.ledger.new_restarts(view, now) == [], "the same look again shows something new"
        for pod in self.kubelet.pods.values():
            self._remember(pod, now)

    def kept(self, now: datetime) -> dict[Key, Restart]:
        """What counts now."""
        return {each.key: each for each in self.ledger.in_window(now)}

    def _explained(self, restart: Restart) -> Restart:
        return restart.model_copy(update={"cause": self.dice.choice(CAUSES)})

    def _remember(self, pod: Pod, now: datetime) -> None:
        old = pod.uid not in self._met and now - pod.born > timedelta(minutes=WINDOW)
        self._met.add(pod.uid)
        for process in pod.processes:
            keys = {(pod.uid, process.name, number) for number in range(1, process.count + 1)}
            self.unproven |= keys if old else set()
            self.shown |= keys


def _step(kubelet: Kubelet, dice: random.Random, *, longest: int = 700) -> None:
    """Something happens, or only time passes."""
    kubelet.pass_time(seconds=min(longest, dice.choice([1, 2, 10, 45, 200, 700])))
    processes = [process for pod in kubelet.pods.values() for process in pod.processes]
    what = dice.choice(
        ["end", "end", "end", "back off", "start", "start", "replace", "scale up", "scale down"]
    )
    if what == "scale up" and len(kubelet.pods) < 4:
        kubelet.add()
    if not processes:
        return
    process, uid = dice.choice(processes), dice.choice(sorted(kubelet.pods))
    if what == "end":
        process.end(kubelet.now)
    elif what == "back off":
        process.back_off()
    elif what == "start":
        process.start(kubelet.now)
    elif what == "replace":
        kubelet.replace(uid)
    elif what == "scale down":
        kubelet.remove(uid)


def _kubelet(dice: random.Random, skew: timedelta = timedelta(0)) -> Kubelet:
    containers = [(("app", "main"),), (("app", "main"), ("proxy", "sidecar"), ("migrate", "init"))]
    return Kubelet(dice.choice(containers), dice.choice([1, 2, 3]), skew)  # type: ignore[arg-type]


def _recent(ends: dict[Key, datetime], now: datetime, minutes: float = WINDOW) -> set[Key]:
    return {key for key, at in ends.items() if now - at <= timedelta(minutes=minutes)}


@pytest.mark.parametrize("seed", range(60))
def test_none_is_counted_twice_made_up_or_forgotten_in_the_window(seed: int) -> None:
    dice = random.Random(seed)
    kubelet = _kubelet(dice)
    watcher = Watcher(kubelet, dice)
    looks = dice.choice([0.1, 0.5, 1.0])  # how often somebody looks: some histories are mostly missed
    for _ in range(120):
        _step(kubelet, dice)
        if dice.random() > looks:
            continue
        watcher.look(kubelet.now)
        happened, kept = kubelet.happened(), watcher.kept(kubelet.now)
        assert kept.keys() <= happened.keys(), "made up"
        assert _recent(happened, kubelet.now) & watcher.shown - watcher.unproven <= kept.keys(), "forgotten"
        for key, restart in kept.items():
            # Late is allowed for what nobody saw; early would forget it.
            assert restart.at >= happened[key]


@pytest.mark.parametrize("seed", range(20))
def test_with_every_look_the_count_is_exact(seed: int) -> None:
    """Who looks after every change knows every end to the second, also when pods come and go."""
    dice = random.Random(seed)
    kubelet = _kubelet(dice)
    watcher = Watcher(kubelet, dice)
    watcher.look(kubelet.now)
    for _ in range(150):
        _step(kubelet, dice)
        watcher.look(kubelet.now)
        happened = kubelet.happened()
        assert watcher.kept(kubelet.now).keys() == _recent(happened, kubelet.now)
        assert all(each.at == happened[each.key] and each.seen for each in watcher.kept(kubelet.now).values())


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("skew_minutes", [-90, -5, -2, 2, 5, 90])
def test_a_node_with_a_wrong_clock_loses_nothing(seed: int, skew_minutes: int) -> None:
    """A time that cannot be right is that of the look. Less than the two minutes that a report may be late shows."""
    dice = random.Random(seed)
    kubelet = _kubelet(dice, timedelta(minutes=skew_minutes))
    watcher = Watcher(kubelet, dice)
    watcher.look(kubelet.now)
    first_shown: dict[Key, datetime] = {}
    for _ in range(150):
        _step(kubelet, dice, longest=60)
        watcher.look(kubelet.now)
        happened, kept = kubelet.happened(), watcher.kept(kubelet.now)
        for key in happened:
            first_shown.setdefault(key, kubelet.now)
        assert kept.keys() <= happened.keys()
        assert _recent(happened, kubelet.now, WINDOW - 3) <= kept.keys()
        assert all(kubelet.now - first_shown[key] <= timedelta(minutes=WINDOW) for key in kept)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("jump_minutes", [-600, -30, -2, 2, 50])
def test_our_clock_jumps_and_comes_back(seed: int, jump_minutes: int) -> None:
    """Nothing that was counted before the jump is forgotten, and nothing is counted twice."""
    dice = random.Random(seed)
    kubelet = _kubelet(dice)
    watcher = Watcher(kubelet, dice)
    watcher.look(kubelet.now)
    for _ in range(40):
        _step(kubelet, dice)
        watcher.look(kubelet.now)
    before = kubelet.happened()
    for _ in range(3):
        kubelet.pass_time(seconds=5)
        watcher.look(kubelet.now + timedelta(minutes=jump_minutes))
    for _ in range(3):
        kubelet.pass_time(seconds=5)
        watcher.look(kubelet.now)
        kept = watcher.kept(kubelet.now)
        assert _recent(before, kubelet.now) <= kept.keys() <= before.keys()


def _through(index: Index, kubelet: Kubelet) -> None:
    """What a watch would bring of the state of now."""
    view = kubelet.view()
    assert view.deployment is not None
    index.change("Deployment", Change("MODIFIED", view.deployment))
    for each in view.replica_sets:
        index.change("ReplicaSet", Change("MODIFIED", each))
    for each in view.pods:
        index.change("Pod", Change("MODIFIED", each))


@pytest.mark.parametrize("seed", range(25))
def test_changes_that_come_faster_than_they_are_looked_at_are_all_seen(seed: int) -> None:
    """A watch that was cut brings them in one go. Each end is there, with its own time, and belongs to its own restart."""
    dice = random.Random(seed)
    kubelet, index, ledger = Kubelet(replicas=2), Index("sre", lambda _: None), Ledger(WINDOW)
    _through(index, kubelet)
    ledger.record([], index.view("swype-app"), kubelet.now)
    for _ in range(12):
        restarts = dice.randint(1, 6)
        for _ in range(restarts):
            process = dice.choice([pod.processes[0] for pod in kubelet.pods.values()])
            kubelet.pass_time(seconds=dice.choice([1, 5, 30]))
            for step in (process.end, process.start) if dice.random() < 0.5 else (process.end,):
                step(kubelet.now)
                _through(index, kubelet)
            if dice.random() < 0.5:
                process.back_off()
                _through(index, kubelet)
            process.start(kubelet.pass_time(seconds=3))
            _through(index, kubelet)
        view = index.view("swype-app")
        new = ledger.new_restarts(view, kubelet.now)
        happened = kubelet.happened()
        for each in new:
            shown, _ = shown_in(view, each)
            assert shown is not None
            assert _end_shown(shown, each) == stamp(happened[each.key])
        ledger.record([each.model_copy(update={"cause": "network"}) for each in new], view, kubelet.now)
        assert ledger.new_restarts(view, kubelet.now) == []
        kept = {each.key: each for each in ledger.restarts}
        assert kept.keys() == happened.keys()
        assert all(each.seen and not each.pending and each.at == happened[key] for key, each in kept.items())


def _end_shown(pod: dict[str, Any], restart: Restart) -> str:
    (status,) = [status for _, status in container_statuses(pod) if status["name"] == restart.container]
    ended = status["state"].get("terminated") or status["lastState"]["terminated"]
    return str(ended["finishedAt"])
