"""The page of releases and the call by which CI records verdicts, behind Airflow's own login."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include.records.models import Change
from plugins.operators.configure import ConfigureOperator
from plugins.operators.deploy import DeployOperator
from plugins.releases_page import PREFIX, ReleasesPlugin, WhenAsked
from tests.plugins.pages import mounted

DIGEST = "sha256:" + "1" * 64
GOOD = {"digest": DIGEST, "image": "shop:1.0.0", "app": "shop", "passed": True}
VERDICTS, RELEASES = f"{PREFIX}/verdicts", f"{PREFIX}/releases"


airflow = mounted(ReleasesPlugin)


@pytest.fixture
def admin(airflow: Any) -> dict[str, str]:
    return dict(airflow.token("admin", "admin"))


@pytest.fixture
def reader(airflow: Any) -> dict[str, str]:
    return dict(airflow.token("ro", "viewer"))


def change(**more: Any) -> Change:
    values = {
        "run": "release/manual__1", "kind": "release", "app": "small", "environment": "qa", "release": "small",
        "images": {"python:3": f"x/python:3@{DIGEST}"}, "user": "dev", "started": datetime(2026, 3, 4, 12, 0, tzinfo=UTC),
        "outcome": "released",
    }  # fmt: skip
    return Change(**(values | more))


def test_every_component_imports_the_plugin_so_it_imports_no_web_framework():
    text = (Path(__file__).resolve().parents[2] / "plugins" / "releases_page.py").read_text()
    imported = {line.split()[1] for line in text.splitlines() if line.startswith(("import ", "from "))}
    light = {
        "__future__",
        "importlib",
        "typing",
        "urllib.parse",
        "airflow.configuration",
        "airflow.plugins_manager",
    }
    assert imported == light
    assert WhenAsked("plugins.records_app.app")._app is None


@pytest.mark.parametrize("path", [RELEASES, f"{RELEASES}.json", VERDICTS, f"{PREFIX}/document?run=x"])
def test_without_a_login_nothing_is_shown(airflow, records, path):
    records.save_change(change())
    answer = airflow.get(path)
    assert answer.status_code == 401
    assert "small" not in answer.text
    assert airflow.get(path, headers={"Authorization": "Bearer x"}).status_code == 403


def test_a_browser_without_a_login_is_sent_to_it_and_back(airflow):
    answer = airflow.get(RELEASES, headers={"Accept": "text/html,*/*"})
    assert answer.status_code == 303
    assert answer.headers["location"].endswith(
        "/auth/login?next=http%3A%2F%2Ftestserver%2Fplan-reduce-repeat%2Freleases"
    )


def test_a_cookie_of_the_ui_is_a_login(airflow, reader, records):
    token = reader["Authorization"].removeprefix("Bearer ")
    assert airflow.get(RELEASES, headers={"Cookie": f"_token={token}"}).status_code == 200


def test_the_page_and_its_data_show_what_is_recorded(airflow, reader, records, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_KUBERNETES_SHOP", raising=False)
    records.save_change(change(reason="<b>CHG-1</b>"))
    answer = airflow.get(RELEASES, headers=reader)
    assert answer.status_code == 200
    assert 'href="/dags/release/runs/manual__1" target="_top"' in answer.text
    assert "&lt;b&gt;CHG-1&lt;/b&gt;" in answer.text
    assert "cluster not reachable: no such connection (connection kubernetes_shop)" in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert airflow.get(f"{RELEASES}.js").headers["content-type"].startswith("text/javascript")
    data = airflow.get(f"{RELEASES}.json?environment=qa", headers=reader).json()
    assert data["places"][0]["last"]["run"] == "release/manual__1"
    assert airflow.get(f"{RELEASES}.json?environment=production", headers=reader).json()["places"] == []


def test_what_is_wrong_is_said_on_the_page(airflow, reader, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS", raising=False)
    answer = airflow.get(RELEASES, headers=reader)
    assert answer.status_code == 200
    assert "AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS=sqlite:////path/records.db" in answer.text
    answer = airflow.get(f"{RELEASES}.json?environment=x", headers=reader)
    assert answer.status_code == 422
    monkeypatch.setenv("AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS", "sqlite:////nowhere/x.db")
    answer = airflow.get(f"{RELEASES}.json", headers=reader)
    assert (answer.status_code, "unable to open database file" in answer.json()["detail"]) == (503, True)


def test_a_document_is_shown_as_text_and_only_that_of_a_recorded_run(airflow, reader, records, tmp_path):
    path = tmp_path / "1.md"
    path.write_text("# As built <script>")
    records.save_change(change(document=str(path)))
    records.save_change(change(run="release/gone", document=str(tmp_path / "gone.md")))
    records.save_change(change(run="release/none"))
    answer = airflow.get(f"{PREFIX}/document?run=release/manual__1", headers=reader)
    assert (answer.status_code, answer.text) == (200, "# As built <script>")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    for run in ("release/gone", "release/none", str(path)):
        assert airflow.get(f"{PREFIX}/document?run={run}", headers=reader).status_code == 404


def test_the_live_state_is_that_of_the_serving_pods(
    airflow, reader, records, cluster, connection, context, small, project
):
    frozen = small(("replicas: 2", "replicas: 1"))
    path = project / "config" / "environments.yaml"
    path.write_text(
        path.read_text().replace("namespace: course4-qa", f"namespace: {frozen.environment.namespace}")
    )
    connection(cluster.kubeconfig)
    run = context()
    run["ti"].values["freeze_and_check", "return_value"] = frozen.to_json()
    for task in (ConfigureOperator, DeployOperator):
        task(task_id=task.__name__, approved_by=None).execute(run)
    wait_for(cluster, frozen)
    records.save_change(change(images=frozen.images, spec_digest=frozen.digest))
    live = airflow.get(f"{RELEASES}.json", headers=reader).json()["places"][0]["live"]
    assert live == {"answer": "yes", "text": "1 pod with the recorded digests"}
    records.save_change(change(spec_digest=frozen.digest))
    live = airflow.get(f"{RELEASES}.json", headers=reader).json()["places"][0]["live"]
    assert live["answer"] == "no"
    assert live["text"].startswith("runs python:3 sha256:")


def wait_for(cluster: Any, frozen: Any) -> None:
    import time

    from include.release.rollout import judge

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = cluster.connect().get("Deployment", frozen.environment.namespace, "web")
        if judge(found, "web").phase == "complete":
            return
        time.sleep(0.2)
    raise AssertionError("the rollout did not complete")


# verdicts


def test_ci_records_a_verdict_as_its_user(airflow, admin, records):
    answer = airflow.post(
        VERDICTS, json=GOOD | {"run": "build-7", "link": "https://ci.example.com/7"}, headers=admin
    )
    assert answer.status_code == 201, answer.text
    (kept,) = records.verdicts(DIGEST)
    assert answer.json()["verdict"] == kept.model_dump(mode="json")
    assert (kept.passed, kept.source, kept.by) == (True, "ci", "admin")
    assert answer.json()["known_as"] == []
    assert answer.json()["notice"].startswith("No lock file has this digest")
    again = airflow.post(VERDICTS, json=GOOD | {"run": "build-7"}, headers=admin)
    assert again.json()["verdict"]["id"] == kept.id
    listed = airflow.get(f"{VERDICTS}?digest={DIGEST}", headers=admin).json()
    assert [each["id"] for each in listed] == [kept.id]


@pytest.mark.parametrize(("user", "role"), [("dev", "user"), ("oncall", "op"), ("other", "admin")])
def test_who_is_not_in_the_list_records_nothing(airflow, records, user, role):
    answer = airflow.post(VERDICTS, json=GOOD, headers=airflow.token(user, role))
    assert answer.status_code == 403
    assert answer.json()["detail"] == (
        f"{user} may not record verdicts: not in verdict_recorders of include/config/environments.yaml"
    )
    assert airflow.post(VERDICTS, json=GOOD).status_code == 401
    assert records.verdicts() == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"image": "shop:1"}, "3 problems in the verdict. Nothing has been recorded."),
        (GOOD | {"passed": False}, "expected: why the build failed, in a sentence"),
        (GOOD | {"source": "qa"}, "found:    unknown key source"),
        ([1], "expected: a mapping with digest, image, app, passed"),
    ],
)
def test_a_wrong_request_is_answered_in_the_words_of_the_command_line(airflow, admin, records, body, said):
    answer = airflow.post(VERDICTS, json=body, headers=admin)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert answer.json()["problems"]
    assert records.verdicts() == []


def test_a_body_that_is_no_json_and_a_digest_that_is_none(airflow, admin, records):
    answer = airflow.post(VERDICTS, content="{", headers=admin | {"Content-Type": "application/json"})
    assert (answer.status_code, "a body that is no JSON" in answer.json()["detail"]) == (422, True)
    answer = airflow.get(f"{VERDICTS}?digest=x", headers=admin)
    assert (answer.status_code, "found:    'x'" in answer.json()["detail"]) == (422, True)


def test_the_navigation_has_an_entry():
    (view,) = ReleasesPlugin.external_views
    assert (view["name"], view["href"], view["destination"]) == ("Releases", RELEASES, "nav")
