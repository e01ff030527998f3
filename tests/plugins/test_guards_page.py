"""The page of guards, behind Airflow's own login."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.release.pressed import NOTE_PRESSED
from include.restarts.alerting import Memory
from include.restarts.evidence import LABEL_GUARD
from include.restarts.liveness import Dag
from plugins.guards_app import app as page
from plugins.guards_app.airflow_facts import Facts, ask_airflow
from plugins.guards_page import GUARDS_PREFIX, GuardsPlugin
from tests.plugins.pages import mounted
from tests.standin import Standin

NAMESPACE = "sre"
ALERT = json.dumps(
    {"action": "alert", "kind": "other causes", "text": "5 restarts of sre/swype-app. " + "w " * 90}
)
PAGE = f"{GUARDS_PREFIX}/guards"
LIVES = Dag()
RUN = "swype_guard/scheduled__2026-11-21T03:00:00+00:00"


airflow = mounted(GuardsPlugin)


@pytest.fixture
def shop(cluster: Standin, connection: Callable[[Path], None]) -> Iterator[Any]:
    """The namespace of the guard that ships, with a pressed Deployment, evidence, and a sign of life."""
    connection(cluster.kubeconfig)
    client = cluster.connect()
    now = datetime.now(UTC).isoformat()
    note = {
        "run": RUN,
        "at": now,
        "by": "swype",
        "replicas": 2,
        "evidence": "evidence-swype-1",
        "reason": "<b>4</b> restarts",
    }
    pod = {"containers": [{"name": "main", "image": "x"}], "schedulingGates": [{"name": "test/held"}]}
    deployment = {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "swype-app", "annotations": {NOTE_PRESSED: json.dumps(note)}},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}},
                 "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod}},
    }  # fmt: skip
    beat = {"at": now, "last_event": now, "last_relist": now, "watches": ["swype"], "problem": ""}
    labels = {"app.kubernetes.io/managed-by": "plan-reduce-repeat"}
    things = [
        ("evidence-swype-1", labels | {LABEL_GUARD: "swype"}, {"decision.json": '{"action": "press"}'}),
        ("evidence-swype-0", labels | {LABEL_GUARD: "swype"}, {"decision.json": ALERT}),
        ("evidence-other-1", labels | {LABEL_GUARD: "other"}, {"decision.json": "not this guard's"}),
        ("payments-swype", labels | {LABEL_GUARD: "swype"}, {"payments": "{}"}),
        ("restart-watch", labels, {"triggerer-1": json.dumps(beat)}),
    ]  # fmt: skip
    client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, "", manager="t")
    client.apply(deployment, NAMESPACE, manager="t", force=True)
    for name, marks, data in things:
        metadata = {"name": name, "labels": marks}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        client.apply(body, NAMESPACE, manager="t", force=True)
    yield client
    client.delete("Namespace", "", NAMESPACE)


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What the database of Airflow says."""

    def say(paused: bool = False, alive: Dag = LIVES, looked: datetime | None = None) -> None:
        now = datetime.now(UTC)
        memory = Memory(at=looked or now, begun=now, armed=["swype"])
        found = Facts({"swype_guard": Dag(paused=paused)}, alive, memory)
        monkeypatch.setattr(page, "ask_airflow", lambda _: found)

    say()
    return say


def count_restarts(shop: Any, at: str, count: int = 2, **more: Any) -> None:
    """The ledger of a watch that has counted so many."""
    uid = shop.get("Deployment", NAMESPACE, "swype-app")["metadata"]["uid"]
    same = {
        "pod": "p",
        "pod_uid": "u",
        "deployment_uid": uid,
        "container": "main",
        "at": at,
        "cause": "network",
    }
    restarts = [{**same, "number": number} for number in range(1, count + 1)]
    body = {
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "restarts-swype", "labels": {"app.kubernetes.io/managed-by": "plan-reduce-repeat"}},
        "data": {"ledger": json.dumps({"restarts": restarts, **more})},
    }  # fmt: skip
    shop.apply(body, NAMESPACE, manager="t", force=True)


@pytest.mark.parametrize(
    "path", [PAGE, f"{PAGE}.json", f"{GUARDS_PREFIX}/evidence?guard=swype&name=evidence-swype-1"]
)
def test_without_a_login_nothing_is_shown(airflow, path):
    answer = airflow.get(path)
    assert answer.status_code == 401
    assert "swype_rearm" not in answer.text
    assert airflow.get(path, headers={"Authorization": "Bearer x"}).status_code == 403
    assert airflow.get(path, headers={"Accept": "text/html"}).status_code == 303


def test_a_pressed_guard_with_its_evidence_and_its_way_back(airflow, shop, facts):
    answer = airflow.get(PAGE, headers=airflow.reader)
    assert answer.status_code == 200
    text = answer.text
    assert '<span class="badge pressed">pressed</span>' in text
    assert "swype-app stays at zero until somebody runs swype_rearm." in text
    assert 'href="evidence?guard=swype&amp;name=evidence-swype-1"' in text
    assert 'href="/dags/swype_guard/runs/scheduled__2026-11-21T03%3A00%3A00%2B00%3A00" target="_top"' in text
    assert 'href="/dags/swype_rearm"' in text
    assert "&lt;b&gt;4&lt;/b&gt; restarts" in text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert airflow.get(f"{PAGE}.js").headers["content-type"].startswith("text/javascript")
    (guard,) = airflow.get(f"{PAGE}.json", headers=airflow.reader).json()["guards"]
    assert (guard["state"], guard["pressed"]["replicas"]) == ("pressed", 2)
    assert guard["last_event"]
    assert sorted(guard["evidence"]) == ["evidence-swype-0", "evidence-swype-1"]  # not the payments' journal
    assert "<strong>press</strong>" in text
    assert (
        '<strong>alert: other causes</strong> <span class="soft small">5 restarts of sre/swype-app.' in text
    )
    assert "w ...</span>" in text


def test_more_restarts_than_the_limit_that_were_not_pressed_say_why(airflow, shop, facts):
    patch = {"metadata": {"annotations": {NOTE_PRESSED: None}}, "spec": {"replicas": 1}}
    shop.patch("Deployment", NAMESPACE, "swype-app", patch)
    at = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    count_restarts(shop, at, 4, alerts={"held back": at})
    text = airflow.get(PAGE, headers=airflow.reader).text
    assert "main: 4 of 3" in text
    assert "a press was held back, and people were told" in text
    assert "<strong>press due</strong>" in text


def test_somebody_scaled_a_pressed_one_up_and_it_restarts(airflow, shop, facts):
    shop.patch("Deployment", NAMESPACE, "swype-app", {"spec": {"replicas": 1}})
    now = datetime.now(UTC).isoformat()
    count_restarts(shop, now)
    beat = {"at": now, "watches": ["swype"]}
    shop.patch("ConfigMap", NAMESPACE, "restart-watch", {"data": {"triggerer-1": json.dumps(beat)}})
    text = airflow.get(PAGE, headers=airflow.reader).text
    assert "swype-app is pressed, but scaled up to 1 by somebody" in text
    assert '<span class="count">main: 2 of 3</span>' in text
    (guard,) = airflow.get(f"{PAGE}.json", headers=airflow.reader).json()["guards"]
    assert guard["last_event"] == now  # a watch that has just begun has heard of none


def test_an_armed_guard_with_what_it_has_counted(airflow, shop, facts):
    note = {"metadata": {"annotations": {NOTE_PRESSED: None}}, "spec": {"replicas": 1}}
    shop.patch("Deployment", NAMESPACE, "swype-app", note)
    count_restarts(shop, datetime.now(UTC).isoformat())
    text = airflow.get(PAGE, headers=airflow.reader).text
    assert '<span class="badge armed">armed</span>' in text
    assert '<span class="count">main: 2 of 3</span><br><span class="soft">2 network</span>' in text
    facts(paused=True)
    assert '<span class="badge disarmed">disarmed</span>' in airflow.get(PAGE, headers=airflow.reader).text


def test_a_mistake_in_the_entry_of_a_pressed_guard_leaves_its_row_and_its_way_back(
    airflow, shop, facts, project
):
    entry = "{name: swype, title: t, environment: payments, deployment: swype-app, threshold: 0}"
    (project / "config" / "guards.yaml").write_text(f"guards:\n  - {entry}\n")
    text = airflow.get(PAGE, headers=airflow.reader).text
    assert '<span class="badge pressed">pressed</span>' in text
    assert "Not watched: its entry in guards.yaml is wrong." in text
    assert 'href="/dags/swype_rearm"' in text
    assert 'href="/dags/swype_guard"' not in text
    assert "0 would press at the first restart" in text
    saved = f"{GUARDS_PREFIX}/evidence?guard=swype&name=evidence-swype-1"
    assert airflow.get(saved, headers=airflow.reader).status_code == 200


def test_evidence_is_shown_of_the_guard_that_saved_it_and_nothing_else(airflow, shop):
    def ask(guard: str, name: str) -> Any:
        return airflow.get(f"{GUARDS_PREFIX}/evidence?guard={guard}&name={name}", headers=airflow.reader)

    good = ask("swype", "evidence-swype-1")
    assert '===== decision.json\n{"action": "press"}' in good.text
    assert good.headers["content-type"].startswith("text/plain")
    for guard, name in (
        ("swype", "evidence-other-1"),
        ("swype", "evidence-none"),
        ("other", "evidence-other-1"),
    ):
        assert ask(guard, name).status_code == 404
    assert ask("swype", "restart-watch").status_code == 422


def test_that_nobody_judges_is_said(airflow, shop, facts):
    facts(alive=Dag(paused=True))
    assert "The DAG guards_alive is paused" in airflow.get(PAGE, headers=airflow.reader).text
    facts(looked=datetime(2026, 1, 1, tzinfo=UTC))
    assert "has not looked for more than 5 minutes" in airflow.get(PAGE, headers=airflow.reader).text


def test_a_cluster_that_does_not_answer_and_a_wrong_file(airflow, facts, connection, project):
    connection("/nowhere/kubeconfig")
    text = airflow.get(PAGE, headers=airflow.reader).text
    assert '<span class="badge waiting">waiting</span>' in text
    (project / "config" / "guards.yaml").write_text("guards: [{name: x}]")
    assert 'role="alert"' in airflow.get(PAGE, headers=airflow.reader).text


def test_what_the_database_of_airflow_knows(airflow):
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    with create_session() as session:
        session.merge(DagBundleModel(name="guards-of-a-test"))
        session.flush()
        session.merge(DagModel(dag_id="one_guard", bundle_name="guards-of-a-test", is_paused=True))
    found = ask_airflow(["one_guard", "no_guard"])
    assert found.dag("one_guard") == Dag(paused=True)
    assert found.dag("no_guard") == Dag(known=False)
