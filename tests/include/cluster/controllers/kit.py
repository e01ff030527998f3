"""A stand-in without node and server: real registry, store and controllers, and a kubelet that only writes statuses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from include.cluster import controllers
from include.cluster.controllers.running import KINDS
from include.cluster.registry import Registry, WriteOptions
from include.cluster.registry.clock import stamp
from include.cluster.settings import Settings
from include.cluster.store import Change, Store

Object = dict[str, Any]
NS = "shop"


class FakeKubelet:
    """Moves pods on, one step at a time, and only when asked: so that tests decide what happens when.

    ``behave(pod)`` says what a pod does: ``ready``, ``never`` (runs, is never ready), ``missing`` (has no image),
    ``crash`` (restarts for ever), ``exit 0``, ``exit 7``, ... or ``run`` (a Job's pod that goes on).
    """

    def __init__(self, registry: Registry, behave: Callable[[Object], str]) -> None:
        self.registry = registry
        self.behave = behave
        self.queues: list[list[Callable[[], None]]] = []
        self._known: set[tuple[str, str]] = set()
        self.end = registry.store.listen(self._change)

    def _change(self, change: Change) -> None:
        if change.key[0] != "pods" or change.type == "DELETED":
            return
        pod = change.object
        uid = pod["metadata"]["uid"]
        if not pod["spec"].get("nodeName"):
            return
        if pod["metadata"].get("deletionTimestamp"):
            self._once(uid, "end", [lambda: self._terminate(pod), lambda: self._remove(pod)])
            return
        if (uid, "start") in self._known:
            return
        doing = self.behave(pod)
        steps = [lambda: self._write(pod, phase="Pending")]
        if doing != "missing":
            started = doing == "run" or doing.startswith("exit")
            steps.append(lambda: self._write(pod, phase="Running", ready=started))
        if doing == "ready":
            steps.append(lambda: self._write(pod, phase="Running", ready=True))
        elif doing == "crash":
            steps.append(lambda: self._write(pod, phase="Running", restarts=1))
        elif doing.startswith("exit"):
            steps.append(lambda: self.finish(pod, int(doing.split()[1])))
        self._once(uid, "start", steps)

    def _once(self, uid: str, what: str, steps: list[Callable[[], None]]) -> None:
        if (uid, what) not in self._known:
            self._known.add((uid, what))
            self.queues.append(steps)

    def step(self, choose: Callable[[int], int] = lambda count: 0) -> bool:
        """Does the next step of one pod: of the one that has waited longest, or of any. False when all is done."""
        self.queues = [queue for queue in self.queues if queue]
        if not self.queues:
            return False
        self.queues[choose(len(self.queues))].pop(0)()
        return True

    def finish(self, pod: Object, code: int) -> None:
        phase = "Failed" if code else "Succeeded"
        ended = {"exitCode": code, "reason": "Error" if code else "Completed", "finishedAt": stamp()}
        self._write(pod, phase=phase, state={"terminated": ended})

    def _terminate(self, pod: Object) -> None:
        live = self._live(pod)
        if live is not None and live["status"]["phase"] in ("Pending", "Running"):
            code = 0 if live["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet" else 143
            self.finish(pod, code)

    def _remove(self, pod: Object) -> None:
        meta = pod["metadata"]
        self.registry.remove_now("pods", meta["namespace"], meta["name"], meta["uid"])

    def _live(self, pod: Object) -> Object | None:
        found = self.registry.find("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])
        return found if found and found["metadata"]["uid"] == pod["metadata"]["uid"] else None

    def _write(
        self, pod: Object, *, phase: str, ready: bool = False, restarts: int = 0, state: Object | None = None
    ) -> None:
        live = self._live(pod)
        if live is None or live["status"]["phase"] in ("Succeeded", "Failed"):
            return
        if live["metadata"].get("deletionTimestamp") and state is None:
            return

        def change(new: Object) -> None:
            status = new["status"]
            status["phase"] = phase
            status["podIP"] = "127.1.0.1"
            others = [one for one in status.get("conditions", []) if one["type"] != "Ready"]
            found = {"type": "Ready", "status": str(ready), "lastTransitionTime": stamp()}
            status["conditions"] = [found, *others]
            status["containerStatuses"] = [
                {"name": one["name"], "ready": ready, "restartCount": restarts, "state": state or {}}
                for one in new["spec"]["containers"]
            ]

        meta = pod["metadata"]
        self.registry.edit(
            "pods", meta["namespace"], meta["name"], change, manager="kubelet", subresource="status"
        )


class World:
    """One stand-in at work, and all that happened in it."""

    def __init__(self, folder: Path, **changed: Any) -> None:
        self.settings = Settings(
            state_dir=folder,
            images_dir=folder / "images",
            node_name="node-1",
            job_backoff_initial=0.0,
            **{"proxy_delay": 0.0, "proxy_min_sync": 0.0, **changed},
        )
        self.store = Store(folder / "objects.db")
        self.registry = Registry(self.store, self.settings)
        self.changes: list[Change] = []
        self.store.listen(self.changes.append)
        self.behave: Callable[[Object], str] = lambda pod: "ready"
        self.kubelet = FakeKubelet(self.registry, lambda pod: self.behave(pod))
        self.running: controllers.Running | None = None

    async def start(self, kinds: Any = KINDS) -> World:
        self.running = controllers.start(self.registry, self.settings, kinds)
        await self.settle()
        self.registry.create("namespaces", "", {"metadata": {"name": NS}})
        await self.settle()
        return self

    async def stop(self) -> None:
        if self.running is not None:
            await self.running.stop()
        self.store.close()

    async def settle(self, turns: int = 3000) -> None:
        """Until no controller has anything to do right now. Fails when that never comes: a busy loop."""
        assert self.running is not None
        quiet = 0
        for _ in range(turns):
            await asyncio.sleep(0)
            quiet = quiet + 1 if self.running.idle else 0
            if quiet > 20:
                return
        raise AssertionError("the controllers never come to rest")

    async def run(self, steps: int = 10_000) -> None:
        """Lets the kubelet do its steps, the controllers coming to rest after each."""
        await self.settle()
        for _ in range(steps):
            if not self.kubelet.step():
                return
            await self.settle()

    async def soon(self, condition: Callable[[], Any], seconds: float = 5.0) -> None:
        """Waits for something that a timer brings about, the kubelet going on meanwhile."""
        async with asyncio.timeout(seconds):
            while not condition():
                await self.run()
                await asyncio.sleep(0.01)

    def create(self, plural: str, obj: Object) -> Object:
        return self.registry.create(plural, NS, obj, WriteOptions(manager="test"))

    def patch(self, plural: str, name: str, body: Object, kind: str = "strategic-merge-patch+json") -> Object:
        return self.registry.patch(
            plural, NS, name, f"application/{kind}", body, WriteOptions(manager="test")
        )

    def get(self, plural: str, name: str) -> Object:
        return self.registry.get(plural, NS, name)

    def list(self, plural: str) -> list[Object]:
        return self.registry.list(plural, NS)

    def conditions(self, plural: str, name: str) -> dict[str, tuple[str, str]]:
        found = self.get(plural, name).get("status", {}).get("conditions", [])
        return {one["type"]: (one["status"], one["reason"]) for one in found}

    def events(self, kind: str, reason: str = "") -> list[str]:
        return [
            one["message"]
            for one in sorted(self.list("events"), key=lambda one: int(one["metadata"]["resourceVersion"]))
            if one["involvedObject"]["kind"] == kind and one["reason"].startswith(reason)
        ]

    def backdate(self, plural: str, name: str, change: Callable[[Object], None]) -> None:
        """Makes something have happened long ago, so that a deadline passes without waiting for it."""
        self.registry.edit(plural, NS, name, change, manager="test", subresource="status")


def deployment(name: str = "web", replicas: int = 3, **spec: Any) -> Object:
    """A small deployment; ``spec`` adds to or replaces fields of its spec."""
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 2,
            "containers": [{"name": "app", "image": "app:1", "env": [{"name": "VERSION", "value": "1"}]}],
        },
    }
    return {
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template,
            **spec,
        },
    }


def version(number: int) -> Object:
    """A strategic merge patch that changes the pod template."""
    container = {"name": "app", "env": [{"name": "VERSION", "value": str(number)}]}
    return {"spec": {"template": {"spec": {"containers": [container]}}}}


def job(name: str = "job", restart: str = "Never", **spec: Any) -> Object:
    """A small Job; ``spec`` adds to its spec."""
    pod = {"restartPolicy": restart, "containers": [{"name": "main", "image": "app:1"}]}
    return {"metadata": {"name": name}, "spec": {"template": {"spec": pod}, **spec}}
