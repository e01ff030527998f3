"""Guards, re-arms and the look at the guards meet each other, releases and rollbacks: a cell of docs/procedures.md each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from include.release.kube import Cluster
from include.release.loading import Sources
from include.release.lock import HeldError, Holder, Lock, RunFate
from include.restarts.loading import read_guards
from include.restarts.press import PressNote, press, read_note
from include.restarts.surveying import survey
from plugins.operators.payments import HoldPaymentsOperator
from plugins.operators.rearm import LockRearmOperator
from tests.dagtasks import bag
from tests.plugins.guarded import Guards, Run
from tests.plugins.test_rearm import begin, rearm
from tests.standin import make_namespace

CHANGES = ("release", "rollback")
GUARD, REARM, LOOK = "swype_guard", "swype_rearm", "guards_alive"
LOCKING = (*CHANGES, REARM)
ALL = (*CHANGES, GUARD, REARM, LOOK)


def pairs(*found: tuple[str, str]) -> Any:
    return pytest.mark.parametrize(("first", "second"), found, ids=[f"{a}-{b}" for a, b in found])


def runs(_: object) -> RunFate:
    return RunFate("running", holds=True)


def hold(client: Cluster, namespace: str, kind: str) -> Lock:
    """The lock of the guarded application, as a run of that kind has it."""
    lock = Lock(client, namespace, "web-app")
    lock.take(Holder(f"{kind}/first", kind, user="jane"), runs)
    return lock


@pairs(*[(first, GUARD) for first in CHANGES])
def test_a_press_waits_for_no_lock(guards: Guards, first: str, second: str):
    guards.add()
    guards.trip()
    lock = hold(guards.client, guards.namespace, first)
    assert guards.whole().states["press"] == "success"
    assert guards.replicas() == 0
    assert lock.read().holder == f"{first}/first"


@pairs((REARM, GUARD))
def test_a_guard_tells_people_instead_of_pressing_what_is_being_re_armed(guards, chat, first, second):
    guards.add()
    guards.trip()
    guards.whole()
    rearm(begin())  # its later tasks are still to come
    guards.shown["web"].restarts.clear()
    pods_are_back(guards)
    guards.trip()
    assert guards.whole(run_id="run-2").states["press"] == "skipped"
    assert guards.replicas() == 1
    assert chat.told[-1].startswith("*[alert]")


@pairs((GUARD, GUARD))
def test_one_run_of_a_guard_at_a_time(first, second):
    dag = bag().dags[GUARD]
    assert dag.max_active_runs == 1
    assert (
        type(dag.timetable).__name__ == "ContinuousTimetable"
    )  # the next run begins when this one has ended


@pairs((GUARD, REARM))
def test_a_guards_run_holds_no_payments_after_the_press_was_taken_off(guards, first, second, capsys):
    payments = {"kind": "upcommerce", "service": "upcommerce-service", "port": 5000, "settle": "keep"}
    guards.add(payments=payments)
    guards.trip()
    run = guards.begin()
    guards.confirm(run)
    guards.press(run)
    assert rearm(begin()).states["restore"] == "success"
    assert run.execute(HoldPaymentsOperator(task_id="hold_payments", guard="web"))["result"] == "nothing"
    assert "is not pressed (any more)" in capsys.readouterr().out


@pairs(*[(a, b) for a in LOCKING for b in LOCKING if REARM in (a, b)])
def test_a_re_arm_and_a_change_of_one_application_exclude_each_other(guards, first, second, capsys):
    guards.add()
    lock = hold(guards.client, guards.namespace, first)
    if second == REARM:
        run = Run("web_rearm", user="oncall", dry_run=False, reason="a test")
        run.others[f"{first}/first"] = "running"
        run.execute(LockRearmOperator(task_id="lock", guard="web"))
        assert run.states["lock"] == "failed"
        said = capsys.readouterr().out
        assert f"held by {first}/first ({first}, asked for by jane, running) since 20" in said
    else:
        with pytest.raises(HeldError, match=f"held by {first}/first"):
            Lock(guards.client, guards.namespace, "web-app").take(Holder(f"{second}/b", second), runs)
    assert lock.read().holder == f"{first}/first"


@pytest.fixture
def elsewhere(guards: Guards) -> Iterator[Guards]:
    """Another environment of the same cluster: a Deployment of the same name."""
    name = make_namespace(guards.client, f"{guards.namespace}-b")
    from tests.include.restarts.pressing import make

    make(guards.client, name, "web-app", 2)
    yield name
    guards.client.delete("Namespace", "", name)


@pairs(*[(a, b) for a in ALL[:-1] for b in ALL[:-1] if {GUARD, REARM} & {a, b}])
def test_in_another_environment_both_run(guards, elsewhere, first, second):
    client = guards.client
    if first in LOCKING:
        hold(client, elsewhere, first)
    else:
        uid = client.get("Deployment", elsewhere, "web-app")["metadata"]["uid"]
        press(client, elsewhere, "web-app", uid, PressNote(run="first"))
    before = client.get("Deployment", elsewhere, "web-app")["spec"]
    guards.add()
    if second in CHANGES:
        taken = Lock(client, guards.namespace, "web-app").take(Holder(f"{second}/b", second), runs)
        assert taken.how == "taken"
    else:
        guards.trip()
        assert guards.whole().states["press"] == "success"
    if second == REARM:
        assert rearm(begin()).states["restore"] == "success"
        assert guards.replicas() == 1
    elif second == GUARD:
        assert guards.replicas() == 0
    assert client.get("Deployment", elsewhere, "web-app")["spec"] == before
    if first in LOCKING:
        assert Lock(client, elsewhere, "web-app").read().holder == f"{first}/first"


@pairs(*[(a, b) for a in ALL for b in ALL if LOOK in (a, b)])
def test_a_look_at_the_guards_changes_nothing_and_waits_for_nobody(guards, first, second, monkeypatch):
    guards.add(deploy=False)
    if first in LOCKING:
        hold(guards.client, guards.namespace, first)
    wrote: list[str] = []
    monkeypatch.setattr(Cluster, "_write", lambda *found, **_: wrote.append(str(found)))
    sources = Sources.from_environment()
    seen = survey(read_guards(sources), sources.environments(), lambda _: guards.client)
    assert seen["payments"].problem == ""
    assert wrote == []
    assert bag().dags[LOOK].task_ids == ["judge"]  # no task that takes a lock


def pods_are_back(guards: Guards) -> None:
    import time

    deadline = time.monotonic() + 20
    while [bool(each["metadata"].get("deletionTimestamp")) for each in guards.shown["web"].pods()] != [False]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert read_note(guards.live()) is None
