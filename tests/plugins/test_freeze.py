"""Bad input ends in the first task with every problem, and nothing has changed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowFailException

from include.release.frozen import Frozen
from include.release.loading import PROJECT, shown_path
from plugins.operators.freeze import FreezeAndCheckOperator
from tests.standin import install_shop


def refused(context: Any) -> str:
    with pytest.raises(AirflowFailException) as raised:
        FreezeAndCheckOperator(task_id="freeze_and_check").execute(context)
    return str(raised.value)


def test_a_release_environment_and_user_that_are_wrong_are_said_together(project, context):
    text = refused(context("release-9", "moon"))
    assert text.startswith("2 problems in release 'release-9' to 'moon'. Nothing has been changed.")
    assert "found:    environment 'moon'\n    expected: one of qa, production" in text
    assert "found:    release 'release-9'\n    expected: one of release-1, release-2" in text


def test_who_may_not_trigger_is_told_with_what_is_wrong_in_the_spec(project, context):
    path = project / "releases" / "release-1.yaml"
    path.write_text(path.read_text().replace("number: 1", "number: one"))
    text = refused(context(user="dev"))
    assert text.startswith("2 problems in")
    assert "triggered by dev" in text
    assert "release-1.yaml:7  number" in text


def test_a_param_that_there_is_not_is_refused_with_the_nearest(project, context):
    text = refused(context(conf={"release": "release-1", "dryrun": True, "zzz": 1, "airflow/level": 2}))
    assert text.startswith("2 problems in")
    assert "param dryrun\n    found:    a key that is no param\n    expected: one of release," in text
    assert "fix:      write dry_run instead" in text
    assert "fix:      leave it out" in text
    assert "airflow/level" not in text


@pytest.mark.parametrize("reason", ["    ", " x  "])
def test_a_reason_of_blanks_is_refused(project, context, reason):
    text = refused(context(reason=reason))
    assert text.startswith("1 problem in")
    assert "param reason" in text
    assert "expected: at least 3 characters, blanks around them not counted" in text


def test_a_ten_megabyte_file_is_refused(project, context):
    with (project / "releases" / "release-1.yaml").open("wb") as file:
        file.truncate(10 * 1024 * 1024)
    assert "10,485,760 bytes" in refused(context())


@pytest.mark.parametrize("number", [1, 2])
def test_a_deployment_file_given_as_the_release(project, context, number):
    seeds = PROJECT / "tests" / "data" / "seed-deployments"
    shutil.copy(seeds / f"release-{number}.yaml", project / "releases" / "plain.yaml")
    text = refused(context("plain"))
    expected = (seeds / f"release-{number}.findings.txt").read_text()
    name = shown_path(project / "releases" / "plain.yaml")
    found = text.splitlines()[1:]
    assert (
        found == expected.replace(f"tests/data/seed-deployments/release-{number}.yaml", name).splitlines()[1:]
    )


def test_broken_environments_are_named_with_line(project, context):
    path = project / "config" / "environments.yaml"
    path.write_text(path.read_text().replace("namespace: course4-qa", "namespce: course4-qa"))
    text = refused(context())
    assert "unknown key namespce" in text
    assert "fix:      write namespace: instead" in text


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
    assert "is forbidden" in text
    assert "(403 Forbidden)" in text
    assert f"fix:      give the connection's user a Role in namespace {namespace}" in text
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


def test_a_right_release_is_frozen_and_nothing_is_changed(
    project, context, connection, cluster, namespace, capsys
):
    connection(cluster.kubeconfig)
    client = cluster.connect()
    install_shop(client, namespace)
    use_namespace(project, namespace)
    before = everything(client, namespace)
    text = FreezeAndCheckOperator(task_id="freeze_and_check").execute(context())
    assert Frozen.from_json(text).release.name == "release-1"
    assert everything(client, namespace) == before
    said = capsys.readouterr().out
    assert "Release release-1 to production, asked for by oncall: a test" in said
    assert "Brings: 1 ConfigMap, 5 migrations, Service app-service, Deployment app-deployment" in said
    assert "No problem found. The tasks after this one read only what was frozen here." in said


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
