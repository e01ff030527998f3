"""A guard's tasks that come late, are cut off or are tried again: nothing is pressed for an old reason, no message is lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException

from include.release.kube import Cluster, KubeError
from include.release.pressed import NOTE_PRESSED
from include.restarts.press import PressNote, press, read_note
from include.restarts.rearm import restore
from include.restarts.rearm_note import RearmNote
from plugins.operators import confirm as confirm_task
from plugins.operators import press as press_task
from plugins.operators.confirm import ConfirmOperator, SaveEvidenceOperator
from tests.plugins.guarded import UPSTREAM, Guards, Run


def late(run: Run, by: timedelta = timedelta(hours=1)) -> None:
    """The run stood still for so long after it had confirmed: its DAG was paused, or somebody clears an old one."""
    verdict = json.loads(run.values["confirm", "verdict"])
    verdict["decided_at"] = (datetime.now(UTC) - by).isoformat()
    run.values["confirm", "verdict"] = json.dumps(verdict)


def tripped(guards: Guards, **facts: Any) -> Run:
    """A run that has confirmed."""
    guards.add(**facts)
    guards.trip()
    run = guards.begin()
    guards.confirm(run)
    return run


def rearm(guards: Guards) -> None:
    """Somebody re-arms."""
    note = RearmNote(run="web_rearm/run-1", by="oncall", reason="it answers", replicas=1)
    assert restore(guards.client, guards.namespace, "web-app", note).outcome == "re-armed"


class TestAnOldVerdict:
    """The press, some time after what it was decided on."""

    def test_is_made_again_and_a_healthy_service_is_left_alone_and_people_are_told(self, guards, chat):
        run = tripped(guards)
        late(run)
        guards.change(threshold=50)  # by now it is not too often
        guards.press(run)
        guards.tell(run)
        assert run.states["press"] == "skipped"
        assert guards.replicas() == 1
        (told,) = chat.told
        assert told.startswith("*[alert] web-app")
        assert "it was due at" in told
        assert "and is not any more" in told

    def test_presses_when_a_new_look_says_the_same_with_the_new_reason(self, guards, chat):
        run = tripped(guards)
        late(run)
        guards.trip(times=1)
        guards.press(run)
        assert guards.replicas() == 0
        note = read_note(guards.live())
        assert note is not None
        assert (note.run, note.restarts) == ("web_guard/run-1", 5)
        guards.tell(run)
        assert "5 restarts" in chat.told[0]

    def test_of_a_minute_ago_costs_no_other_look(self, guards, monkeypatch):
        run = tripped(guards)
        late(run, timedelta(seconds=50))
        monkeypatch.setattr(press_task, "fresh_look", lambda *_, **__: pytest.fail("looked again"))
        guards.press(run)
        assert guards.replicas() == 0

    def test_is_made_again_with_the_storm_brake(self, guards, chat):
        guards.add()
        others = ["g0", "g1", "g2"]
        for name in others:
            guards.add(name)
        guards.trip()
        run = guards.begin()
        guards.confirm(run)
        late(run)
        for name in others:
            guards.trip(name)
            guards.confirm(guards.begin(name))
        guards.press(run)
        guards.tell(run)
        assert guards.replicas() == 1
        assert chat.told[0].startswith("*[braked]")

    def test_does_not_press_again_what_this_run_has_pressed(self, guards):
        run = tripped(guards)
        guards.press(run)
        late(run)
        guards.press(run)
        assert run.states["press"] == "success"
        assert run.values["press", "pressed"]["again"] is True


class TestAfterARearm:
    """A worker that died after its patch, and a task that somebody clears."""

    @pytest.mark.parametrize("by", [timedelta(0), timedelta(hours=1)], ids=["retried", "cleared later"])
    def test_the_run_whose_press_was_taken_back_does_not_press_again(self, guards, chat, by):
        run = tripped(guards)
        guards.press(run)
        rearm(guards)
        late(run, by)
        guards.press(run)
        guards.tell(run)
        assert run.states["press"] == "skipped"
        assert guards.replicas() == 1
        assert read_note(guards.live()) is None

    def test_another_run_that_had_confirmed_before_it_does_not_press_either(self, guards, chat):
        run = tripped(guards)
        uid = guards.live()["metadata"]["uid"]
        press(guards.client, guards.namespace, "web-app", uid, PressNote(run="web_guard/other", by="web"))
        rearm(guards)
        guards.press(run)
        guards.tell(run)
        assert run.values["press", "pressed"]["outcome"] == "re-armed"
        assert guards.replicas() == 1
        assert "was re-armed by oncall at" in chat.told[0]


class TestAnApproval:
    """Somebody has looked, and said yes."""

    def approved(self, guards: Guards, run: Run, ago: timedelta) -> None:
        run.values["approve", "approved_at"] = (datetime.now(UTC) - ago).isoformat()
        guards.press(run, approved_by="approve")

    def test_presses_on_what_was_approved_though_it_was_decided_long_before(self, guards, monkeypatch):
        run = tripped(guards, approval=True)
        late(run, timedelta(minutes=10))
        monkeypatch.setattr(press_task, "fresh_look", lambda *_, **__: pytest.fail("looked again"))
        self.approved(guards, run, timedelta(seconds=30))
        assert guards.replicas() == 0

    def test_of_some_minutes_ago_is_for_what_a_new_look_says(self, guards):
        run = tripped(guards, approval=True)
        late(run, timedelta(minutes=10))
        guards.change(threshold=50)
        self.approved(guards, run, timedelta(minutes=5))
        assert run.states["press"] == "skipped"
        assert guards.replicas() == 1

    def test_of_yesterday_is_none(self, guards, chat):
        run = tripped(guards, approval=True)
        late(run, timedelta(days=1))
        self.approved(guards, run, timedelta(days=1))
        guards.tell(run)
        assert guards.replicas() == 1
        assert "which is too long ago: ask again" in chat.told[0]


class TestCutOff:
    """kill -9 after what a task did and before Airflow knows of it: the task is tried again."""

    @pytest.mark.parametrize("upstream", [None, UPSTREAM], ids=["other causes", "unknown cause"])
    def test_an_alert_that_nobody_was_told_of_yet_is_found_again(self, guards, chat, upstream):
        guards.add(**({"upstream": upstream} if upstream else {}))
        guards.trip(message="" if upstream else "panic: nil pointer dereference")
        run = guards.begin()
        for _ in range(2):
            guards.confirm(run)
            assert run.values["confirm", "return_value"] == "alert"
        guards.tell(run)
        guards.tell(run)
        assert len(chat.told) == 1
        assert guards.whole(run_id="run-2").states == {"confirm": "skipped", "tell": "skipped"}

    def test_a_storm_is_found_again(self, guards, chat):
        names = ["g0", "g1", "g2", "g3"]
        for name in names:
            guards.add(name)
            guards.trip(name)
        for name in names[:3]:
            guards.confirm(guards.begin(name))
        run = guards.begin("g3")
        for _ in range(2):
            guards.confirm(run)
            assert run.values["confirm", "return_value"] == "braked"
        guards.tell(run)
        assert chat.told[0].startswith("*[braked]")
        assert guards.whole("g3", "run-2").states["confirm"] == "skipped"

    def test_what_could_be_told_to_nobody_is_told_by_the_next_run(self, guards, chat):
        guards.add()
        guards.trip(message="panic: nil pointer dereference")
        chat.status[:] = [500]
        assert guards.whole().states["tell"] == "failed"
        chat.status[:] = [200]
        assert guards.whole(run_id="run-2").states["tell"] == "success"
        assert chat.told[0].startswith("*[alert]")

    def test_a_press_whose_task_fails_after_it_is_told_as_a_press(self, guards, chat, monkeypatch):
        payments = {"kind": "upcommerce", "service": "upcommerce-service", "port": 5000, "settle": "keep"}
        run = tripped(guards, payments=payments)

        def dies(*_: Any, **__: Any) -> Any:
            raise AirflowException("the worker is gone")

        monkeypatch.setattr(press_task, "undone", dies)
        guards.press(run)
        assert run.states["press"] == "failed"
        run.values.pop(("press", "pressed"), None)  # even when nothing was handed on
        guards.tell(run)
        (told,) = chat.told
        assert told.startswith("*[pressed] web-app")
        assert "NOT pressed" not in told
        assert "Then this failed: `press` failed" in told
        assert "the payments too, waits until that task is cleared" in told

    def test_a_press_at_once_is_told_when_no_task_behind_it_succeeds(self, guards, chat):
        guards.add()
        uid = guards.live()["metadata"]["uid"]
        note = PressNote(run="web_guard/run-1", by="web", reason="4 restarts", evidence="evidence-web-1")
        press(guards.client, guards.namespace, "web-app", uid, note)
        run = guards.begin()
        run.states["confirm"] = "failed"
        guards.tell(run)
        (told,) = chat.told
        assert told.startswith("*[pressed] web-app")
        assert "from 1 replica: 4 restarts" in told
        assert "ConfigMap evidence-web-1" in told

    def test_what_the_press_has_done_is_handed_on_before_anything_else(self, guards, monkeypatch):
        run = tripped(guards)

        def dies(*_: Any, **__: Any) -> Any:
            raise AirflowException("the worker is gone")

        monkeypatch.setattr(press_task, "undone", dies)
        guards.press(run)
        assert run.values["press", "pressed"]["outcome"] == "pressed"


class TestBrokenAround:
    """What is not needed for a press, and does not work."""

    def test_keda_that_answers_with_an_error_holds_up_no_press_and_is_told(self, guards, chat, monkeypatch):
        run = tripped(guards)
        listed = Cluster.list

        def broken(self: Cluster, kind: str, *args: Any, **options: Any) -> Any:
            if kind == "ScaledObject":
                raise KubeError(500, "conversion webhook failed", "GET scaledobjects")
            return listed(self, kind, *args, **options)

        monkeypatch.setattr(Cluster, "list", broken)
        guards.press(run)
        guards.tell(run)
        assert run.states["press"] == "success"
        assert guards.replicas() == 0
        assert chat.told[0].startswith("*[pressed]")
        assert chat.told[0].count("conversion webhook failed") == 1

    def test_a_press_that_cannot_be_read_back_is_a_press(self, guards, chat, monkeypatch):
        run = tripped(guards)
        read, patched = Cluster.get, Cluster.patch
        away: list[bool] = []

        def get(self: Cluster, kind: str, *args: Any) -> Any:
            if away and kind == "Deployment":
                raise KubeError(503, "overloaded", "GET deployments")
            return read(self, kind, *args)

        def patch(self: Cluster, *args: Any, **options: Any) -> Any:
            answer = patched(self, *args, **options)
            away.append(True)
            return answer

        monkeypatch.setattr(Cluster, "get", get)
        monkeypatch.setattr(Cluster, "patch", patch)
        guards.press(run)
        assert run.states["press"] == "success"
        guards.tell(run)
        assert chat.told[0].startswith("*[pressed]")
        assert "could not be read back" in chat.told[0]
        assert "Whether it is at zero now is not known" in chat.told[0]

    @pytest.mark.parametrize(
        ("broken", "error"),
        [
            ("create_once", KubeError(503, "etcd leader changed", "POST configmaps")),
            ("look", KubeError(504, "timed out", "GET pods")),
            ("evidence", ValueError("not what was expected")),
            ("read_logs", UnicodeDecodeError("utf-8", b"x", 0, 1, "odd")),
        ],
        ids=["cannot be written", "cannot be read", "our mistake", "odd logs"],
    )
    def test_evidence_that_cannot_be_saved_holds_up_no_press_for_long(
        self, guards, monkeypatch, capsys, broken, error
    ):
        guards.add()
        guards.trip()
        run = guards.begin()

        def fails(*_: Any, **__: Any) -> Any:
            raise error

        run.execute(ConfirmOperator(task_id="confirm", guard="web"))
        monkeypatch.setattr(confirm_task, broken, fails)
        monkeypatch.setattr(confirm_task, "SAVE_SECONDS", 0.1)
        monkeypatch.setattr(confirm_task, "SAVE_AGAIN_SECONDS", 0.06)
        run.execute(SaveEvidenceOperator(task_id="save_evidence", guard="web"))
        assert run.states["save_evidence"] == "success"
        said = capsys.readouterr().out
        assert f"CANNOT BE SAVED: {type(error).__name__}" in said
        assert "--- decision.json" in said
        guards.press(run)
        assert guards.replicas() == 0

    def test_evidence_that_can_be_saved_a_moment_later_is(self, guards, monkeypatch):
        guards.add()
        guards.trip()
        run = guards.begin()
        run.execute(ConfirmOperator(task_id="confirm", guard="web"))
        real, calls = confirm_task.create_once, []

        def once(*args: Any) -> Any:
            calls.append(1)
            if len(calls) == 1:
                raise KubeError(503, "etcd leader changed", "POST configmaps")
            return real(*args)

        monkeypatch.setattr(confirm_task, "create_once", once)
        monkeypatch.setattr(confirm_task, "SAVE_AGAIN_SECONDS", 0.01)
        name = run.execute(SaveEvidenceOperator(task_id="save_evidence", guard="web"))
        assert guards.client.get("ConfigMap", guards.namespace, name)

    @pytest.mark.parametrize("pressed", [True, False])
    def test_kedas_pause_is_taken_off_a_replaced_deployment_only_when_that_is_not_pressed(
        self, guards, monkeypatch, pressed
    ):
        run = tripped(guards)
        guards.client.delete("Deployment", guards.namespace, "web-app")
        guards.shown["web"].create()
        if pressed:
            notes = {"annotations": {NOTE_PRESSED: '{"run": "web_guard/other", "replicas": 1}'}}
            change = {"metadata": notes, "spec": {"replicas": 0}}
            guards.client.patch("Deployment", guards.namespace, "web-app", change)
        resumed: list[str] = []
        monkeypatch.setattr(press_task, "resume_keda", lambda *_, **__: resumed.append("resumed") or [])
        guards.press(run)
        assert run.values["press", "pressed"]["outcome"] == "replaced"
        assert bool(resumed) is not pressed
