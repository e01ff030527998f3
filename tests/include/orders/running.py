"""A run of batches on the stand-in cluster: the processor is a piece of Python, the backlog what the test says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from include.cluster.images import ImageStore
from include.orders.facts import Backlog, Kept
from include.orders.running import Batches, World
from include.release.batches import LABEL_BATCH
from include.release.frozen import FIELD_MANAGER, NOTE_RELEASE
from include.release.kube import Cluster
from include.release.lock import RunFate
from tests.include.orders.world import known, orders, pace, place
from tests.standin import TEST

HEAD = "import sys, time, os\nsay = lambda *lines: [print(line, flush=True) for line in lines]\n"
GOOD = HEAD + "say('Startup...', 'Processing Order 1', 'Order Processed', 'All Orders processed.')"
BAD = (
    HEAD + "say('Startup...', *[line for n in range(1, 9) for line in "
    "(f'Processing Order {n}', 'Error Processing Order. Error #12')]); time.sleep(60)"
)
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Course:
    """One run of batches, and what it said."""

    def __init__(self, client: Cluster, namespace: str) -> None:
        self.client, self.namespace = client, namespace
        self.said: list[str] = []
        self.waiting = [1, 0]
        """What waits, each time that it is asked for; the last one from then on."""
        self.kept = Kept(since=NOON, unknown="nobody asked")
        self.holds = RunFate("running", holds=True)

    def deploy(self, code: str, **notes: str) -> dict[str, Any]:
        """The live Deployment; it has no pods of its own."""
        image = ImageStore(TEST / "images").resolve("standin.local/python:3")
        assert image is not None
        labels = {"app": "order-processor"}
        container = {
            "name": "order-processor",
            "image": f"standin.local/python:3@{image.digest}",
            "command": ["python3", "-uc", code, "--every", "3600"],
            "ports": [{"name": "http", "containerPort": 8081}],
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}},
            "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
        }
        manifest = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "order-processor", "annotations": {NOTE_RELEASE: "release-2", **notes}},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
                },
            },
        }
        return self.client.apply(manifest, self.namespace, manager="tests", force=True).object

    def world(self, asked_by: str = "order_processor/run-1/0", **changes: Any) -> World:
        """What the run works with."""

        def backlog() -> Backlog:
            count = self.waiting.pop(0) if len(self.waiting) > 1 else self.waiting[0]
            return Backlog(at=NOON, waiting=count, oldest=NOON if count else None)

        found = World(
            cluster=self.client,
            environment=place().model_copy(update={"namespace": self.namespace}),
            orders=orders(),
            known=known(),
            asked_by=asked_by,
            ask=lambda _: self.holds,
            backlog=backlog,
            kept=lambda _: self.kept,
            pace=lambda *_: pace(),
            say=self.said.append,
            now=lambda: NOON,
        )
        return replace(found, **changes)

    def run(self, asked_by: str = "order_processor/run-1/0", **changes: Any) -> list[Any]:
        """Every batch of the run."""
        return Batches(self.world(asked_by, **changes)).run()

    def jobs(self) -> list[dict[str, Any]]:
        """The batches that are in the cluster."""
        return self.client.list("Job", self.namespace, labels=LABEL_BATCH)

    def note(self, name: str) -> str:
        return f"{FIELD_MANAGER}/{name}"


def wait_for(condition: Callable[[], Any]) -> Any:
    """Until it is true; returns it."""
    import time

    deadline = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found
