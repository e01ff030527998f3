"""The shop's own log, cleaned up while the shop writes to it: space comes back and no line is lost."""

from __future__ import annotations

import http.client
import itertools
import re
import subprocess
import tarfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.cluster.images import ImageStore
from include.logs.requesting import request_of
from include.logs.retention import LogClass
from include.logs.running import carry_step
from tests.standin import TEST, install_shop

NUMBER = re.compile(rb"GET /version\?n=(\d+) ")


def deployment(image: str) -> dict[str, Any]:
    """Two pods of the shop that share one log."""
    env = [
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "shop-database", "key": "url"}}},
    ]
    mounts = [{"name": "data", "mountPath": "/data"}, {"name": "logs", "mountPath": "/home/sre/course4"}]
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": claim}}
               for name, claim in (("data", "shop-data"), ("logs", "course4-logs"))]  # fmt: skip
    container = {"name": "main-app", "image": image, "env": env, "volumeMounts": mounts}
    labels = {"app": "app-deployment"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "volumes": volumes}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app-deployment"},
            "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}}  # fmt: skip


class Customers:
    """Ask the pods in turn; each request has a number of its own, which the log gets."""

    def __init__(self, addresses: list[str]) -> None:
        self.connections = itertools.cycle(
            [http.client.HTTPConnection(each, 8080, timeout=10) for each in addresses]
        )
        self.asked = 0
        self.stop = threading.Event()

    def ask(self, count: int) -> None:
        for _ in range(count):
            connection = next(self.connections)
            connection.request("GET", f"/version?n={self.asked}")
            connection.getresponse().read()
            self.asked += 1

    def keep_asking(self) -> None:
        while not self.stop.is_set():
            self.ask(1)
            time.sleep(0.002)


@pytest.fixture
def shop(cluster, namespace, claimed_shop):
    """The shop in two pods, and their addresses."""
    client = cluster.connect()
    image = ImageStore(TEST / "images").resolve("standin.local/shop:2.0.0")
    assert image is not None
    client.create(deployment(f"standin.local/shop:2.0.0@{image.digest}"), namespace)
    deadline = time.monotonic() + 60
    while True:
        pods = client.list("Pod", namespace, labels="app=app-deployment")
        addresses = [str(pod["status"].get("podIP") or "") for pod in pods]
        if len(pods) == 2 and all(addresses) and all(map(answers, addresses)):
            return addresses
        assert time.monotonic() < deadline, [pod["status"] for pod in pods]
        time.sleep(0.2)


def answers(address: str) -> bool:
    try:
        connection = http.client.HTTPConnection(address, 8080, timeout=2)
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False


@pytest.fixture
def claimed_shop(cluster, namespace):
    """The shop's storage and database, before its first release."""
    install_shop(cluster.connect(), namespace)


@pytest.fixture
def volume(cluster, namespace, claimed_shop):
    """The shop's volume, of which little is kept live."""
    from include.logs.loading import read_volume
    from include.release.loading import Sources

    placed = read_volume(Sources.from_environment(), "shop-logs")
    image = ImageStore(TEST / "images").resolve("standin.local/shop:2.0.0")
    assert image is not None
    assert placed.environment is not None
    classes = [LogClass(name="access", globs=["app.log"], keep_size="8Ki", archive_keep_days=365)]
    return replace(
        placed,
        volume=placed.volume.model_copy(update={"classes": classes}),
        environment=placed.environment.model_copy(update={"namespace": namespace}),
        image=f"standin.local/shop:2.0.0@{image.digest}",
    )


def numbers(text: bytes) -> list[int]:
    return [int(each) for each in NUMBER.findall(text)]


def archived(state: Path) -> bytes:
    """What the archives hold of the log, in their order."""
    found = b""
    for path in sorted((state / "archives").rglob("*.tar.*")):
        tool = "zstd" if path.suffix == ".zst" else "gzip"
        plain = subprocess.run([tool, "-dc", str(path)], check=True, capture_output=True).stdout
        (state / "plain.tar").write_bytes(plain)
        with tarfile.open(state / "plain.tar") as tar:
            found += b"".join(tar.extractfile(each).read() for each in tar.getmembers())  # type: ignore[union-attr]
    return found


def test_the_shops_log_is_cleaned_up_under_load_and_no_line_is_lost(cluster, namespace, shop, volume):
    from include.logs.requesting import Asker

    client = cluster.connect()
    claim = client.get("PersistentVolumeClaim", namespace, "course4-logs")
    root = cluster.kubeconfig.parent / "volumes" / claim["spec"]["volumeName"]
    log = root / "app.log"
    customers = Customers(shop)
    customers.ask(600)
    before = log.stat()
    writing = threading.Thread(target=customers.keep_asking)
    writing.start()
    answered = {}
    try:
        for command in ("measure", "plan", "archive", "verify", "delete", "space", "report"):
            asker = Asker("log_cleanup/run-1")
            answer = carry_step(client, volume, command, request_of(volume, asker), asker, lambda _: None)
            answered[command] = answer.facts
    finally:
        customers.stop.set()
        writing.join()
    after = log.stat()
    assert answered["plan"]["classes"][0]["actions"]["archive_punch"]["files"] == 1
    assert after.st_ino == before.st_ino
    assert after.st_size > before.st_size
    freed = answered["delete"]["freed_bytes"]
    assert freed >= 32 * 1024
    assert after.st_blocks * 512 <= after.st_size - freed + 2 * 4096
    old, live = numbers(archived(root / ".log-cleanup")), numbers(log.read_bytes())
    # What is in an archive and not within a whole block is in both; nothing is in neither.
    assert sorted({*old, *live}) == list(range(customers.asked))
    assert len(old) == len(set(old))
    assert len(live) == len(set(live))
    assert min(live) > 300
