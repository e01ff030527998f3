"""The tasks of a guard's run on the stand-in cluster: what is pressed, what is not, and what people are told."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from typing import Any

import pytest

from include.release.kube import Cluster
from include.restarts.press import read_note
from tests.plugins.guarded import UPSTREAM, Chat, Guards, service


def test_four_restarts_by_the_network_press_and_the_note_and_the_evidence_say_why(guards, chat, capsys):
    guards.add()
    guards.trip()
    run = guards.whole()
    assert run.states == dict.fromkeys(("confirm", "save_evidence", "press", "tell"), "success")
    assert guards.replicas() == 0
    note = read_note(guards.live())
    assert note is not None
    assert (note.run, note.by, note.replicas, note.cause, note.restarts) == (
        "web_guard/run-1",
        "web",
        1,
        "network",
        4,
    )
    evidence = guards.client.get("ConfigMap", guards.namespace, note.evidence)
    assert evidence is not None
    assert "connection refused" in evidence["data"]["pods.json"]
    (told,) = chat.told
    assert told.startswith(f"*[pressed] web-app in {guards.namespace} (guard web)*")
    for said in (
        "is scaled from 1 to 0",
        "4 restarts",
        "connection refused",
        note.evidence,
        "web_rearm is run with a reason",
    ):
        assert said in told, said
    assert "Read back: spec.replicas is 0" in capsys.readouterr().out


def test_three_restarts_do_not(guards):
    guards.add()
    guards.trip(times=3)
    run = guards.whole()
    assert run.states == {"confirm": "skipped", "tell": "skipped"}
    assert guards.replicas() == 1


def test_teutonet_helm_charts_1744_a_press_is_always_told_and_a_failed_tell_neither_undoes_nor_hides_it(
    guards, chat, records, capsys
):
    """teutonet-helm-charts#1744: an action that repairs by itself must not keep people from hearing of it."""
    guards.add()
    guards.trip()
    chat.status[:] = [500]
    run = guards.whole()
    assert run.states["tell"] == "failed"  # red: nobody may think that people know
    assert "NOT TOLD: webhook" in run.errors["tell"]
    assert guards.replicas() == 0  # not undone
    assert (
        f"[pressed] web-app in {guards.namespace}" in capsys.readouterr().out
    )  # not hidden: in the log, ...
    (change,) = records.changes()  # ... and in the history
    assert (change.kind, change.outcome, change.run) == ("press", "pressed", "web_guard/run-1")
    note = read_note(guards.live())
    assert note is not None
    assert (
        change.started.isoformat() == note.at
    )  # not when the guard was armed: the history is in order of time
    chat.status[:] = [200]
    guards.tell(run)
    guards.tell(run)
    assert len(chat.told) == 1  # told when it can be, and once


def test_other_causes_are_told_once_per_cooldown_and_not_pressed(guards, chat):
    guards.add()
    guards.trip(message="panic: runtime error: invalid memory address or nil pointer dereference")
    first, second = guards.whole(), guards.whole(run_id="run-2")
    assert first.states["press"] == "skipped"
    assert second.states == {"confirm": "skipped", "tell": "skipped"}
    (told,) = chat.told
    assert told.startswith(f"*[alert] web-app in {guards.namespace} (guard web)*")
    assert "not pressed" in told
    assert guards.replicas() == 1


def test_any_cause_presses_where_configured_so(guards):
    guards.add(causes="any")
    guards.trip(message="panic: nil pointer dereference")
    assert guards.whole().states["press"] == "success"
    assert guards.replicas() == 0


def test_unknown_causes_press_when_the_upstream_does_not_answer(guards, chat):
    guards.add(upstream=UPSTREAM)
    service(guards)
    guards.trip(message="")
    run = guards.whole()
    assert run.states["press"] == "success"
    assert guards.replicas() == 0
    assert "gateway-service:5010/ping does not answer: no endpoints available" in chat.told[0]


@pytest.mark.parametrize("upstream", [None, UPSTREAM], ids=["none configured", "cannot be asked"])
def test_unknown_causes_alert_when_nobody_shows_that_the_upstream_is_down(guards, chat, upstream):
    guards.add(**({"upstream": upstream} if upstream else {}))
    guards.trip(message="")
    first, second = guards.whole(), guards.whole(run_id="run-2")
    assert first.states["press"] == "skipped"
    assert second.states == {"confirm": "skipped", "tell": "skipped"}
    (told,) = chat.told
    assert told.startswith("*[alert]")
    assert guards.replicas() == 1


def test_four_guards_at_once_press_nothing_and_page_a_human(guards, chat):
    names = [f"g{number}" for number in range(4)]
    runs = []
    for name in names:
        guards.add(name)
        guards.trip(name)
    for name in names:
        runs.append(guards.begin(name))
        guards.confirm(runs[-1])
    for run in runs:
        guards.press(run)
        guards.tell(run)
    assert [guards.replicas(name) for name in names] == [1, 1, 1, 1]
    assert len(chat.told) == 4
    for told in chat.told:
        assert told.startswith("*[braked]")
        assert "4 guards tripped within 10 minutes" in told
        assert "By hand: kubectl" in told
    # The next runs do not begin with the same again: people know.
    again = guards.whole("g0", "run-2")
    assert again.states == {"confirm": "skipped", "tell": "skipped"}


def test_three_guards_at_once_press(guards):
    for name in ("g0", "g1", "g2"):
        guards.add(name)
        guards.trip(name)
    runs = [guards.begin(name) for name in ("g0", "g1", "g2")]
    for run in runs:
        guards.confirm(run)
    for run in runs:
        guards.press(run)
    assert [guards.replicas(name) for name in ("g0", "g1", "g2")] == [0, 0, 0]


def test_a_node_that_is_not_ready_presses_nothing_and_pages_a_human(guards, chat, monkeypatch):
    guards.add()
    guards.trip()
    listed = Cluster.list

    def with_a_lost_node(self: Cluster, kind: str, namespace: str, **options: Any) -> Any:
        if kind == "Node":
            conditions = [{"type": "Ready", "status": "Unknown"}]
            return [{"metadata": {"name": "node-7"}, "status": {"conditions": conditions}}]
        return listed(self, kind, namespace, **options)

    monkeypatch.setattr(Cluster, "list", with_a_lost_node)
    run = guards.whole()
    assert run.states["press"] == "skipped"
    assert guards.replicas() == 1
    (told,) = chat.told
    assert told.startswith("*[braked]")
    assert "1 node is not ready (node-7)" in told


def test_a_deployment_that_is_replaced_between_the_watch_and_the_press_is_left_alone(guards, chat):
    guards.add()
    guards.trip()
    run = guards.begin()
    guards.confirm(run)
    guards.client.delete("Deployment", guards.namespace, "web-app")
    guards.shown["web"].create()
    guards.press(run)
    guards.tell(run)
    assert run.states["press"] == "skipped"
    assert guards.replicas() == 1
    assert "was replaced since its restarts were counted" in chat.told[0]
    # What the one before did is no reason to press the new one.
    assert guards.whole(run_id="run-2").states["confirm"] == "skipped"


def test_a_deployment_that_is_gone_is_waited_for(guards):
    guards.add(deploy=False)
    run = guards.whole()
    assert run.states == {"confirm": "skipped", "tell": "skipped"}


def test_a_run_whose_press_is_tried_again_presses_once(guards, chat):
    guards.add()
    guards.trip()
    run = guards.begin()
    guards.confirm(run)
    guards.press(run)
    note, generation = read_note(guards.live()), guards.live()["metadata"]["generation"]
    guards.confirm(run)  # cleared with all that comes after it: the payments are still to be held
    assert run.states["confirm"] == "success"
    guards.press(run)
    assert run.values["press", "pressed"]["again"] is True
    assert (read_note(guards.live()), guards.live()["metadata"]["generation"]) == (note, generation)


def test_a_dry_run_does_everything_but_act_and_says_what_it_would_do(guards, chat, capsys):
    guards.add(dry_run=True)
    guards.trip()
    run = guards.whole()
    assert run.states == dict.fromkeys(("confirm", "save_evidence", "press", "tell"), "success")
    assert guards.replicas() == 1
    assert read_note(guards.live()) is None
    (told,) = chat.told
    assert told.startswith(f"*[dry run] web-app in {guards.namespace} (guard web)*")
    assert "would be scaled from 1 to 0" in told
    assert "Re-arm" not in told
    # It does not say so again with every run.
    assert guards.whole(run_id="run-2").states["confirm"] == "skipped"


class TestApproval:
    """A guard that asks first."""

    def asked(self, guards: Guards, monkeypatch: pytest.MonkeyPatch) -> Any:
        from airflow.providers.standard.operators.hitl import HITLOperator

        guards.add(approval=True, answer_within_minutes=7)
        guards.trip()
        run = guards.begin()
        guards.confirm(run)
        shown: list[Any] = []
        monkeypatch.setattr(HITLOperator, "execute", lambda task, context: shown.append(task))
        task = guards.approve(run)
        run.execute(task)
        assert guards.replicas() == 1
        told = Chat.told.pop()
        assert told.startswith(f"*[waits for approval] press of web-app in {guards.namespace} (guard web)*")
        assert "connection refused. boss may answer, within 7 minutes" in told
        return run, task, shown[0]

    def event(self, user: str = "boss", chosen: str = "Approve", why: str = "") -> dict[str, Any]:
        return {
            "chosen_options": [chosen],
            "params_input": {"why": why},
            "responded_by_user": {"id": user, "name": user},
            "responded_at": datetime.now(UTC),
        }

    def test_who_may_is_shown_what_there_is_and_an_approval_presses(self, guards, chat, monkeypatch):
        run, task, shown = self.asked(guards, monkeypatch)
        assert shown.subject == f"Press the red button of web-app in {guards.namespace}?"
        assert shown.assigned_users == [{"id": "boss", "name": "boss"}]
        assert shown.response_timeout.total_seconds() == 7 * 60
        for said in ("is scaled to zero", "4 restarts", "connection refused", "not pressed"):
            assert said in shown.body, said
        run.answer(task, **self.event(why="do it"))
        guards.press(run, approved_by="approve")
        guards.tell(run)
        assert guards.replicas() == 0
        assert "boss at" in chat.told[0]

    @pytest.mark.parametrize(
        ("event", "said"),
        [
            ({"error_type": "timeout", "error": "x"}, "nobody answered within 7 minutes (boss could have)"),
            ({"chosen_options": ["Reject"]}, "boss rejected it"),
            ({"responded_by_user": {"id": "eve", "name": "eve"}}, "eve answered, who may not; boss may"),
        ],
        ids=["silence", "rejected", "somebody else"],
    )
    def test_anything_else_does_not_press(self, guards, chat, monkeypatch, event, said):
        run, task, _ = self.asked(guards, monkeypatch)
        run.answer(task, **(self.event() | event))
        assert run.states["approve"] == "skipped"
        guards.tell(run)
        assert guards.replicas() == 1
        (told,) = chat.told
        assert told.startswith("*[refused]")
        assert said in told
        # The next run does not ask at once again.
        assert guards.whole(run_id="run-2").states["confirm"] == "skipped"


class TestTrouble:
    """What on-call reads when something around the guard is wrong."""

    def test_a_cluster_that_is_down_is_tried_again_and_told_once_per_cooldown(
        self, guards, chat, tmp_path, connection
    ):
        guards.add()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        text = (
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
            f"clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\n"
            "contexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {}}]\n"
        )
        (tmp_path / "down").write_text(text)
        connection(tmp_path / "down")
        for run_id in ("run-1", "run-2"):
            run = guards.whole(run_id=run_id)
            assert run.states == {"confirm": "failed", "tell": "failed"}  # red, though people are told
            assert "does not answer" in run.errors["confirm"]
        (told,) = chat.told
        assert told.startswith(f"*[failed] web-app in {guards.namespace} (guard web)*")
        assert "could not decide: `confirm` failed" in told

    def test_no_permission_to_press_is_said_and_tried_again(self, guards, chat, monkeypatch, capsys):
        guards.add()
        guards.trip()
        run = guards.begin()
        guards.confirm(run)
        forbid(monkeypatch, "Deployment")
        guards.press(run)
        guards.tell(run)
        assert run.states["press"] == "failed"
        assert 'cannot patch resource "deployments"' in capsys.readouterr().out
        (told,) = chat.told
        assert told.startswith("*[failed]")
        assert "The button was due and is NOT pressed: `press` failed" in told
        assert guards.replicas() == 1

    def test_evidence_that_cannot_be_saved_is_in_the_log_and_does_not_hold_up_the_press(
        self, guards, monkeypatch, capsys
    ):
        from plugins.operators import confirm

        guards.add()
        guards.trip()

        def full(*_: Any) -> bool:
            from include.release.kube import KubeError

            raise KubeError(403, "exceeded quota: configmaps", "POST configmaps", "Forbidden")

        monkeypatch.setattr(confirm, "create_once", full)
        run = guards.whole()
        assert run.states["press"] == "success"
        said = capsys.readouterr().out
        assert "CANNOT BE SAVED" in said
        assert "--- decision.json" in said

    def test_a_broken_configuration_names_file_and_field(self, guards, capsys):
        guards.add(threshold=0)
        run = guards.begin()
        guards.confirm(run)
        assert run.states["confirm"] == "failed"
        said = capsys.readouterr().out
        assert "guards.yaml:" in said
        assert "threshold" in said


def forbid(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The connection's user may not patch this kind."""
    from include.release.kube import KubeError

    patch = Cluster.patch

    def refuse(self: Cluster, changed: str, *args: Any, **options: Any) -> Any:
        if changed == kind:
            message = f'User "sre" cannot patch resource "{kind.lower()}s" in API group "apps"'
            raise KubeError(403, message, f"PATCH {kind}", "Forbidden")
        return patch(self, changed, *args, **options)

    monkeypatch.setattr(Cluster, "patch", refuse)
