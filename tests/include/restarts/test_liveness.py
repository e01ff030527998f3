"""Whether a guard guards, as on-call reads it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.restarts.guards import Guard, Guards
from include.restarts.heartbeat import Beat, read_beats
from include.restarts.liveness import Dag, Kept, Liveness, Look, capacity_problem, is_silent, judge

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
GUARD = Guard(name="swype", title="Payments", environment="payments", deployment="swype-app")
GUARDS = Guards(guards=[GUARD])
DEPLOYMENT: dict[str, Any] = {"metadata": {"name": "swype-app"}}
WATCHING = Dag(run="run-1", tasks={"watch": "deferred", "confirm": None, "tell": None})
ACTING = Dag(run="run-1", tasks={"watch": "success", "confirm": "success", "approve": "awaiting_input"})


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def beat(age: float = 10, **more: Any) -> Beat:
    fields = {
        "last_event": ago(seconds=age),
        "last_relist": ago(seconds=age),
        "watches": frozenset({"swype"}),
    }
    return Beat("triggerer-1", ago(seconds=age), **(fields | more))


def kept(state: str = "armed", age: float = 60, run: str = "run-1") -> Kept:
    return Kept(state=state, since=ago(seconds=age), excused_at=ago(seconds=age), run=run)


def look(dag: Dag = WATCHING, *beats: Beat, **more: Any) -> Look:
    return Look(dag, beats, **({"deployment": DEPLOYMENT} | more))


def judged(seen: Look, before: Kept | None = None, guard: Guard = GUARD) -> Liveness:
    return judge(guard, seen, GUARDS, NOW, before)


def test_a_watch_that_says_so_is_armed():
    found = judged(look(WATCHING, beat()))
    assert (found.state, found.protects) == ("armed", True)
    assert found.text == "Watches swype-app: presses at more than 3 network restarts in 15 minutes."
    assert found.beat.last_event == ago(seconds=10)


def test_kopf_1276_a_dead_watch_that_looks_alive():
    """Its task is deferred and its triggerer runs, but nobody lists or watches any more."""
    silent = judged(look(WATCHING, beat(age=200)), kept(age=230))
    assert (silent.state, silent.protects) == ("not alive", False)
    assert "the last sign of life is 3 min old" in silent.text
    assert "triggerer" in silent.text

    stuck = judged(look(WATCHING, beat(last_relist=ago(minutes=7))))
    assert stuck.state == "not alive"
    assert "has not listed the pods for 7 min, which it should every 60 s" in stuck.text


def test_a_sign_of_life_of_another_watch_is_none_of_this_one():
    other = beat(watches=frozenset({"other"}))
    assert judged(look(WATCHING, other), kept(age=200)).state == "not alive"
    assert judged(look(WATCHING, other, beat(age=20)), kept(age=200)).state == "armed"


def test_paused_is_disarmed_though_its_trigger_still_runs():
    found = judged(look(Dag(paused=True, tasks=WATCHING.tasks), beat()))
    assert found.state == "disarmed"
    assert (
        found.text == "The DAG swype_guard is paused: nothing would be pressed. Unpause it to arm the guard."
    )


def test_pressed_says_by_which_run_and_how_to_go_on():
    note = {"run": "swype_guard/run-7", "at": "2026-11-21T02:59:00+00:00", "by": "swype", "replicas": 2}
    note["reason"] = "4 network restarts in 15 minutes"
    pressed = {"metadata": {"annotations": {"plan-reduce-repeat/pressed": json.dumps(note)}}}
    found = judged(look(WATCHING, beat(), deployment=pressed))
    assert found.state == "pressed"
    assert found.text == (
        "Pressed by swype (run swype_guard/run-7) at 2026-11-21 02:59:00 UTC, from 2 replicas: 4 network restarts "
        "in 15 minutes. swype-app stays at zero until somebody runs swype_rearm."
    )
    paused = judged(look(Dag(paused=True), deployment=pressed))
    assert (paused.state, "after the re-arm nothing would watch" in paused.text) == ("pressed", True)


def test_pressed_but_scaled_up_by_somebody_is_said():
    pressed = {"metadata": {"annotations": {"plan-reduce-repeat/pressed": "{}"}}, "spec": {"replicas": 1}}
    found = judged(look(WATCHING, beat(), deployment=pressed))
    assert found.state == "pressed"
    assert found.text.startswith("swype-app is pressed, but scaled up to 1 by somebody: run swype_rearm, or")
    assert "stays at zero" not in found.text


@pytest.mark.parametrize(
    ("at", "held"),
    [
        (ago(minutes=10), True),
        (ago(minutes=30), True),
        (ago(minutes=31), False),
        (ago(hours=-1), False),
    ],
)
def test_the_cooldown_after_a_re_arm_is_said(at: datetime, held: bool):
    note = json.dumps({"run": "swype_rearm/1", "at": at.isoformat()})
    deployment = {"metadata": {"annotations": {"plan-reduce-repeat/rearmed": note}}}
    found = judged(look(WATCHING, beat(), deployment=deployment))
    assert found.state == "armed"
    until = f"{at + timedelta(minutes=30):%H:%M}"
    assert (f"a press is held back until {until} UTC (re-armed); people are told" in found.text) == held
    assert ("presses at more than 3" in found.text) != held


@pytest.mark.parametrize("annotation", ["", "not json", "[]", "null"])
def test_a_press_that_cannot_be_read_is_a_press(annotation: str):
    deployment = {"metadata": {"annotations": {"plan-reduce-repeat/pressed": annotation}}}
    found = judged(look(deployment=deployment))
    assert found.state == "pressed"
    assert found.text.endswith("swype-app stays at zero until somebody runs swype_rearm.")


def test_a_deployment_that_is_not_there_yet_is_waited_for():
    found = judged(look(WATCHING, beat(), deployment=None))
    assert found.state == "waiting"
    assert "There is no Deployment swype-app" in found.text


def test_a_watch_that_may_not_look_waits_and_says_why():
    found = judged(look(WATCHING, beat(problem="pods is forbidden: User x cannot list")))
    assert (found.state, found.text) == (
        "waiting",
        "The watch lives, but: pods is forbidden: User x cannot list",
    )


def test_kopf_1276_a_watch_that_keeps_failing_is_not_armed_though_its_triggerer_gives_signs_of_life():
    """Its task is tried again and again; the triggerer lives and serves others."""
    failing = Dag(run="run-1", tasks={"watch": "up_for_retry"})
    said = beat(watches=frozenset({"other"}), troubles={"swype": "The watch failed (KeyError)"})
    first = judged(look(failing, said), kept(age=60))
    assert (first.state, "up_for_retry" in first.text) == ("waiting", True)
    later = judge(GUARD, look(failing, said), GUARDS, NOW + timedelta(minutes=3), first.kept)
    assert later.state == "not alive"
    assert "the task watch of the run run-1 has failed (up_for_retry); its log says why" in later.text


def test_a_task_that_has_failed_is_believed_before_a_sign_of_life_of_just_before():
    failed = Dag(run="run-1", tasks={"watch": "failed", "tell": "running"})
    assert judged(look(failed, beat())).state == "waiting"


def test_what_a_watch_has_trouble_with_is_said_and_its_tasks_are_asked_for():
    seen = look(WATCHING, beat(troubles={"swype": "The kept counts cannot be read: 500"}))
    assert is_silent(GUARD, seen, GUARDS, NOW)
    found = judged(seen)
    assert (found.state, found.text) == (
        "waiting",
        "The watch lives, but: The kept counts cannot be read: 500",
    )
    assert not is_silent(GUARD, look(WATCHING, beat(troubles={"other": "x"})), GUARDS, NOW)


def test_a_watch_that_another_triggerer_took_over_is_armed_whatever_the_first_one_says():
    failed_here = Beat("triggerer-2", ago(seconds=5), troubles={"swype": "The watch failed"})
    assert judged(look(WATCHING, beat(age=20), failed_here)).state == "armed"
    assert judged(look(WATCHING, beat(age=100), failed_here)).state == "waiting"


def test_a_guard_that_was_given_another_deployment_while_its_run_watches_the_first_is_not_armed():
    assert judged(look(WATCHING, beat(deployments={"swype": "swype-app"}))).state == "armed"
    found = judged(look(WATCHING, beat(deployments={"swype": "swype-old"})))
    assert (found.state, "still watches swype-old" in found.text) == ("waiting", True)


def test_a_guard_that_may_not_press_is_not_armed():
    denied = "the connection's user lacks patch on deployments in namespace sre"
    found = judged(look(WATCHING, beat(), denied=denied))
    assert (found.state, found.text) == (
        "waiting",
        f"The watch lives, but its press would fail: {denied}.",
    )
    dry = GUARD.model_copy(update={"dry_run": True})
    assert judged(look(WATCHING, beat(), denied=denied), guard=dry).state == "armed"


def test_a_cluster_that_is_down_is_waited_for_and_then_the_watch_gets_time():
    down = look(WATCHING, problem="https://10.0.0.1:6443 does not answer: connection refused")
    found = judged(down, kept(age=900))
    assert (found.state, "does not answer" in found.text) == ("waiting", True)
    back = judge(GUARD, look(WATCHING, beat(age=900)), GUARDS, NOW + timedelta(minutes=1), found.kept)
    assert (back.state, back.text) == (
        "waiting",
        "The watch is starting; the last sign of life is 16 min old.",
    )


def test_a_dag_that_airflow_does_not_know():
    found = judged(look(Dag(known=False)))
    assert found.state == "not alive"
    assert "import errors" in found.text


def test_a_new_guard_gets_time_to_start_and_no_more():
    first = judged(look(Dag()))
    assert first.state == "waiting"
    later = judge(GUARD, look(Dag()), GUARDS, NOW + timedelta(minutes=3, seconds=1), first.kept)
    assert later.state == "not alive"
    assert "no run of swype_guard watches, and there was no sign of life yet" in later.text


def test_a_watch_that_waits_for_a_slot():
    found = judged(look(Dag(run="run-1", tasks={"watch": "queued"})), kept(age=300))
    assert "has not begun (queued)" in found.text


def test_a_run_past_its_watch_is_acting_but_not_for_ever():
    begun = judged(look(ACTING, beat(age=400)), kept(age=400))
    assert (begun.state, begun.text) == (
        "acting",
        "The run run-1 has tripped and is at approve (awaiting_input).",
    )
    still = judged(look(ACTING, beat(age=900)), kept("acting", age=14 * 60))
    assert still.state == "acting"
    late = judged(look(ACTING, beat(age=990)), kept("acting", age=16 * 60))
    assert late.state == "not alive"
    after = judge(GUARD, look(ACTING, beat(age=990)), GUARDS, NOW + timedelta(minutes=1), late.kept)
    assert after.state == "not alive"


def test_a_run_that_waits_for_a_person_may_take_longer():
    patient = GUARD.model_copy(update={"approval": True, "answer_within_minutes": 30})
    assert judged(look(ACTING), kept("acting", age=40 * 60), patient).state == "acting"


def test_the_next_watch_gets_time_after_a_run_that_acted():
    assert judged(look(WATCHING, beat(age=600)), kept("acting", age=600)).state == "waiting"


def test_runs_that_fail_one_after_the_other_are_not_taken_for_a_start():
    failing = Dag(run="run-9", tasks={"watch": "failed", "confirm": "upstream_failed", "tell": "running"})
    between = Dag()
    before = kept(age=170, run="run-1")
    for minute, dag in enumerate((failing, between, failing)):
        found = judge(GUARD, look(dag), GUARDS, NOW + timedelta(minutes=minute), before)
        before = found.kept
    assert found.state == "not alive"


def test_a_clock_that_is_ahead_is_a_sign_of_life():
    assert judged(look(WATCHING, beat(age=-40))).state == "armed"


def test_what_is_no_sign_of_life_is_left_out():
    good = {"at": "2026-11-21T03:00:00+00:00", "watches": ["a"], "last_event": None, "problem": ""}
    data = {"t1": json.dumps(good), "t2": "rubbish", "t3": "[]", "t4": '{"at": "yesterday"}', "t5": "{}"}
    (found,) = read_beats({"data": data})
    assert (found.triggerer, found.at, found.watches) == ("t1", NOW, {"a"})
    assert read_beats(None) == [] == read_beats({})


def test_the_room_for_triggers():
    assert capacity_problem(1000, 1000) == ""
    assert capacity_problem(1000, 500, triggerers=2) == ""
    text = capacity_problem(1001, 1000)
    assert "Set AIRFLOW__TRIGGERER__CAPACITY (include/config/airflow.env) to 1001" in text
