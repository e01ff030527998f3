"""The release lock on the stand-in cluster: one holder, kept until its run has ended, with a journal."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.release.kube import KubeError
from include.release.lease import RELEASED, Journal
from include.release.lock import HeldError, Holder, LeftHalfWayError, Lock, RunFate
from include.release.problems import RejectedError

URL = "http://airflow.example/dags/release/runs/a"
NAME = "release-lock-shop"


def holder(name: str, hour: int = 1, **more: Any) -> Holder:
    asked = datetime(2026, 11, 21, hour, tzinfo=UTC).isoformat()
    return Holder(**{"run": f"release/{name}", "kind": "release", "user": "oncall", "requested_at": asked,
                     "url": URL, "release": "release-1", "spec_digest": "d1", **more})  # fmt: skip


def running(_: Journal) -> RunFate:
    return RunFate("running", holds=True)


def ended(_: Journal) -> RunFate:
    return RunFate("failed", holds=False)


@pytest.fixture
def lock(cluster: Any, namespace: str) -> Lock:
    return Lock(cluster.connect(), namespace, "shop")


def edit(lock: Lock, **changes: Any) -> None:
    """Change the Lease by hand: ``spec`` and ``annotations`` are merged into what is there."""
    lease = lock.cluster.get("Lease", lock.namespace, NAME)
    assert lease is not None
    lease["spec"] |= changes.get("spec", {})
    lease["metadata"].setdefault("annotations", {}).update(changes.get("annotations", {}))
    lease |= {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
    lock.cluster.replace(lease, lock.namespace)


def test_it_stays_in_the_cluster_when_it_is_given_back(lock):
    taken = lock.take(holder("a"), running)
    assert (taken.how, taken.left) == ("taken", ())
    lease = lock.cluster.get("Lease", lock.namespace, NAME)
    assert lease["spec"]["holderIdentity"] == "release/a"
    assert "leaseDurationSeconds" not in lease["spec"]
    assert lock.release(holder("a")).clean
    lease = lock.cluster.get("Lease", lock.namespace, NAME)
    assert lease["spec"]["holderIdentity"] == ""
    assert lease["metadata"]["annotations"]["plan-reduce-repeat/run"] == "release/a"
    assert lock.take(holder("b", 2), running).how == "taken"


def test_taking_it_again_for_the_same_run_keeps_its_journal(lock):
    lock.take(holder("a"), running)
    lock.require(holder("a"), running, "deploy", saved_state="shop-before-1")
    before = lock.read()
    assert lock.take(holder("a"), running).how == "already held"
    after = lock.read()
    assert (after.journal, after.acquired) == (before.journal, before.acquired)
    assert (after.journal.stage, after.journal.saved_state) == ("deploy", "shop-before-1")


def test_a_run_that_has_not_ended_keeps_it_and_the_refusal_says_all_that_is_needed(lock):
    lock.take(holder("a"), running)
    with pytest.raises(HeldError) as raised:
        lock.take(holder("b", 2), running)
    text = str(raised.value)
    assert text.startswith("1 problem in the lock of shop. This task has changed nothing.")
    assert "held by release/a (release release-1, asked for by oncall, running) since 20" in text
    assert f"mark it failed: {URL}; then trigger again" in text
    assert "break_lock and a reason (who may approve in this environment may)" in text
    assert "a run that waits for its approval holds the lock too" in text
    assert lock.read().holder == "release/a"


def test_the_lock_of_a_run_that_ended_without_giving_it_back_is_taken_over(lock):
    lock.take(holder("a"), running)
    taken = lock.take(holder("b", 2), ended)
    assert (taken.how, taken.before.holder, lock.read().holder) == ("taken over", "release/a", "release/b")
    lease = lock.cluster.get("Lease", lock.namespace, NAME)
    assert lease["spec"]["leaseTransitions"] == 2


def test_breaking_it_says_by_whom_and_why_and_the_old_holder_is_told(lock):
    lock.take(holder("a"), running)
    taken = lock.take(holder("b", 2, user="jane"), running, break_reason="a is stuck")
    assert taken.how == "broken"
    assert taken.after.broken.startswith("taken from release/a (running) by jane, 20")
    assert taken.after.broken.endswith(": a is stuck")
    with pytest.raises(HeldError, match=r"taken from release/a .* by jane, .*: a is stuck"):
        lock.require(holder("a"), running, "deploy")
    given = lock.release(holder("a"))
    assert (given.last, lock.read().holder) == (False, "release/b")


@pytest.mark.parametrize("there_already", [False, True], ids=["new", "free"])
def test_of_many_contenders_at_once_exactly_one_gets_it(cluster, namespace, there_already):
    if there_already:
        first = Lock(cluster.connect(), namespace, "shop")
        first.take(holder("first", 0), running)
        first.release(holder("first", 0))
    count, got, refused = 6, [], []
    start = threading.Barrier(count)

    def contend(number: int) -> None:
        mine = Lock(cluster.connect(), namespace, "shop")
        start.wait()
        try:
            mine.take(holder(f"run-{number}", 2), running)
            got.append(number)
        except HeldError:
            refused.append(number)

    threads = [threading.Thread(target=contend, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(got), len(refused)) == (1, count - 1)
    assert Lock(cluster.connect(), namespace, "shop").read().holder == f"release/run-{got[0]}"


def test_a_write_that_was_decided_on_what_is_no_longer_there_is_decided_again(lock):
    lock.take(holder("a"), running)
    lock.release(holder("a"))
    asked = []

    class Overtaken(Lock):
        def read(self):
            state = super().read()
            if not asked:  # somebody is quicker between reading and writing
                asked.append(1)
                lock.take(holder("quick", 2), running)
            return state

    with pytest.raises(HeldError, match="held by release/quick"):
        Overtaken(lock.cluster, lock.namespace, "shop").take(holder("slow", 2), running)


def test_a_run_that_ended_half_way_is_noticed_until_somebody_goes_on_to_an_end(lock):
    lock.take(holder("a"), running)
    lock.require(holder("a"), running, "migrate", saved_state="shop-before-a")
    assert not lock.release(holder("a")).clean
    with pytest.raises(LeftHalfWayError) as raised:
        lock.take(holder("b", 2), ended)
    assert [(each.run, each.stage) for each in raised.value.left] == [("release/a", "migrate")]
    assert lock.read().holder == ""
    assert [each.run for each in lock.take(holder("b", 2), ended, go_on=True).left] == ["release/a"]
    assert not lock.release(holder("b", 2)).clean
    with pytest.raises(LeftHalfWayError):
        lock.take(holder("c", 3), ended)
    lock.take(holder("c", 3), ended, go_on=True)
    lock.require(holder("c", 3), ended, "deploy", saved_state="shop-before-c")
    assert [each.saved_state for each in lock.read().left] == ["shop-before-a"]
    assert lock.reach(holder("c", 3), RELEASED)
    given = lock.release(holder("c", 3))
    assert (given.clean, given.state.left, given.state.journal.reached) == (True, (), RELEASED)
    assert lock.take(holder("d", 4), ended).left == ()


def test_a_run_that_vanished_while_it_held_the_lock_is_noticed(lock):
    lock.take(holder("a"), running)
    lock.require(holder("a"), running, "deploy")
    with pytest.raises(LeftHalfWayError, match="release/a"):
        lock.take(holder("b", 2), ended)
    assert lock.read().holder == "release/a"


def test_an_interrupted_run_that_is_cleared_goes_on_with_its_own_journal(lock):
    lock.take(holder("a"), running)
    lock.require(holder("a"), running, "migrate", saved_state="shop-before-a")
    lock.release(holder("a"))
    assert lock.take(holder("a"), ended).how == "taken back"
    lock.release(holder("a"))
    lock.take(holder("b", 2), ended, go_on=True)
    lock.release(holder("b", 2))
    taken = lock.take(holder("a"), ended)
    assert (taken.left, taken.after.journal.stage) == ((), "migrate")
    assert not lock.release(holder("a")).clean


def test_a_later_run_of_the_same_release_is_in_the_way_of_an_older_one(lock):
    """Releasing what is released already changes no object, so their notes do not tell (A, B, A again)."""
    for name, hour in (("a", 1), ("c", 3)):
        lock.take(holder(name, hour), ended)
        lock.require(holder(name, hour), ended, "deploy")
        lock.reach(holder(name, hour), RELEASED)
        lock.release(holder(name, hour))
    with pytest.raises(HeldError) as raised:
        lock.require(holder("b", 2), ended, "deploy")
    assert "release-1, by run release/c, requested at 2026-11-21T03:00:00+00:00" in str(raised.value)
    assert "fix:      trigger a new run of the release that you want" in str(raised.value)
    assert lock.require(holder("c", 3), ended, "deploy").how == "taken back"


def test_a_later_run_that_changed_nothing_is_not_in_the_way(lock):
    lock.take(holder("b", 2), ended)
    lock.release(holder("b", 2))
    assert lock.require(holder("a", 1), ended, "deploy").how == "taken"


def test_what_a_run_reached_is_noted_after_it_gave_the_lock_back_but_not_after_another_had_it(lock):
    lock.take(holder("a"), running)
    lock.require(holder("a"), running, "deploy")
    lock.release(holder("a"))
    assert lock.reach(holder("a"), RELEASED)
    assert lock.release(holder("a")).clean
    lock.take(holder("b", 2), running)
    assert not lock.reach(holder("a"), RELEASED)


def test_a_time_in_the_future_was_written_by_a_wrong_clock_and_refuses_nobody(lock):
    future = (datetime.now(UTC) + timedelta(days=400)).isoformat()
    lock.require(holder("a", requested_at=future), ended, "deploy")
    lock.reach(holder("a", requested_at=future), RELEASED)
    lock.release(holder("a", requested_at=future))
    edit(
        lock, spec={"renewTime": "2099-01-01T00:00:00.000000Z", "acquireTime": "2099-01-01T00:00:00.000000Z"}
    )
    taken = lock.take(holder("b", 2), ended)
    assert taken.how == "taken"
    assert "which is in the future: a clock was wrong" in taken.notices[0]


def test_a_lease_time_of_long_ago_does_not_make_the_lock_expire(lock):
    lock.take(holder("a"), running)
    edit(lock, spec={"renewTime": "2001-01-01T00:00:00.000000Z", "leaseDurationSeconds": 1})
    with pytest.raises(HeldError):
        lock.take(holder("b", 2), running)


def test_a_holder_that_somebody_wrote_in_is_respected_until_it_is_broken(lock):
    lock.take(holder("a"), running)
    lock.release(holder("a"))
    edit(lock, spec={"holderIdentity": "jane repairs the database"})
    with pytest.raises(
        HeldError, match=r"held by jane repairs the database \(written into the Lease by hand"
    ):
        lock.take(holder("b", 2), ended)
    assert lock.take(holder("b", 2), ended, break_reason="jane has finished").how == "broken"


def test_nonsense_in_the_annotations_is_read_as_the_careful_reading(lock):
    lock.take(holder("a"), running)
    lock.release(holder("a"))
    names = ("left", "changed", "stage", "requested-at", "since")
    edit(lock, annotations={f"plan-reduce-repeat/{name}": "{nonsense" for name in names})
    with pytest.raises(LeftHalfWayError) as raised:
        lock.take(holder("b", 2), ended)
    assert [each.run for each in raised.value.left] == [
        "unknown (the note on the Lease cannot be read)",
        "release/a",
    ]
    lock.take(holder("b", 2), ended, go_on=True)
    lock.require(holder("b", 2), ended, "deploy")
    lock.reach(holder("b", 2), RELEASED)
    assert lock.release(holder("b", 2)).clean


def test_what_others_wrote_on_the_lease_stays(lock):
    lock.take(holder("a"), running)
    edit(lock, annotations={"example.com/ticket": "17"})
    lock.release(holder("a"))
    lease = lock.cluster.get("Lease", lock.namespace, NAME)
    assert lease["metadata"]["annotations"]["example.com/ticket"] == "17"


def test_a_lease_that_somebody_deletes_meanwhile_is_made_anew(lock):
    lock.take(holder("a"), running)
    lock.cluster.delete("Lease", lock.namespace, NAME)
    assert lock.require(holder("a"), running, "deploy").how == "taken"
    lock.cluster.delete("Lease", lock.namespace, NAME)
    assert not lock.release(holder("a")).last


def test_without_permission_on_leases_it_says_what_is_missing(cluster, namespace, tmp_path):
    from kubernetes.config import new_client_from_config

    from include.release.kube import Cluster

    reader = cluster.user("reader", "view", tmp_path / "reader")
    lock = Lock(Cluster(new_client_from_config(str(reader))), namespace, "shop")
    with pytest.raises(RejectedError) as raised:
        lock.take(holder("a"), running)
    text = str(raised.value)
    assert "expected: permission to get, create and update leases (coordination.k8s.io)" in text
    assert f"fix:      give the connection's user a Role with it in namespace {namespace}" in text


def test_a_namespace_that_is_gone_is_said(cluster):
    lock = Lock(cluster.connect(), "nowhere", "shop")
    with pytest.raises(RejectedError) as raised:
        lock.take(holder("a"), running)
    assert "namespace nowhere\n    found:    absent\n    expected: an active namespace" in str(raised.value)
    assert not lock.release(holder("a")).last


def test_a_cluster_that_does_not_answer_is_an_error_to_try_again(lock):
    class Down:
        def get(self, *_: Any) -> None:
            raise KubeError(0, "does not answer", "GET /")

    with pytest.raises(KubeError) as raised:
        Lock(Down(), "x", "shop").take(holder("a"), running)  # type: ignore[arg-type]
    assert raised.value.transient
