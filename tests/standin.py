"""The stand-in cluster for tests: one process for a whole test session, a shop installed in a namespace of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.release.jobs import job_state
from include.release.kube import Cluster

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


@pytest.fixture(scope="session")
def cluster() -> Iterator[Standin]:
    """The stand-in cluster of this test session, with the shop's images."""
    from include.release.lock_images import main as build_images

    TEST.mkdir(exist_ok=True)
    images = TEST / "images"
    build_images(["--images-dir", str(images), "--check"])
    state = Path(tempfile.mkdtemp(prefix="cluster-", dir=TEST))
    command = [sys.executable, "-m", "include.cluster", "serve", "--state-dir", str(state), "--images-dir", str(images)]
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
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    client.apply(body, "", manager="tests", force=True)
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
