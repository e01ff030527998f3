"""Whole runs of the release DAG on the stand-in cluster."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from include.records.models import Verdict
from include.records.store import Records
from include.release.loading import PROJECT, Sources
from tests.dagtasks import good_run
from tests.standin import install_shop, make_namespace

NAMESPACE = "dag-runs"


@pytest.fixture(scope="module")
def run(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Runs the DAG with its params; returns the states of its tasks and what was logged."""
    from airflow.utils.db import initdb

    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(PROJECT / "include" / "config", folder / "config")
    shutil.copytree(PROJECT / "include" / "releases", folder / "releases")
    path = folder / "config" / "environments.yaml"
    text = re.sub(r"namespace: course4$", f"namespace: {NAMESPACE}", path.read_text(), flags=re.MULTILINE)
    text = text.replace("may_trigger: [admin", "may_trigger: [dag_test, admin")
    # A task that waits for somebody would wait for ever here; the gate stays.
    path.write_text(text.replace("approval:\n      required: true", "approval:\n      required: false"))
    for path in (folder / "releases").glob("*.yaml"):
        path.write_text(quick(path.read_text()))
    patch.setenv("AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS", f"sqlite:///{folder / 'records.db'}")
    value = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(cluster.kubeconfig)}}
    patch.setenv("AIRFLOW_CONN_KUBERNETES_SHOP", json.dumps(value))
    patch.setenv("PLAN_REDUCE_REPEAT_CONFIG", str(folder / "config"))
    patch.setenv("PLAN_REDUCE_REPEAT_RELEASES", str(folder / "releases"))
    patch.setenv("PLAN_REDUCE_REPEAT_DOCUMENTS", str(folder / "documents"))
    install_shop(cluster.connect(), make_namespace(cluster.connect(), NAMESPACE))
    initdb()

    from airflow.dag_processing.dagbag import DagBag

    dag = DagBag(str(PROJECT / "dags")).dags["release"]

    def go(release: str, *, dry_run: bool = False) -> dict[str, str]:
        conf = {"release": release, "environment": "production", "dry_run": dry_run, "reason": "a test"}
        done = dag.test(run_conf=conf)
        return {
            "run": str(done.state),
            **{each.task_id: str(each.state) for each in done.get_task_instances()},
        }

    go.folder = folder  # type: ignore[attr-defined]
    go.records = Records(f"sqlite:///{folder / 'records.db'}")  # type: ignore[attr-defined]
    yield go
    patch.undo()


def quick(release: str) -> str:
    """A release whose pods are asked more often and replaced at once: how they follow one another is not the question here."""
    for old, new in (
        ("periodSeconds: 2\n", "periodSeconds: 1\n"),
        ("maxSurge: 1}", "maxSurge: 100%}"),
        ("sleep: {seconds: 3}", "sleep: {seconds: 1}"),
    ):
        assert old in release, old
        release = release.replace(old, new)
    return release


CHECKS = ("rollout_check", "smoke_check", "verify_build")
GOOD = {"run": "success", **good_run("release")}


def verdict(run: Any, image: str, *, passed: bool) -> None:
    """What CI says of a build."""
    sources = Sources(run.folder / "releases", run.folder / "config")
    production = sources.environments().find("production")
    assert production is not None
    digest = sources.image_lock(production).images[image].digest
    run.records.add_verdict(
        Verdict(digest=digest, image=image, app="shop", passed=passed, source="ci", by="ci", reason="a test")
    )


def versions(client: Any, *kinds: str) -> dict[str, str]:
    return {
        f"{kind}/{each['metadata']['name']}": each["metadata"]["resourceVersion"]
        for kind in kinds
        for each in client.list(kind, NAMESPACE)
    }


def unchanged(found: dict[str, str]) -> dict[str, str]:
    """Without what every run brings: the pods of its migrations, and the state that it saved."""
    return {
        name: version for name, version in found.items() if not re.search("/(migrate|shop-before)-", name)
    }


def documents(run: Any) -> list[Path]:
    return sorted((run.folder / "documents").rglob("*.md"), key=lambda path: path.stat().st_mtime)


def served(client: Any) -> set[str]:
    pods = client.list("Pod", NAMESPACE, labels="app=app-deployment")
    return {
        client.ask_pod(NAMESPACE, pod["metadata"]["name"], 8080, "/version")[1]
        for pod in pods
        if not pod["metadata"].get("deletionTimestamp")
    }


def wait_for_ended_pods(client: Any) -> None:
    """Old pods answer their last requests after the rollout is complete."""
    deadline = time.monotonic() + 60
    while any(pod["metadata"].get("deletionTimestamp") for pod in client.list("Pod", NAMESPACE)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    time.sleep(0.5)


def test_a_dry_run_changes_nothing_and_shows_what_would_change(run, cluster, capsys):
    client = cluster.connect()
    kinds = ("ConfigMap", "Secret", "Service", "Deployment", "Job", "Pod", "PersistentVolumeClaim")
    before = versions(client, *kinds)
    states = run("release-1", dry_run=True)
    said = capsys.readouterr().out
    assert states == {**GOOD, **dict.fromkeys(CHECKS, "skipped"), "tell": "skipped"}
    assert versions(client, *kinds) == before
    for text in (
        "Dry run of release-1 to production",
        "Dry run: the gate would refuse this release.",
        "Dry run: Deployment app-deployment would be created:",
        "+++ Deployment app-deployment (after this release)",
        "+  replicas: 3",
        "Dry run: Service app-service would be changed:",
        "r1-101-split-users",
        "What is applied is not known; a dry run does not ask the ledger:",
        "Dry run: the document is shown here and not stored",
    ):
        assert text in said
    assert documents(run) == []


def test_release_1_then_2_then_2_again_which_changes_nothing(run, cluster):
    client = cluster.connect()
    verdict(run, "shop:1.0.0", passed=True)
    verdict(run, "shop:2.0.0", passed=True)
    assert run("release-1") == GOOD
    assert {json.loads(text)["release"] for text in served(client)} == {1}
    assert run("release-2") == GOOD
    assert {json.loads(text)["release"] for text in served(client)} == {2}
    kinds = ("ConfigMap", "Service", "Deployment", "ReplicaSet", "Pod")
    wait_for_ended_pods(client)
    before = versions(client, *kinds)
    assert run("release-2") == GOOD
    assert unchanged(versions(client, *kinds)) == unchanged(before)
    first, second, _ = documents(run)
    assert "# As-built: shop, release 1, in production" in first.read_text()
    text = second.read_text()
    assert "| Outcome | **released** |" in text
    assert "As read back from the cluster." in text
    pods = len(client.list("Pod", NAMESPACE, labels="app=app-deployment"))
    assert f"| app-deployment | `/version` | 200 | {pods} | yes |" in text


def test_a_migration_that_fails_leaves_what_runs_alone(run, cluster, capsys):
    client = cluster.connect()
    before = versions(client, "Deployment", "Service")
    path = run.folder / "releases" / "release-2.yaml"
    text = path.read_text()
    path.write_text(text.replace("migrate, up, r2-202-menu-catalog", "migrate, up, r2-000-nothing"))
    states = run("release-2")
    path.write_text(text)
    said = capsys.readouterr().out
    after = ("deploy", *CHECKS)
    back = [name for name in GOOD if name.startswith("roll_back.")]
    assert states == {
        **GOOD, "run": "failed", "migrate": "failed", "conclude": "failed",
        **dict.fromkeys(after, "upstream_failed"), **dict.fromkeys(back, "success"),
    }  # fmt: skip
    assert "Migration r2-202-menu-catalog failed with exit code 2" in said
    assert "What now: nothing was deployed" in said
    assert versions(client, "Deployment", "Service") == before
    text = documents(run)[-1].read_text()
    assert "| Outcome | **rolled back** |" in text
    assert "| `r2-202-menu-catalog` |" in text
    assert re.search(r"`r2-202-menu-catalog`.*\| failed", text)


def test_a_release_that_does_not_exist_ends_in_the_first_task(run, cluster, capsys):
    client = cluster.connect()
    before = versions(client, "ConfigMap", "Deployment", "Service", "Job")
    states = run("release-9")
    said = capsys.readouterr().out
    assert states["freeze_and_check"] == "failed"
    assert states["deploy"] == "upstream_failed"
    for text in ("release-9", "release-1", "release-2"):
        assert text in said
    assert versions(client, "ConfigMap", "Deployment", "Service", "Job") == before
