"""Volumes of logs: configuration that a test breaks, and a claim on the stand-in cluster with a tree of files."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include.cluster.images import ImageStore
from include.logs.loading import PlacedVolume, read_volume
from include.logs.requesting import Asker
from include.logs.retention import Volume
from include.release.environments import Environment
from include.release.loading import PROJECT, Sources
from tests.standin import TEST

DAY = 86400


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """A copy of the project's releases and configuration that a test may break."""
    shutil.copytree(PROJECT / "include" / "releases", tmp_path / "releases")
    shutil.copytree(PROJECT / "include" / "config", tmp_path / "config")
    return Sources(tmp_path / "releases", tmp_path / "config")


@pytest.fixture
def rewrite(sources: Sources) -> Callable[..., Sources]:
    """Replaces words in the retention file (pairs of old and new)."""

    def build(*pairs: tuple[str, str]) -> Sources:
        path = sources.config / "log_retention.yaml"
        text = path.read_text()
        for old, new in pairs:
            assert old in text, old
            text = text.replace(old, new)
        path.write_text(text)
        return sources

    return build


def fill(root: Path, **days: float) -> None:
    """Files of 4 KiB, each so many days old. A name's dots are written ``_DOT_``."""
    for name, age in days.items():
        path = root / name.replace("_DOT_", ".")
        path.write_bytes(b"a line of a log\n" * 256)
        at = time.time() - age * DAY
        os.utime(path, (at, at))


@dataclass
class Claimed:
    """A volume on the stand-in, and the directory behind its claim."""

    cluster: Any
    placed: PlacedVolume
    root: Path

    def asker(self, run: str = "log_cleanup/run-1", **changes: Any) -> Asker:
        return replace(Asker(run, datetime.now(UTC)), **changes)


@pytest.fixture
def claimed(cluster: Any, namespace: str, tmp_path: Path) -> Claimed:
    """The shop's volume in a namespace of the test's own, its claim bound."""
    client = cluster.connect()
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "course4-logs"},
             "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}  # fmt: skip
    client.create(claim, namespace)
    deadline = time.monotonic() + 10
    while not (
        name := client.get("PersistentVolumeClaim", namespace, "course4-logs")["spec"].get("volumeName")
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    root = cluster.kubeconfig.parent / "volumes" / name
    root.mkdir(parents=True, exist_ok=True)
    image = ImageStore(TEST / "images").resolve("standin.local/python:3")
    assert image is not None
    placed = read_volume(Sources.from_environment(), "shop-logs")
    assert placed.environment is not None
    place: Environment = placed.environment.model_copy(update={"namespace": namespace})
    return Claimed(
        client, replace(placed, environment=place, image=f"standin.local/python:3@{image.digest}"), root
    )


@pytest.fixture
def on_worker(tmp_path: Path) -> PlacedVolume:
    """A directory of the worker with the shop's classes."""
    placed = read_volume(Sources.from_environment(), "shop-logs")
    root = tmp_path / "logs"
    root.mkdir()
    changes: dict[str, Any] = {"path": str(root), "environment": None, "claim": None, "used_by": None}
    changes |= {"image": None, "user": None, "fs_group": None, "size": None}
    volume: Volume = placed.volume.model_copy(update=changes)
    return PlacedVolume(volume, placed.retention)
