import asyncio
import contextlib
import dataclasses
import time

import pytest

from include.cluster.images import BASE_REFERENCE
from include.cluster.node.node import Node
from include.cluster.registry import DeleteOptions, Registry, WriteOptions
from include.cluster.settings import Settings
from include.cluster.store import Store

NAMESPACE = "shop"


class Cluster:
    """A registry with a node, and what tests ask of them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store(settings.state_dir / "store.db")
        self.registry = Registry(self.store, settings)
        self.states: dict[str, list[dict]] = {}
        self.store.listen(self._note)
        self.node = Node(self.registry, settings, api_port=6443)

    async def start(self) -> None:
        for plural, name in (("namespaces", NAMESPACE),):
            if self.registry.find(plural, "", name) is None:
                self.registry.create(plural, "", {"metadata": {"name": name}})
        if self.registry.find("serviceaccounts", NAMESPACE, "default") is None:
            self.add("serviceaccounts", "default")
            self.add("configmaps", "kube-root-ca.crt", data={"ca.crt": "CA"})
        await self.node.start()

    async def stop(self) -> None:
        await self.node.stop(grace=0)
        self.store.close()

    def _note(self, change) -> None:
        if change.key[0] == "pods":
            self.states.setdefault(change.key[2], []).append(change.object)

    def add(self, plural: str, name: str, **body) -> dict:
        obj = {"metadata": {"name": name}, **body}
        return self.registry.create(plural, NAMESPACE, obj, WriteOptions(manager="test", trusted=True))

    def run(self, name: str, container: dict | str, *, meta: dict | None = None, **spec) -> dict:
        """Creates a pod that is bound to the node; a text is what ``sh -c`` runs."""
        if isinstance(container, str):
            container = {"command": ["sh", "-c", container]}
        container = {"name": "app", "image": BASE_REFERENCE, **container}
        spec = {
            "nodeName": self.settings.node_name,
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
            **spec,
        }
        pod = {"metadata": {"name": name, **(meta or {})}, "spec": spec}
        return self.registry.create("pods", NAMESPACE, pod, WriteOptions(manager="test"))

    def pod(self, name: str) -> dict:
        return self.registry.get("pods", NAMESPACE, name)

    def status(self, name: str, container: str = "app") -> dict:
        status = self.pod(name)["status"]
        listed = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
        return next((entry for entry in listed if entry["name"] == container), {})

    def conditions(self, name: str) -> dict:
        return {entry["type"]: entry for entry in self.pod(name)["status"]["conditions"]}

    def delete(self, name: str, grace: int | None = None) -> None:
        self.registry.delete("pods", NAMESPACE, name, DeleteOptions(grace=grace))

    async def until(self, wanted, seconds: float = 8.0):
        """Waits until ``wanted()`` is true, and returns it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(KeyError, IndexError):
                found = wanted()
                if found:
                    return found
            await asyncio.sleep(0.01)
        objects = [pod.get("status") for pod in self.registry.list("pods", NAMESPACE)]
        raise AssertionError(f"not reached in {seconds} s: {objects}; events: {self.events()}")

    async def phase(self, name: str, *wanted: str) -> dict:
        await self.until(lambda: self.pod(name)["status"].get("phase") in wanted)
        return self.pod(name)

    async def ended(self, name: str) -> dict:
        """Waits until the pod has succeeded or failed; returns its container's terminated state."""
        await self.phase(name, "Succeeded", "Failed")
        return self.status(name)["state"]["terminated"]

    def events(self, name: str = "") -> list[tuple[str, str, str]]:
        found = self.registry.list("events", NAMESPACE)
        return [
            (event["type"], event["reason"], event["message"])
            for event in found
            if not name or event["involvedObject"]["name"] == name
        ]

    async def log(self, name: str, container: str = "app", **options) -> str:
        pieces = [piece async for piece in self.node.read_log(self.pod(name), container, **options)]
        return b"".join(pieces).decode()


@pytest.fixture
def settings(tmp_path, request):
    mode = getattr(request, "param", "always")
    return Settings(
        state_dir=tmp_path / "state",
        images_dir=tmp_path / "images",
        crash_backoff_initial=0.2,
        crash_backoff_max=1.0,
        image_backoff_initial=0.2,
        mount_namespaces=mode,
    )


@pytest.fixture
async def cluster(settings):
    settings.state_dir.mkdir(exist_ok=True)
    found = Cluster(settings)
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
async def restarted(settings):
    """Stops a cluster and starts another on the same state; called with the changes to the settings."""
    begun = []

    async def restart(cluster: Cluster, **changes) -> Cluster:
        await cluster.node.stop(grace=0)
        found = Cluster(dataclasses.replace(settings, **changes))
        begun.append(found)
        await found.start()
        return found

    yield restart
    for found in begun:
        await found.stop()
