"""The stand-in cluster for tests: one process for a whole test session, a shop installed in a namespace of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.cluster.images import ImageStore
from include.jobs.state import job_state
from include.release.environments import Environment
from include.release.frozen import Frozen, freeze
from include.release.images import ImageLock, LockedImage
from include.release.kube import Cluster
from include.release.loading import load_release

ROOT = Path(__file__).resolve().parents[1]
TEST = ROOT / ".test"
MANIFESTS = ROOT / "include" / "shop" / "manifests" / "shop"
READY = re.compile(r"^ready \S+ kubeconfig=(.+)$")


@dataclass(frozen=True)
class Standin:
    """A running stand-in."""

    kubeconfig: Path

    def connect(self) -> Cluster:
        """A client with all rights."""
        from kubernetes.config import new_client_from_config

        return Cluster(new_client_from_config(str(self.kubeconfig)))

    def user(self, name: str, role: str, output: Path, namespace: str = "") -> Path:
        """A kubeconfig of another user, who may do something in one namespace only if it is given."""
        state = str(self.kubeconfig.parent)
        command = [sys.executable, "-m", "include.cluster", "kubeconfig", "--state-dir", state]
        command += ["--user", name, "--role", role, "--namespace", namespace, "--output", str(output)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return output


@pytest.fixture(scope="session")
def cluster() -> Iterator[Standin]:
    """The stand-in cluster of this test session, with the shop's images."""
    yield from serve()


def serve() -> Iterator[Standin]:
    """A stand-in cluster with the shop's images, until the iterator is closed."""
    from include.release.lock_images import main as build_images

    TEST.mkdir(exist_ok=True)
    images = TEST / "images"
    build_images(["--images-dir", str(images), "--check"])
    state = Path(tempfile.mkdtemp(prefix="cluster-", dir=TEST))
    command = [
        sys.executable,
        "-m",
        "include.cluster",
        "serve",
        "--state-dir",
        str(state),
        "--images-dir",
        str(images),
    ]
    with (state / "log.txt").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        found = READY.match(process.stdout.readline())
        assert found, (state / "log.txt").read_text()
        yield Standin(Path(found[1]))
    finally:
        process.terminate()
        process.wait(30)
    shutil.rmtree(state, ignore_errors=True)


def install_shop(client: Cluster, namespace: str) -> None:
    """What the shop has before release 1: storage, the Secret, the Service, the old database."""
    make_namespace(client, namespace)
    for name in ("storage", "database-secret", "service", "baseline-job"):
        for manifest in yaml.safe_load_all((MANIFESTS / f"{name}.yaml").read_text()):
            client.apply(manifest, namespace, manager="tests", force=True)
    deadline = time.monotonic() + 60
    job: dict[str, Any] = {}
    while time.monotonic() < deadline:
        job = client.get("Job", namespace, "shop-baseline") or {}
        if job_state(job).phase == "complete":
            return
        time.sleep(0.2)
    raise AssertionError(f"the baseline did not complete: {job.get('status')}")


def make_namespace(client: Cluster, name: str) -> str:
    """A namespace, empty but for what a cluster puts there."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    client.apply(body, "", manager="tests", force=True)
    return name


@pytest.fixture
def namespace(cluster: Standin) -> Iterator[str]:
    """A namespace of its own for one test."""
    client = cluster.connect()
    name = make_namespace(client, f"test-{uuid.uuid4().hex[:8]}")
    yield name
    client.delete("Namespace", "", name)


SMALL = ROOT / "tests" / "data" / "releases" / "small.yaml"


@pytest.fixture
def small(cluster: Standin, namespace: str, tmp_path: Path) -> Callable[..., Frozen]:
    """Freezes the small release for the test's namespace, with words replaced (pairs of old and new)."""

    def build(*pairs: tuple[str, str], **environment: Any) -> Frozen:
        text = SMALL.read_text()
        for old, new in pairs:
            assert old in text, old
            text = text.replace(old, new)
        path = tmp_path / "small.yaml"
        path.write_text(text)
        base = ImageStore(TEST / "images").resolve("standin.local/python:3")
        assert base is not None
        lock = ImageLock(registry="standin.local", images={"python:3": LockedImage(digest=base.digest)})
        where: dict[str, Any] = {
            "name": "test", "title": "t", "connection": "kubernetes_shop", "namespace": namespace,
            "image_lock": "none", "may_trigger": ["*"], "may_approve": ["*"], "documents": str(tmp_path),
        }  # fmt: skip
        return freeze(load_release(path), Environment(**(where | environment)), lock)

    return build
