"""The press in the task that its trigger wakes up, and the tasks behind it, on the stand-in cluster."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from include.release.kube import Cluster, KubeError
from include.release.loading import Sources
from include.restarts.loading import read_guard
from include.restarts.press import read_note
from include.restarts.rearm import restore
from include.restarts.rearm_note import RearmNote
from plugins.operators import at_once
from plugins.sensors.guard_watch import guard_watch
from plugins.triggers.restarts import RestartTrigger

FOUND = {"action": "press", "text": "4 restarts", "counts": {}, "restarts": [], "decided_at": None}


def watch(guards: Any) -> Any:
    """The watch of the guard, as its DAG has it."""
    return guard_watch(*read_guard(Sources.from_environment(), "web"), task_id="watch")


def wake(guards: Any, run: Any, **found: Any) -> None:
    """The trigger has tripped: the task goes on in a worker."""
    run.answer(watch(guards), **(FOUND | found))


def test_the_watch_presses_at_once_and_the_tasks_behind_it_find_that(guards, chat):
    guards.add()
    guards.trip()
    run = guards.begin()
    wake(guards, run)
    assert guards.replicas() == 0
    note = read_note(guards.live())
    assert note is not None
    pressed_at = note.at
    assert guards.client.get("ConfigMap", guards.namespace, note.evidence)
    guards.confirm(run)
    guards.press(run)
    guards.tell(run)
    assert run.states == dict.fromkeys(("watch", "confirm", "save_evidence", "press", "tell"), "success")
    assert read_note(guards.live()).at == pressed_at
    (told,) = chat.told
    for said in ("[pressed] web-app", "is scaled from 1 to 0, by this run", "4 restarts", note.evidence):
        assert said in told, said


def test_a_press_that_is_re_armed_before_the_tasks_behind_look_is_told(guards, chat, records):
    guards.add()
    guards.trip()
    run = guards.begin()
    wake(guards, run)
    note = RearmNote(run="web_rearm/run-1", by="oncall", reason="all is well", replicas=1)
    restore(guards.client, guards.namespace, "web-app", note)
    guards.confirm(run)
    guards.press(run)
    guards.tell(run)
    assert (run.states["press"], run.states["tell"]) == ("skipped", "success")
    (told,) = chat.told
    assert told.startswith("*[pressed] web-app")
    for said in ("RE-ARMED since, by oncall at 20", "is scaled from 1 to 0", "4 restarts", "(4 network)"):
        assert said in told, said
    assert "stays at zero" not in told
    assert [(each.kind, each.outcome) for each in records.changes()] == [("press", "pressed")]


@pytest.mark.parametrize("method", ["create", "list", "patch"])
def test_what_fails_at_once_is_done_by_the_tasks_behind(guards, chat, monkeypatch, method):
    guards.add()
    guards.trip()
    run = guards.begin()
    real = getattr(Cluster, method)

    def fails(self: Any, what: Any, *args: Any, **options: Any) -> Any:
        kind = what if isinstance(what, str) else what["kind"]
        if kind in ("ConfigMap", "Pod", "Deployment"):
            raise KubeError(503, "not now", method)
        return real(self, what, *args, **options)

    with monkeypatch.context() as broken:
        broken.setattr(Cluster, method, fails)
        wake(guards, run)
    assert run.states["watch"] == "success"
    assert guards.replicas() == 1
    guards.confirm(run)
    guards.press(run)
    assert guards.replicas() == 0


@pytest.mark.parametrize("facts", [{"approval": True}, {"dry_run": True}])
def test_where_somebody_is_asked_or_nothing_is_done_the_watch_does_not_press(guards, facts):
    guards.add()
    guards.trip()
    awake = watch(guards)
    assert awake.start_trigger_args.trigger_kwargs["end_task"] is False
    guards.change(**facts)
    assert watch(guards).start_trigger_args.trigger_kwargs["end_task"] is True
    # Also when that was changed after the watch had begun.
    guards.begin().answer(awake, **FOUND)
    assert guards.replicas() == 1


def test_an_alert_is_no_press(guards):
    guards.add()
    guards.trip()
    wake(guards, guards.begin(), action="alert")
    wake(guards, guards.begin(), action="ask_upstream")
    assert guards.replicas() == 1


def test_three_restarts_are_too_few_whatever_the_watch_says(guards):
    guards.add()
    guards.trip(times=3)
    wake(guards, guards.begin())
    assert guards.replicas() == 1


def test_the_brake_that_others_pull_meanwhile_holds(guards, monkeypatch):
    guards.add()
    guards.trip()
    monkeypatch.setattr(at_once, "braked_now", lambda *_: "a storm")
    wake(guards, guards.begin())
    assert guards.replicas() == 1


async def test_a_task_that_was_killed_after_its_press_goes_on(guards):
    guards.add()
    guards.trip()
    run = guards.begin()
    wake(guards, run)
    trigger = RestartTrigger(**watch(guards).start_trigger_args.trigger_kwargs)
    trigger._task_instance = SimpleNamespace(dag_id=run.dag_id, run_id=run.run_id, try_number=2)
    (event,) = [each async for each in trigger.run()]
    assert event.payload["action"] == "press"
    assert "An earlier try of this task was cut off after that" in event.payload["text"]
    before = read_note(guards.live())
    run.answer(watch(guards), **event.payload)
    assert read_note(guards.live()) == before
