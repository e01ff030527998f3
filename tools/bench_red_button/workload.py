"""Deployments whose pods no kubelet touches: a scheduling gate holds them, and the benchmark writes their status."""

from __future__ import annotations

import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from include.release.kube import Cluster, KubeError
from include.release.pressed import NOTE_PRESSED, NOTE_REARMED
from tools.demo.options import DemoError

MANAGER = "benchmark"
GATE = "plan-reduce-repeat/no-kubelet"
CONTAINER = "main"
THRESHOLD = 3
MESSAGE = "network failure: dial tcp 192.0.2.7:443: connect: connection refused"
WITHIN = 120.0
BETWEEN = 0.5
"""Seconds between two restarts. A kubelet takes longer; closer together, the watch sees one jump of the count."""


def name_of(number: int) -> str:
    """Name of the n-th Deployment, and of its guard."""
    return f"bench-{number:04d}"


def deployment(name: str) -> dict[str, Any]:
    """A Deployment whose only pod is never scheduled."""
    labels = {"app": name}
    pod = {
        "schedulingGates": [{"name": GATE}],
        "containers": [{"name": CONTAINER, "image": "registry.invalid/never-pulled:1"}],
        "terminationGracePeriodSeconds": 0,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


class Workload:
    """The Deployments of one measurement, in a namespace of their own.

    Args:
        cluster: a direct connection, whatever stands between Airflow and the API server.
        namespace: made, and removed in the end.
        count: how many Deployments.
    """

    def __init__(self, cluster: Cluster, namespace: str, count: int) -> None:
        self.cluster, self.namespace, self.count = cluster, namespace, count
        self._restarts = itertools.count(1)
        self._lock = threading.Lock()

    def create(self) -> None:
        """Make them, and wait for their pods."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        self.cluster.apply(body, "", manager=MANAGER, force=True)
        names = [name_of(number) for number in range(self.count)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._create, names))
        deadline = time.monotonic() + WITHIN + self.count / 5
        while len(self.cluster.list("Pod", self.namespace)) < self.count:
            if time.monotonic() > deadline:
                raise DemoError(f"not all of {self.count} pods of {self.namespace} are there")
            time.sleep(0.5)

    def _create(self, name: str) -> None:
        self.cluster.apply(deployment(name), self.namespace, manager=MANAGER, force=True)

    def remove(self) -> None:
        """Remove the namespace."""
        self.cluster.delete("Namespace", "", self.namespace)

    def pod_of(self, name: str) -> str:
        """Name of the pod of a Deployment, once there is one. Raises DemoError."""
        deadline = time.monotonic() + WITHIN
        while time.monotonic() < deadline:
            pods = self.cluster.list("Pod", self.namespace, labels=f"app={name}")
            alive = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
            if alive:
                return str(alive[0]["metadata"]["name"])
            time.sleep(0.02)
        raise DemoError(f"{name} has no pod after {WITHIN:.0f} s")

    def restart(self, pod: str, count: int) -> float:
        """Write that the container was restarted for the ``count``-th time by a network failure; when, in seconds.

        A write that the API server did not answer is sent again: what it says is the same.
        """
        at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        ended = {"exitCode": 1, "reason": "Error", "message": MESSAGE, "startedAt": at, "finishedAt": at}
        status = {
            "name": CONTAINER,
            "image": "registry.invalid/never-pulled:1",
            "imageID": "",
            "ready": False,
            "restartCount": count,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off restarting"}},
            "lastState": {"terminated": ended},
        }
        body = {"status": {"containerStatuses": [status]}}
        begun = time.time()
        while True:
            try:
                self.cluster.patch("Pod", self.namespace, pod, body, sub="status")
            except KubeError as error:
                if not error.unreachable or time.time() > begun + WITHIN:
                    raise
                time.sleep(0.05)
                begun = time.time()
            else:
                return begun

    def cross(self, name: str) -> float:
        """Restart its container until the threshold is crossed; when the write that crosses it was sent."""
        pod = self.pod_of(name)
        for count in range(1, THRESHOLD + 1):
            self.restart(pod, count)
            time.sleep(BETWEEN)
        return self.restart(pod, THRESHOLD + 1)

    def rearm(self, name: str) -> None:
        """Bring it back, as the re-arm does: replicas, without the note of the press, with one of the re-arm."""
        at = datetime.now(UTC).isoformat()
        notes = {NOTE_PRESSED: None, NOTE_REARMED: json.dumps({"at": at, "by": "benchmark"})}
        body = {"metadata": {"annotations": notes}, "spec": {"replicas": 1}}
        deadline = time.monotonic() + WITHIN
        while True:
            try:
                self.cluster.patch("Deployment", self.namespace, name, body)
            except KubeError as error:
                if not error.unreachable or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return
