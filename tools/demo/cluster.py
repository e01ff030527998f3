"""The embedded cluster for the demo: started, filled with what a shop has before its first release, looked at."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from include.release.kube import Cluster, KubeError
from include.release.pressed import keep_pressed
from tools.demo.options import ENVIRONMENTS, ROOT, DemoError, Options
from tools.demo.processes import Process, Supervisor

READY = re.compile(r"^ready (https://\S+) kubeconfig=(.+)$", re.MULTILINE)
MANIFESTS = ROOT / "include" / "shop" / "manifests"
MANAGER = "demo-setup"
UPCOMMERCE = "sre"
BASELINE_WITHIN = 60.0


def begin(options: Options, supervisor: Supervisor) -> Process:
    """Start the cluster; ``wait_ready`` follows when there is nothing else to do."""
    command = [sys.executable, "-m", "include.cluster", "serve", "--state-dir", str(options.cluster_dir)]
    command += ["--images-dir", str(options.images_dir)]
    return supervisor.start("cluster", command, {}, restartable=False)


def build_images(options: Options, supervisor: Supervisor) -> None:
    """Build the shop's images into the store, and make sure that they are what the releases name."""
    command = [sys.executable, "-m", "include.release.lock_images", "--check"]
    command += ["--images-dir", str(options.images_dir)]
    supervisor.run("images", command, {})


def wait_ready(process: Process, supervisor: Supervisor, seconds: float = 30.0) -> Path:
    """The kubeconfig, once the cluster serves.

    Raises:
        DemoError: it ends, or is not ready in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        supervisor.check()
        lines = READY.findall(process.log.read_text(errors="replace"))
        if lines:
            return Path(lines[-1][1])
        time.sleep(0.05)
    raise DemoError(f"the cluster is not ready after {seconds:.0f} s ({process.log}):\n{process.tail()}")


def connect(kubeconfig: Path) -> Cluster:
    """A client of the cluster."""
    from kubernetes.config import new_client_from_config  # noqa: PLC0415 (costs a second)

    return Cluster(new_client_from_config(str(kubeconfig)))


def set_up(cluster: Cluster, watch: Callable[[], None], registry: str = "", database: str = "") -> None:
    """Install what the shop has before release 1: namespaces, storage, database with its old users, Services.

    And UpCommerce with its payment service, which the guard ``swype`` watches.

    ``watch`` is called while waiting, and raises when a process has ended; ``registry`` is where images come from;
    ``database`` the URL of production's PostgreSQL database, where it is not a file in the cluster.

    Raises:
        DemoError: the database is not there in time.
    """
    try:
        for manifest in _documents(MANIFESTS / "namespaces.yaml"):
            cluster.apply(manifest, "", manager=MANAGER, force=True)
        for namespace in ENVIRONMENTS.values():
            for name in ("storage", "database-secret", "service", "baseline-job"):
                for manifest in _documents(MANIFESTS / "shop" / f"{name}.yaml"):
                    _name_registry(manifest, registry)
                    _name_database(manifest, namespace, database)
                    cluster.apply(manifest, namespace, manager=MANAGER, force=True)
        # Each finds the Service of the one before; swype ends when there is no gateway.
        _install(cluster, "gateway", registry)
        for namespace in ENVIRONMENTS.values():
            _wait_job(cluster, namespace, "shop-baseline", watch)
        for name in ("swype", "upcommerce"):
            _install(cluster, name, registry)
    except KubeError as error:
        raise DemoError(f"the cluster refuses what the shop starts from: {error}") from error


def link_shop_data(cluster: Cluster, state_dir: Path, link: Path) -> None:
    """Let the worker find production's database, a file in a volume of the embedded cluster.

    On a real cluster the database is PostgreSQL, which has an address.

    Raises:
        DemoError: the cluster has made no volume for it.
    """
    claim = cluster.get("PersistentVolumeClaim", ENVIRONMENTS["production"], "shop-data") or {}
    volume = (claim.get("spec") or {}).get("volumeName")
    if not volume:
        raise DemoError("the cluster has made no volume for the shop's database (claim shop-data)")
    link.unlink(missing_ok=True)
    link.symlink_to(state_dir / "volumes" / volume)


def _install(cluster: Cluster, name: str, registry: str) -> None:
    """One program of UpCommerce. A Deployment whose button is pressed stays at zero (KEEP=1)."""
    for manifest in _documents(MANIFESTS / "upcommerce" / f"{name}.yaml"):
        _name_registry(manifest, registry)
        keep_pressed(manifest, cluster.get(manifest["kind"], UPCOMMERCE, manifest["metadata"]["name"]))
        cluster.apply(manifest, UPCOMMERCE, manager=MANAGER, force=True)


def _documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def _name_registry(manifest: dict[str, Any], registry: str) -> None:
    if registry and manifest["kind"] in ("Job", "Deployment"):
        for container in manifest["spec"]["template"]["spec"]["containers"]:
            container["image"] = f"{registry}/{container['image']}"


def _name_database(manifest: dict[str, Any], namespace: str, database: str) -> None:
    """Each environment has its own: ``shop``, and ``shop-course4-qa``."""
    if database and manifest["kind"] == "Secret":
        own = "" if namespace == ENVIRONMENTS["production"] else f"-{namespace}"
        manifest["stringData"] = {"url": database + own}


def _wait_job(cluster: Cluster, namespace: str, name: str, watch: Callable[[], None]) -> None:
    deadline = time.monotonic() + BASELINE_WITHIN
    while time.monotonic() < deadline:
        watch()
        status = (cluster.get("Job", namespace, name) or {}).get("status") or {}
        states = {each["type"]: each for each in status.get("conditions") or [] if each["status"] == "True"}
        if "Complete" in states:
            return
        if "Failed" in states:
            raise DemoError(f"job {namespace}/{name} failed: {states['Failed'].get('message', '')}")
        time.sleep(0.2)
    raise DemoError(f"job {namespace}/{name} is not complete after {BASELINE_WITHIN:.0f} s")


def snapshot(cluster: Cluster, namespace: str) -> dict[str, str]:
    """What a release can change in a namespace: a text of a few lines per object."""
    seen: dict[str, str] = {}
    for item in cluster.list("Deployment", namespace):
        spec, status = item["spec"], item.get("status") or {}
        containers = spec["template"]["spec"]["containers"]
        images = ", ".join(short_image(each["image"]) for each in containers)
        requests = containers[0].get("resources", {}).get("requests", {})
        asked = ", ".join(f"{key} {value}" for key, value in sorted(requests.items()))
        ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)} ready"
        seen[f"deployment/{item['metadata']['name']}"] = "\n".join(filter(None, (images, ready, asked)))
    for item in cluster.list("Job", namespace):
        done = (item.get("status") or {}).get("conditions") or [{"type": "running"}]
        seen[f"job/{item['metadata']['name']}"] = done[-1]["type"].lower()
    for item in cluster.list("ConfigMap", namespace):
        if item["metadata"]["name"] != "kube-root-ca.crt":
            seen[f"configmap/{item['metadata']['name']}"] = ", ".join(sorted(item.get("data") or {}))
    for kind in ("Service", "PersistentVolumeClaim"):
        for item in cluster.list(kind, namespace):
            seen[f"{kind.lower()}/{item['metadata']['name']}"] = "present"
    return seen


def short_image(reference: str) -> str:
    """An image reference with its digest cut to 12 digits."""
    return re.sub(r"@sha256:([0-9a-f]{12})[0-9a-f]+", r"@\1", reference)


def changes(before: dict[str, str], after: dict[str, str]) -> list[tuple[str, str, str]]:
    """(object, before, after) of everything that differs; an absent object is ''."""
    names = sorted(before.keys() | after.keys())
    rows = [(name, before.get(name, ""), after.get(name, "")) for name in names]
    return [row for row in rows if row[1] != row[2]]
