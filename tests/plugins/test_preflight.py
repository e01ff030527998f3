"""What the cluster says to a release before it is made, and the state that is saved to go back to."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowFailException

from include.records.models import Verdict
from include.release.frozen import Frozen
from include.release.lock import Holder, Lock, RunFate
from include.release.saved import read_saved, saved_name
from plugins.operators.configure import ConfigureOperator
from plugins.operators.deploy import DeployOperator
from plugins.operators.freeze import FreezeAndCheckOperator
from plugins.operators.preflight import PreflightOperator
from tests.standin import install_shop


def preflight(context: Any) -> dict[str, Any]:
    frozen = FreezeAndCheckOperator(task_id="freeze_and_check").execute(context)
    context["ti"].values["freeze_and_check", "return_value"] = frozen
    return PreflightOperator(task_id="preflight").execute(context)


def refused(context: Any) -> str:
    with pytest.raises(AirflowFailException) as raised:
        preflight(context)
    return str(raised.value)


def test_a_missing_connection(project, context, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_KUBERNETES_SHOP", raising=False)
    text = refused(context())
    assert text.startswith("1 problem in the connection to the cluster. Nothing has been changed.")
    assert "connection kubernetes_shop\n    found:    no such connection" in text
    assert "AIRFLOW_CONN_KUBERNETES_SHOP" in text


def test_a_kubeconfig_that_is_not_there(project, context, connection, tmp_path):
    connection(tmp_path / "absent")
    text = refused(context())
    assert "a connection of type kubernetes with a usable kubeconfig" in text
    assert str(tmp_path / "absent") in text


def test_a_cluster_that_is_down(project, context, connection, cluster, tmp_path):
    connection(changed(cluster.kubeconfig, tmp_path / "down", server="https://127.0.0.1:9"))
    text = refused(context())
    assert text.startswith("1 problem in the cluster of production. Nothing has been changed.")
    assert "https://127.0.0.1:9 does not answer: connection refused" in text


def test_a_cluster_that_does_not_know_the_token(project, context, connection, cluster, tmp_path):
    connection(changed(cluster.kubeconfig, tmp_path / "stranger", token="not-a-token"))
    text = refused(context())
    assert "Unauthorized (401 Unauthorized)" in text
    assert "fix:      renew the token or certificate in the connection's kubeconfig" in text


def test_a_user_of_the_cluster_who_may_only_read(project, context, connection, cluster, namespace, tmp_path):
    client = cluster.connect()
    install_shop(client, namespace)
    use_namespace(project, namespace)
    connection(cluster.user("reader", "view", tmp_path / "reader"))
    before = everything(client, namespace)
    text = refused(context())
    assert text.startswith(
        "1 problem in the permissions for release-1 (shop) in production. Nothing has been changed."
    )
    assert re.search(r"found: +15 permissions missing\n +resource +verbs +used by", text)
    assert re.search(r"deployments.apps +create, patch, delete +preflight, deploy, restore", text)
    assert re.search(r"leases.coordination.k8s.io +create, update +lock", text)
    assert "persistentvolumeclaims" not in text  # the release brings none
    assert f"fix:      add these to a Role in namespace {namespace}" in text
    assert everything(client, namespace) == before


def test_a_namespace_that_is_not_there(project, context, connection, cluster):
    connection(cluster.kubeconfig)
    use_namespace(project, "nowhere")
    text = refused(context())
    assert "namespace nowhere\n    found:    absent\n    expected: an active namespace" in text


def test_what_a_release_refers_to_must_be_there(project, context, connection, cluster, namespace):
    connection(cluster.kubeconfig)
    use_namespace(project, namespace)
    text = refused(context())
    assert text.startswith(
        "3 problems in release-1 (shop) in production, says the cluster. Nothing has been changed."
    )
    assert "Secret shop-database\n    found:    absent\n    expected: a Secret with url" in text
    assert "PersistentVolumeClaim shop-data\n    found:    absent" in text


def test_what_the_api_server_refuses_is_said_for_each_object(
    project, context, connection, cluster, namespace
):
    connection(cluster.kubeconfig)
    install_shop(cluster.connect(), namespace)
    use_namespace(project, namespace)
    path = project / "releases" / "release-1.yaml"
    text = path.read_text()
    text = text.replace("path: /readyz, port: http", "path: /readyz, port: 99999", 1)
    text = text.replace("port: 8080, targetPort: http", "port: 99999, targetPort: http")
    path.write_text(text.replace("maxSurge: 1", "maxSurge: 0"))
    said = refused(context())
    assert said.startswith("3 problems in release-1 (shop) in production, says the cluster.")
    assert "Deployment app-deployment spec.template.spec.containers[0].readinessProbe.httpGet.port" in said
    assert "may not be 0 when `maxSurge` is 0" in said
    assert "Service app-service spec.ports[0].port" in said


def test_a_field_that_somebody_else_holds_is_not_taken(project, context, connection, cluster, namespace):
    connection(cluster.kubeconfig)
    client = cluster.connect()
    install_shop(client, namespace)
    use_namespace(project, namespace)
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "app-service", "labels": {"app": "mine"}},
    }
    client.apply(body, namespace, manager="somebody", force=True)
    text = refused(context())
    assert "Service app-service .metadata.labels.app" in text
    assert 'conflict with "somebody"' in text


def test_a_right_release_is_shown_and_the_state_before_it_is_saved_once(
    project, context, connection, cluster, namespace, records, capsys
):
    connection(cluster.kubeconfig)
    client = cluster.connect()
    install_shop(client, namespace)
    use_namespace(project, namespace)
    before = everything(client, namespace)
    made = context()
    # Somebody has marked the gate as a success: no program of a build that has not passed is run for that.
    assert "no verdict on sha256:" in refused(made)
    assert everything(client, namespace) == before
    frozen = Frozen.from_json(made["ti"].values["freeze_and_check", "return_value"])
    for short, image in frozen.images.items():
        digest = image.rpartition("@")[2]
        records.add_verdict(
            Verdict(digest=digest, image=short, app="shop", passed=True, source="qa", by="dev")
        )
    found = preflight(made)
    said = capsys.readouterr().out
    assert (
        "The ledger is asked by a Job of release-1's build, for which the gate is open; its command "
        "`migrations.status` only reads" in said
    )
    assert re.search(r"Permissions: all \d\d that the change and its rollback need are there", said)
    assert re.search(r"Service +app-service +changed", said)
    assert re.search(r"Deployment +app-deployment +created", said)
    assert "The ledger has 0 migrations: -" in said
    assert {each["kind"]: each["outcome"] for each in found["changes"]} == {
        "ConfigMap": "created", "Service": "changed", "Deployment": "created",
    }  # fmt: skip
    assert "+++ Deployment app-deployment (after this release)" in found["changes"][-1]["diff"]
    assert found["applied"] == []
    assert found["pending"][0] == "r1-101-middle-names"
    after = everything(client, namespace)
    new = [name for name in after if after.get(name) != before.get(name)]
    assert [each for each in new if not each.startswith(("Job/migrate-status-", "Pod/migrate-status-"))] == [
        f"ConfigMap/{found['saved_state']}"
    ]
    state = read_saved(client, namespace, saved_name("shop", "release/run-1"))
    assert (state.previous, state.previous_spec) == ("what no release had brought", "")
    assert [each["kind"] for each in state.objects] == ["Service"]
    assert state.absent == [("Deployment", "app-deployment")]
    # Half of the release is there now. The same run still goes back to what was before it.
    ConfigureOperator(task_id="configure", approved_by=None).execute(made)
    made["ti"].values["", "answer"] = None
    again = PreflightOperator(task_id="preflight").execute(made)
    assert again["saved_state"] == found["saved_state"]
    assert read_saved(client, namespace, found["saved_state"]) == state


def test_what_a_release_of_ours_had_brought_is_saved_as_that(cluster, connection, context, small):
    connection(cluster.kubeconfig)
    client, first = cluster.connect(), small()
    second = small(("replicas: 2", "replicas: 1"))
    made = of_run(context, first, "a")
    PreflightOperator(task_id="preflight").execute(made)
    for task in (
        ConfigureOperator(task_id="configure", approved_by=None),
        DeployOperator(task_id="deploy", approved_by=None),
    ):
        task.execute(made)
    found = PreflightOperator(task_id="preflight").execute(of_run(context, second, "b"))
    state = read_saved(client, second.environment.namespace, found["saved_state"])
    assert (state.previous_release, state.previous_digest) == ("small", first.digest)
    assert state.previous_spec == f"small-spec-{first.digest[:10]}"
    assert state.applied is None  # its spec does not say how to ask
    assert json.loads(state.model_dump_json())["absent"] == []


def test_the_interrupted_runs_that_it_goes_on_from_are_saved_too(cluster, connection, context, small):
    connection(cluster.kubeconfig)
    client, frozen = cluster.connect(), small()
    lock = Lock(client, frozen.environment.namespace, "small")
    gone = lambda _: RunFate("deleted", holds=False)  # noqa: E731
    lock.require(Holder("release/a", "release"), gone, "migrate", saved_state="small-before-a")
    lock.take(Holder("release/b", "release"), gone, go_on=True)
    found = PreflightOperator(task_id="preflight").execute(of_run(context, frozen, "b"))
    state = read_saved(client, frozen.environment.namespace, found["saved_state"])
    assert state.over == ["small-before-a"]


def test_a_dry_run_saves_nothing_and_starts_no_job(cluster, connection, context, small):
    connection(cluster.kubeconfig)
    client, frozen = cluster.connect(), small()
    made = of_run(context, frozen, "a")
    made["params"]["dry_run"] = True
    found = PreflightOperator(task_id="preflight").execute(made)
    assert found["saved_state"] == ""
    assert everything(client, frozen.environment.namespace) == {
        "ConfigMap/kube-root-ca.crt": everything(client, frozen.environment.namespace)[
            "ConfigMap/kube-root-ca.crt"
        ]
    }


def of_run(context: Any, frozen: Any, name: str) -> Any:
    made = context()
    made["dag_run"].run_id = name
    made["ti"].values["freeze_and_check", "return_value"] = frozen.to_json()
    return made


def everything(client: Any, namespace: str) -> dict[str, str]:
    kinds = (
        "ConfigMap",
        "Secret",
        "Service",
        "Deployment",
        "ReplicaSet",
        "Job",
        "Pod",
        "PersistentVolumeClaim",
    )
    return {
        f"{kind}/{each['metadata']['name']}": each["metadata"]["resourceVersion"]
        for kind in kinds
        for each in client.list(kind, namespace)
    }


def use_namespace(project: Path, namespace: str) -> None:
    path = project / "config" / "environments.yaml"
    path.write_text(
        re.sub(r"namespace: course4$", f"namespace: {namespace}", path.read_text(), flags=re.MULTILINE)
    )


def changed(kubeconfig: Path, target: Path, server: str = "", token: str = "") -> Path:
    content = yaml.safe_load(kubeconfig.read_text())
    if server:
        content["clusters"][0]["cluster"]["server"] = server
    if token:
        content["users"][0]["user"] = {"token": token}
    target.write_text(yaml.safe_dump(content))
    return target
