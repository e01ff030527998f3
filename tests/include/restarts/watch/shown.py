"""Deployments whose pods no kubelet touches (a scheduling gate holds them), with the status that a test writes."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from include.release.kube import Cluster, path_of


class Shown:
    """One Deployment of the stand-in, and what its pods show."""

    def __init__(self, client: Cluster, namespace: str, name: str = "swype-app", replicas: int = 1) -> None:
        self.client, self.namespace, self.name, self.replicas = client, namespace, name, replicas
        self.restarts: dict[str, int] = {}

    def create(self) -> Shown:
        labels = {"app": self.name}
        spec = {
            "schedulingGates": [{"name": "example.com/held"}],
            "containers": [{"name": "main", "image": "python:3"}],
        }
        manifest = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": self.name},
            "spec": {
                "replicas": self.replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        }
        self.client.create(manifest, self.namespace)
        deadline = time.monotonic() + 20
        while len(self.pods()) < self.replicas:
            assert time.monotonic() < deadline, "no pods"
            time.sleep(0.05)
        return self

    def pods(self) -> list[dict[str, Any]]:
        return self.client.list("Pod", self.namespace, labels=f"app={self.name}")

    def restart(
        self, message: str = "dial tcp 192.0.2.10:5010: connect: connection refused", *, pod: int = 0
    ) -> None:
        """The main container ended with this termination message, and runs again."""
        name = sorted(each["metadata"]["name"] for each in self.pods())[pod]
        self.restarts[name] = self.restarts.get(name, 0) + 1
        self.status(name, restart_status(self.restarts[name], message))

    def status(self, pod: str, status: dict[str, Any]) -> None:
        self.client._raw(
            "PATCH",
            path_of("Pod", self.namespace, pod, "status"),
            body={"status": status},
            content_type="application/merge-patch+json",
        )

    def event(self, pod: dict[str, Any], reason: str, message: str) -> None:
        """An Event about a pod, as the kubelet writes it."""
        about = pod["metadata"]
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.client.create(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": f"{about['name']}.{time.monotonic_ns():x}"},
                "involvedObject": {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "namespace": self.namespace,
                    "name": about["name"],
                    "uid": about["uid"],
                    "fieldPath": "spec.containers{main}",
                },
                "type": "Warning",
                "reason": reason,
                "message": message,
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 1,
                "source": {"component": "kubelet", "host": "node-1"},
            },
            self.namespace,
        )


def restart_status(count: int, message: str) -> dict[str, Any]:
    """A pod's status after the main container was started again so often."""
    now = datetime.now(UTC)

    def shown(at: datetime) -> str:
        return at.strftime("%Y-%m-%dT%H:%M:%SZ")

    ended = {
        "exitCode": 1,
        "reason": "Error",
        "message": message,
        "startedAt": shown(now - timedelta(seconds=2)),
        "finishedAt": shown(now),
        "containerID": f"containerd://{count - 1:064x}",
    }
    return {
        "phase": "Running",
        "startTime": shown(now - timedelta(seconds=60)),
        "containerStatuses": [
            {
                "name": "main",
                "image": "python:3",
                "imageID": "",
                "containerID": f"containerd://{count:064x}",
                "ready": True,
                "started": True,
                "restartCount": count,
                "state": {"running": {"startedAt": shown(now)}},
                "lastState": {"terminated": ended},
            }
        ],
    }
