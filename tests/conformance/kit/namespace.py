"""One test's namespace, and the words a test uses for what it does there."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from tests.conformance.kit.api import APPLY, MERGE, Answer, Api, Object, until

PREFIXES = {
    "namespaces": "/api/v1",
    "nodes": "/api/v1",
    "pods": "/api/v1",
    "configmaps": "/api/v1",
    "secrets": "/api/v1",
    "services": "/api/v1",
    "serviceaccounts": "/api/v1",
    "events": "/api/v1",
    "persistentvolumeclaims": "/api/v1",
    "resourcequotas": "/api/v1",
    "deployments": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
    "leases": "/apis/coordination.k8s.io/v1",
}


class Namespace:
    """A namespace that lives as long as one test."""

    def __init__(self, api: Api, image: str) -> None:
        self.api = api
        self.image = image
        self.name = f"conformance-{uuid.uuid4().hex[:10]}"

    # The namespace itself

    def open(self) -> None:
        """Create it, and wait for what every namespace gets before pods can run in it."""
        body = {"metadata": {"name": self.name, "labels": {"purpose": "conformance"}}}
        self.api.request("POST", "/api/v1/namespaces", body).expect(201)
        until("the default service account", lambda: self.read("serviceaccounts", "default").code == 200, 30)

    def close(self) -> None:
        """End its pods at once and have it deleted; that goes on in the background."""
        self.api.request("DELETE", self.path("pods"), gracePeriodSeconds=1)
        self.api.request("DELETE", f"/api/v1/namespaces/{self.name}")

    # Objects

    def path(self, plural: str, name: str = "", sub: str = "") -> str:
        """The URL path of a collection, an object or its subresource."""
        parts = [PREFIXES[plural]]
        if plural not in ("namespaces", "nodes"):
            parts.append(f"namespaces/{self.name}")
        return "/".join([*parts, plural, *([name] if name else []), *([sub] if sub else [])])

    def post(self, plural: str, body: Any, **options: Any) -> Answer:
        return self.api.request("POST", self.path(plural), body, **options)

    def create(self, plural: str, body: Object, **options: Any) -> Object:
        created: Object = self.post(plural, body, **options).expect(201)
        return created

    def read(self, plural: str, name: str, sub: str = "", **options: Any) -> Answer:
        return self.api.request("GET", self.path(plural, name, sub), **options)

    def get(self, plural: str, name: str, sub: str = "", **options: Any) -> Object:
        found: Object = self.read(plural, name, sub, **options).expect(200)
        return found

    def list(self, plural: str, selector: str = "", **options: Any) -> list[Object]:
        if selector:
            options["labelSelector"] = selector
        items: list[Object] = self.api.request("GET", self.path(plural), **options).expect(200)["items"]
        return items

    def put(self, plural: str, name: str, body: Object, sub: str = "", **options: Any) -> Answer:
        return self.api.request("PUT", self.path(plural, name, sub), body, **options)

    def patch(
        self, plural: str, name: str, body: Any, kind: str = MERGE, sub: str = "", **options: Any
    ) -> Answer:
        return self.api.request("PATCH", self.path(plural, name, sub), body, content_type=kind, **options)

    def apply(
        self, plural: str, name: str, body: Object, manager: str = "conformance", **options: Any
    ) -> Answer:
        return self.patch(plural, name, body, APPLY, fieldManager=manager, **options)

    def delete(self, plural: str, name: str, body: Any = None, **options: Any) -> Answer:
        return self.api.request("DELETE", self.path(plural, name), body, **options)

    # Waiting

    def wait(
        self, plural: str, name: str, what: str, check: Callable[[Object], Any], timeout: float = 60
    ) -> Object:
        """The object as soon as ``check`` of it is true."""

        def look() -> Object | None:
            seen = self.get(plural, name)
            if check(seen):
                return seen
            raise AssertionError(json.dumps(seen.get("status", {})))

        found: Object = until(f"{plural} {name}: {what}", look, timeout)
        return found

    def gone(self, plural: str, name: str, timeout: float = 60) -> None:
        """Wait until the object no longer exists."""
        until(f"{plural} {name} is gone", lambda: self.read(plural, name).code == 404, timeout)

    def pod_ready(self, name: str, timeout: float = 60) -> Object:
        return self.wait("pods", name, "ready", is_ready, timeout)

    def pod_ended(self, name: str, timeout: float = 60) -> Object:
        """The pod once its phase is Succeeded or Failed."""
        return self.wait("pods", name, "ended", lambda pod: phase(pod) in ("Succeeded", "Failed"), timeout)

    def run(self, pod: Object, timeout: float = 60) -> Object:
        """Create a pod that ends by itself, and return it ended."""
        self.create("pods", pod)
        return self.pod_ended(pod["metadata"]["name"], timeout)

    def log(self, name: str, container: str = "", **query: Any) -> str:
        """The text of a container's log."""
        if container:
            query["container"] = container
        answer = self.read("pods", name, "log", accept="*/*", **query)
        assert answer.code == 200, f"log of {name}: {answer.code} {answer.text}"
        return answer.text

    def output(self, pod: Object, timeout: float = 60) -> str:
        """The log of a pod that ends by itself and succeeds."""
        name = pod["metadata"]["name"]
        ended = self.run(pod, timeout)
        text = self.log(name)
        assert phase(ended) == "Succeeded", f"{name} ended {phase(ended)}: {text}"
        return text

    def rolled_out(self, name: str, timeout: float = 90) -> Object:
        """The Deployment once every pod is of its current template and available."""
        return self.wait("deployments", name, "rolled out", rollout_complete, timeout)

    def events(self, name: str, reason: str = "") -> list[Object]:
        """The events about an object, of one reason when it is given."""
        found = self.list("events", fieldSelector=f"involvedObject.name={name}")
        return [event for event in found if not reason or event["reason"] == reason]

    def event(self, name: str, reason: str, timeout: float = 60) -> Object:
        """The first event of that reason about an object."""
        found: Object = until(f"event {reason} of {name}", lambda: self.events(name, reason), timeout)[0]
        return found

    # Proxy

    def fetch(self, plural: str, target: str, path: str = "/", method: str = "GET", **options: Any) -> Answer:
        """A request to a pod (``name:port``) or service (``name:port``) through the API server."""
        url = f"{self.path(plural, target)}/proxy{path}"
        return self.api.request(method, url, accept="*/*", **options)

    # Reports

    def report(self) -> str:
        """What is in the namespace, for the reader of a failed test."""
        lines = [f"namespace {self.name}"]
        for pod in self.list("pods"):
            lines.append(f"pod {pod['metadata']['name']}: {json.dumps(pod.get('status', {}))[:3000]}")
            for container in pod["spec"]["containers"]:
                log = self.read(
                    "pods",
                    pod["metadata"]["name"],
                    "log",
                    accept="*/*",
                    container=container["name"],
                    tailLines=20,
                )
                lines.append(f"  log of {container['name']}: {log.text[:2000]}")
        for plural in ("deployments", "replicasets", "jobs"):
            for item in self.list(plural):
                lines.append(
                    f"{plural} {item['metadata']['name']}: {json.dumps(item.get('status', {}))[:2000]}"
                )
        for event in self.list("events"):
            about = f"{event['involvedObject'].get('kind')}/{event['involvedObject'].get('name')}"
            lines.append(f"event {about} {event.get('reason')}: {event.get('message')}")
        return "\n".join(lines)


def phase(pod: Object) -> str:
    return str(pod.get("status", {}).get("phase", ""))


def condition(item: Object, kind: str) -> Object:
    """The condition of that type, or an empty one."""
    for found in item.get("status", {}).get("conditions") or []:
        if found["type"] == kind:
            return dict(found)
    return {}


def is_ready(pod: Object) -> bool:
    return condition(pod, "Ready").get("status") == "True"


def container_status(pod: Object, name: str = "main") -> Object:
    """The status of a container or init container; empty as long as there is none."""
    status = pod.get("status", {})
    for field in ("containerStatuses", "initContainerStatuses"):
        for found in status.get(field) or []:
            if found["name"] == name:
                return dict(found)
    return {}


def terminated(pod: Object, name: str = "main") -> Object:
    """How a container ended, its state now; empty if it has not."""
    return dict(container_status(pod, name).get("state", {}).get("terminated") or {})


def last_terminated(pod: Object, name: str = "main") -> Object:
    """How a container ended the time before."""
    return dict(container_status(pod, name).get("lastState", {}).get("terminated") or {})


def rollout_complete(deployment: Object) -> bool:
    """As ``kubectl rollout status`` judges it."""
    status, wanted = deployment.get("status", {}), deployment["spec"]["replicas"]
    return bool(
        status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        and status.get("updatedReplicas", 0) == wanted
        and status.get("replicas", 0) == wanted
        and status.get("availableReplicas", 0) == wanted
    )
