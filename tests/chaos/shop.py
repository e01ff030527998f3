"""A small fast shop in a namespace of its own: release 1 runs, release 2 is what the run brings."""

from __future__ import annotations

import copy
import json
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from include.jobs.state import job_state
from include.release.applying import apply_object, ensure_immutable, stored_spec
from include.release.environments import Environment
from include.release.frozen import Frozen, freeze
from include.release.kube import Cluster
from include.release.loading import PROJECT, Sources
from tests.chaos.proxy import CHAT

MANIFESTS = PROJECT / "include" / "shop" / "manifests" / "shop"
BEFORE, AFTER = "release-1", "release-2"
USER = "oncall"
FAULT = {"path": "/healthz", "status": 418}
"""A smoke check that no pod passes."""


@dataclass(frozen=True)
class Shop:
    """One shop: its files, its namespace."""

    folder: Path
    namespace: str
    kubeconfig: Path

    def environment(self, kubeconfig: Path) -> dict[str, str]:
        """Variables for Airflow's processes, with the cluster at ``kubeconfig``."""
        server = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        chat = {"conn_type": "slackwebhook", "password": server + CHAT}
        cluster = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(kubeconfig)}}
        return {
            "AIRFLOW_CONN_KUBERNETES_SHOP": json.dumps(cluster),
            "AIRFLOW_CONN_SRE_CHAT": json.dumps(chat),
            "AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS": f"sqlite:///{self.folder / 'records.db'}",
            "PLAN_REDUCE_REPEAT_CONFIG": str(self.folder / "config"),
            "PLAN_REDUCE_REPEAT_RELEASES": str(self.folder / "releases"),
            "PLAN_REDUCE_REPEAT_DOCUMENTS": str(self.folder / "documents"),
        }

    def frozen(self, release: str) -> Frozen:
        """A release, frozen for this shop."""
        sources = Sources(self.folder / "releases", self.folder / "config")
        environment = sources.environments().find(self.namespace)
        assert environment is not None
        return freeze(sources.read_release(release), environment, sources.image_lock(environment))

    def names(self) -> dict[str, str]:
        """What is called otherwise in every shop, and how to call it to compare shops."""
        found = {self.namespace: "NAMESPACE"}
        for release in (BEFORE, AFTER):
            digest = self.frozen(release).digest
            found |= {digest: f"DIGEST-{release}", digest[:10]: f"DIGEST-{release}"}
        return found

    def ledger(self, state: Path, cluster: Cluster) -> list[str]:
        """Every entry of the database's ledger, in order: ``up r2-203-exotic-catalog``."""
        claim = cluster.get("PersistentVolumeClaim", self.namespace, "shop-data")
        assert claim is not None
        database = state / "volumes" / claim["spec"]["volumeName"] / "shop.db"
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            rows = connection.execute("SELECT direction, migration FROM schema_migrations ORDER BY id")
            return [f"{direction} {migration}" for direction, migration in rows]


def prepare(folder: Path, namespace: str, kubeconfig: Path, *, faulty: bool = False) -> Shop:
    """Write the shop's configuration and its two releases."""
    shop = Shop(folder, namespace, kubeconfig)
    for part in ("config/images", "releases", "documents"):
        (folder / part).mkdir(parents=True)
    config = PROJECT / "include" / "config"
    for path in config.iterdir():
        if path.is_file() and path.name != "environments.yaml":
            (folder / "config" / path.name).write_bytes(path.read_bytes())
    for path in (config / "images").iterdir():
        (folder / "config" / "images" / path.name).write_bytes(path.read_bytes())
    describe(folder, namespace)
    for name in (BEFORE, AFTER):
        source = yaml.safe_load((PROJECT / "include" / "releases" / f"{name}.yaml").read_text())
        quick = faster(source)
        if faulty and name == AFTER:
            quick["smoke_checks"][0]["requests"].append(FAULT)
        (folder / "releases" / f"{name}.yaml").write_text(yaml.safe_dump(quick, sort_keys=False))
    return shop


def describe(folder: Path, namespace: str) -> None:
    """Write the one environment there is; it is called like its namespace."""
    environment = {
        "name": namespace, "title": "A shop that is killed", "connection": "kubernetes_shop", "namespace": namespace,
        "image_lock": "standin.lock.yaml", "may_trigger": [USER], "may_approve": [USER], "documents": "documents",
        "tell": [{"kind": "log"}, {"kind": "webhook", "connection": "sre_chat"}], "gives_verdict": True,
        "keep_config_maps": 1,
    }  # fmt: skip
    Environment.model_validate(environment)
    (folder / "config" / "environments.yaml").write_text(yaml.safe_dump({"environments": [environment]}))


def faster(release: dict[str, Any]) -> dict[str, Any]:
    """The shipped release with one pod each, which is ready and gone within a second."""
    release = copy.deepcopy(release)
    for each in release["configuration"]["config_maps"]:
        if "DRAIN_SECONDS" in each["data"]:
            each["data"] |= {"DRAIN_SECONDS": "0.1", "SHUTDOWN_SECONDS": "2"}
    for manifest in release["objects"]:
        if manifest["kind"] != "Deployment":
            continue
        manifest["spec"]["replicas"] = 1
        pod = manifest["spec"]["template"]["spec"]
        pod["terminationGracePeriodSeconds"] = 5
        for container in pod["containers"]:
            container["readinessProbe"]["periodSeconds"] = 1
            container["resources"] = {
                "requests": {"cpu": "10m", "memory": "64Mi"},
                "limits": {"memory": "256Mi"},
            }
            if "lifecycle" in container:
                container["lifecycle"]["preStop"]["sleep"]["seconds"] = 1
    release.pop("capacity", None)
    return release


def install(shop: Shop, cluster: Cluster) -> None:
    """The shop as it is after release 1, without running that release task by task."""
    namespace = shop.namespace
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    cluster.apply(body, "", manager="tests", force=True)
    frozen = shop.frozen(BEFORE)
    for name in ("storage", "database-secret", "service", "baseline-job"):
        for manifest in yaml.safe_load_all((MANIFESTS / f"{name}.yaml").read_text()):
            if manifest["kind"] == "Job":
                _with_migrations(manifest, frozen)
            cluster.apply(manifest, namespace, manager="tests", force=True)
    for manifest in (*frozen.config_maps, stored_spec(frozen)):
        ensure_immutable(cluster, manifest, namespace)
    wait(
        lambda: job_state(cluster.get("Job", namespace, "shop-baseline") or {}).phase == "complete",
        "the database",
    )
    for manifest in frozen.objects:
        apply_object(cluster, manifest, frozen, "release/before", dry_run=False,
                     requested_at="2026-01-01T00:00:00+00:00")  # fmt: skip
    wait(lambda: is_ready(cluster, namespace), "release 1")


def _with_migrations(job: dict[str, Any], frozen: Frozen) -> None:
    """Let the Job that makes the database bring release 1's migrations as well: one start instead of six."""
    assert frozen.release.migrations is not None
    commands = [["python3", "-m", "shop.baseline"], *(step.up for step in frozen.release.migrations.steps)]
    container = job["spec"]["template"]["spec"]["containers"][0]
    container["command"] = ["sh", "-c", " && ".join(" ".join(command) for command in commands)]


def is_ready(cluster: Cluster, namespace: str) -> bool:
    """Whether every Deployment has rolled out and no pod is on its way out."""
    for each in cluster.list("Deployment", namespace):
        status, wanted = each.get("status") or {}, each["spec"]["replicas"]
        counts = {status.get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas")}
        if counts != {wanted} or status.get("observedGeneration") != each["metadata"]["generation"]:
            return False
    return not any(pod["metadata"].get("deletionTimestamp") for pod in cluster.list("Pod", namespace))


def wait(reached: Any, what: str, seconds: float = 60.0) -> None:
    """Wait until ``reached`` answers True. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.1)
