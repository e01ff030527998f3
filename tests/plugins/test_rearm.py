"""Re-arming: who may, what is refused, what comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from include.payments.journal import Hold, JournalStore
from include.release.frozen import LABEL_APP
from include.release.lock import Holder, Lock, RunFate
from include.release.pressed import NOTE_PRESSED, NOTE_WANTED
from include.restarts.press import read_note
from include.restarts.rearm_note import read_rearm
from plugins.operators.rearm import (
    CheckRearmOperator,
    LockRearmOperator,
    ProbeUpstreamOperator,
    RearmRolloutCheckOperator,
    RestoreOperator,
    TellRearmOperator,
    UnlockRearmOperator,
)
from tests.plugins.guarded import UPSTREAM, Guards, Run, service


@pytest.fixture
def pressed(guards) -> Guards:
    """A guard whose button is pressed, of a Deployment with two replicas."""
    guards.add()
    guards.client.patch("Deployment", guards.namespace, "web-app", {"spec": {"replicas": 2}})
    guards.trip()
    run = guards.begin()
    guards.confirm(run)
    guards.press(run)
    assert guards.replicas() == 0
    return guards


def begin(run_id: str = "run-1", user: str = "oncall", **params: Any) -> Run:
    default = {"dry_run": False, "reason": "a test", "force": None, "replicas": None, "break_lock": None}
    return Run("web_rearm", run_id, user, **(default | params))


def rearm(run: Run, upto: str = "restore") -> Run:
    """The tasks to ``upto``; those after one that failed do not run."""
    steps = {
        "check": CheckRearmOperator,
        "lock": LockRearmOperator,
        "probe_upstream": ProbeUpstreamOperator,
        "restore": RestoreOperator,
    }
    for task_id, operator in steps.items():
        run.execute(operator(task_id=task_id, guard="web"))
        if run.states[task_id] == "failed" or task_id == upto:
            break
    return run


def tell(run: Run) -> None:
    run.execute(TellRearmOperator(task_id="tell", guard="web"))


def test_the_former_replicas_come_back_and_people_are_told(pressed, chat, records):
    run = rearm(begin())
    assert set(run.states.values()) == {"success"}
    assert pressed.replicas() == 2
    assert read_note(pressed.live()) is None
    note = read_rearm(pressed.live())
    assert note is not None
    assert (note.by, note.reason, note.pressed_by) == ("oncall", "a test", "web_guard/run-1")
    check = RearmRolloutCheckOperator(task_id="rollout_check", guard="web")
    with pytest.raises(TaskDeferred) as deferred:
        check.execute(run.context("rollout_check"))
    assert deferred.value.trigger.names == ["web-app"]
    check.resume(run.context("rollout_check"), {"complete": True, "text": "Rolled out: web-app"})
    run.states["rollout_check"] = "success"
    tell(run)
    run.execute(UnlockRearmOperator(task_id="unlock", guard="web"))
    (told,) = chat.told
    assert told.startswith(f"*[re-armed] web-app in {pressed.namespace} (re-arm)*")
    for said in (
        "is scaled from 0 to 2",
        "for 30 minutes it tells people",
        "*Asked for by:* oncall",
        "Rolled out: web-app",
    ):
        assert said in told, said
    assert records.changes()[0].kind == "re-arm"
    assert Lock(pressed.client, pressed.namespace, "web-app").read().holder == ""


def test_who_may_not_re_arm_cannot_flood_the_list(pressed, chat):
    for run_id, user in (("run-1", "dev"), ("run-2", "dev"), ("run-3", "guest")):
        run = rearm(begin(run_id, user), "check")
        assert run.states["check"] == "failed"
        tell(run)
        assert run.states["tell"] == "success"
    assert [each.partition("*Asked for by:* ")[2].split()[0] for each in chat.told] == ["dev", "guest"]
    assert all(each.startswith(f"*[refused] web-app in {pressed.namespace} (re-arm)*") for each in chat.told)
    assert "Nothing was scaled" in chat.told[0]


def test_after_it_nothing_is_pressed_by_itself_for_the_cooldown(pressed, chat):
    rearm(begin())
    pressed.shown["web"].restarts.clear()
    wait_for_pods(pressed)
    pressed.trip()
    run = pressed.whole(run_id="run-2")
    assert run.states["press"] == "skipped"
    assert pressed.replicas() == 2
    assert chat.told[-1].startswith("*[alert]")
    assert "it was re-armed at" in chat.told[-1]
    assert "scale deployment web-app --replicas=0" in chat.told[-1]
    assert "Payments are still held" not in chat.told[-1]


def test_an_alert_after_a_re_arm_says_when_payments_are_still_held(pressed, chat):
    payments = {"kind": "upcommerce", "service": "upcommerce-service", "port": 5000, "settle": "keep"}
    pressed.change(payments=payments)
    rearm(begin())
    store = JournalStore(pressed.client, pressed.namespace, "web")
    store.change(lambda journal: journal.with_hold(Hold(run="web_guard/run-1@2026", confirmed=True)))
    pressed.shown["web"].restarts.clear()
    wait_for_pods(pressed)
    pressed.trip()
    pressed.whole(run_id="run-2")
    said = "Payments are still held, for the press of run web_guard/run-1; web_rearm releases them."
    assert said in chat.told[-1]


def wait_for_pods(pressed: Guards) -> None:
    import time

    deadline = time.monotonic() + 20
    while True:
        pods = pressed.shown["web"].pods()
        if len(pods) == 2 and not any(each["metadata"].get("deletionTimestamp") for each in pods):
            return
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("params", "user", "said"),
    [
        ({"reason": " x "}, "oncall", "at least 3 characters"),
        ({"dryrun": True}, "oncall", "write dry_run instead"),
        ({}, "eve", "payments.may_trigger"),
        ({"force": "it is fine"}, "oncall", "payments.may_approve"),
        ({"break_lock": "it is stuck"}, "oncall", "payments.may_approve"),
    ],
    ids=["no reason", "a slip", "who", "who may force", "who may break"],
)
def test_a_request_that_is_not_right_is_refused_with_what_is_wrong(pressed, capsys, params, user, said):
    run = rearm(begin(user=user, **params))
    assert run.states == {"check": "failed"}
    assert said in capsys.readouterr().out
    assert pressed.replicas() == 0


def test_what_is_not_pressed_or_not_there_is_refused(guards, capsys):
    guards.add(deploy=False)
    assert rearm(begin()).states == {"check": "failed"}
    assert "absent" in capsys.readouterr().out
    guards.add("other")
    run = begin()
    run.execute(CheckRearmOperator(task_id="check", guard="other"))
    assert run.states == {"check": "failed"}
    assert "not pressed" in capsys.readouterr().out


@pytest.mark.parametrize("note", ['{"reason": "by hand"}', "jane, 3 a.m.", '{"replicas": 0}'])
def test_a_note_without_the_former_replicas_asks_for_them(pressed, note, capsys):
    pressed.client.patch(
        "Deployment", pressed.namespace, "web-app", {"metadata": {"annotations": {NOTE_PRESSED: note}}}
    )
    assert rearm(begin()).states == {"check": "failed"}
    assert "trigger again with the param replicas" in capsys.readouterr().out
    run = rearm(begin(replicas=4))
    assert run.states["restore"] == "success"
    assert pressed.replicas() == 4


def test_what_a_release_over_the_press_asks_for_comes_up(pressed, capsys):
    notes = {NOTE_WANTED: "5"}
    pressed.client.patch("Deployment", pressed.namespace, "web-app", {"metadata": {"annotations": notes}})
    run = rearm(begin())
    assert run.states["restore"] == "success"
    assert pressed.replicas() == 5
    assert NOTE_WANTED not in pressed.live()["metadata"]["annotations"]
    assert "A release or rollback over it asks for 5 replicas" in capsys.readouterr().out


def test_it_is_refused_while_the_upstream_is_down_unless_forced(pressed, chat, capsys):
    pressed.change(upstream=UPSTREAM)
    service(pressed)
    run = rearm(begin())
    assert run.states["probe_upstream"] == "failed"
    assert pressed.replicas() == 0
    said = capsys.readouterr().out
    assert "The upstream is down: gateway-service:5010/ping does not answer" in said
    assert "for 30 minutes the guard would only tell people, not press" in " ".join(said.split())
    assert "(param force)" in " ".join(said.split())
    run.values["probe_upstream", "failure"] = {"reason": "the upstream is down", "kind": "refused"}
    tell(run)
    assert chat.told[-1].startswith("*[refused]")
    assert "Not re-armed: `probe_upstream` failed: the upstream is down" in chat.told[-1]
    run.execute(UnlockRearmOperator(task_id="unlock", guard="web"))
    forced = rearm(begin("run-2", user="boss", force="the probe is wrong"))
    assert forced.states["restore"] == "success"
    assert pressed.replicas() == 2
    note = read_rearm(pressed.live())
    assert note is not None
    assert note.forced == "the probe is wrong"


def held_by(pressed: Guards, run: str, app: str = "web-app") -> Lock:
    lock = Lock(pressed.client, pressed.namespace, app)
    lock.take(Holder(run, run.partition("/")[0], user="jane"), lambda _: RunFate("running", True))
    return lock


def test_a_broken_lock_lets_it_through(pressed, capsys):
    held_by(pressed, "release/run-7")
    run = begin(user="boss", break_lock="that run hangs")
    run.others["release/run-7"] = "running"
    rearm(run)
    assert run.states["restore"] == "success"
    assert "that run hangs" in capsys.readouterr().out


def test_a_released_deployment_is_locked_by_its_application(pressed):
    pressed.client.patch(
        "Deployment", pressed.namespace, "web-app", {"metadata": {"labels": {LABEL_APP: "upcommerce"}}}
    )
    run = rearm(begin())
    assert run.states["restore"] == "success"
    assert Lock(pressed.client, pressed.namespace, "upcommerce").read().holder == "web_rearm/run-1"


def test_it_leaves_what_an_interrupted_release_has_left_for_the_next_release(pressed):
    lock = Lock(pressed.client, pressed.namespace, "web-app")
    holder = Holder("release/run-7", "release")
    lock.take(holder, lambda _: RunFate("running", True))
    lock.require(holder, lambda _: RunFate("running", True), "deploy")
    run = begin()
    run.others["release/run-7"] = "failed"
    rearm(run)
    assert run.states["restore"] == "success"
    run.execute(UnlockRearmOperator(task_id="unlock", guard="web"))
    assert [each.run for each in lock.read().left] == ["release/run-7"]


def test_a_run_that_is_cleared_brings_the_replicas_back_once(pressed):
    run = rearm(begin())
    generation = pressed.live()["metadata"]["generation"]
    pressed.client.patch("Deployment", pressed.namespace, "web-app", {"spec": {"replicas": 5}})
    run.execute(RestoreOperator(task_id="restore", guard="web"))
    assert run.states["restore"] == "success"
    rearm(run)
    assert set(run.states.values()) == {"success"}
    assert pressed.replicas() == 5  # somebody's change since
    assert pressed.live()["metadata"]["generation"] == generation + 1


def test_payments_that_are_still_held_are_a_reason_to_go_on(pressed, capsys):
    payments = {"kind": "upcommerce", "service": "upcommerce-service", "port": 5000, "settle": "keep"}
    pressed.change(payments=payments)
    rearm(begin())
    store = JournalStore(pressed.client, pressed.namespace, "web")
    store.change(lambda journal: journal.with_hold(Hold(run="web_guard/run-1", confirmed=True)))
    run = rearm(begin("run-2"))
    assert set(run.states.values()) == {"success"}
    assert "payments are still held" in capsys.readouterr().out


def test_a_dry_run_takes_no_lock_and_changes_nothing(pressed, capsys):
    before = pressed.live()["metadata"]["generation"]
    run = rearm(begin(dry_run=True))
    assert set(run.states.values()) == {"success"}
    for operator, task_id in ((RearmRolloutCheckOperator, "rollout_check"), (TellRearmOperator, "tell")):
        run.execute(operator(task_id=task_id, guard="web"))
        assert run.states[task_id] == "skipped"
    assert pressed.live()["metadata"]["generation"] == before
    assert pressed.client.get("Lease", pressed.namespace, "release-lock-web-app") is None
    assert "Dry run: Deployment web-app" in capsys.readouterr().out


def test_pods_that_do_not_come_up_are_said_with_what_to_do(pressed, capsys):
    payments = {"kind": "upcommerce", "service": "upcommerce-service", "port": 5000, "settle": "keep"}
    pressed.change(payments=payments)
    run = rearm(begin())
    check = RearmRolloutCheckOperator(task_id="rollout_check", guard="web")
    with pytest.raises(TaskDeferred) as deferred:
        check.execute(run.context("rollout_check"))
    # From zero no previous build serves, and nothing goes back: not the advice of a release.
    assert deferred.value.trigger.serialize()[1]["what_now"] == ""
    with pytest.raises(Exception, match="crash loop"):
        check.resume(run.context("rollout_check"), {"complete": False, "text": "web-app: crash loop"})
    said = capsys.readouterr().out
    assert said.count("What now:") == 1
    assert "What now: payments are still held" in said
    assert "clear `rollout_check` of web_rearm" in said


def test_a_message_is_written_into_the_log_once(pressed, capsys):
    run = rearm(begin())
    capsys.readouterr()
    tell(run)
    said = capsys.readouterr().out
    assert said.count("[re-armed] web-app") == 1
    assert "the task log: told" in said


def test_a_re_arm_is_json_that_the_decision_reads(pressed):
    rearm(begin())
    notes = pressed.live()["metadata"]["annotations"]
    assert json.loads(notes["plan-reduce-repeat/rearmed"])["run"] == "web_rearm/run-1"
