"""The node: one worker for each pod that is bound to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from include.cluster.errors import bad_request
from include.cluster.images import ImageStore
from include.cluster.node import heartbeat, log
from include.cluster.node.addresses import Addresses
from include.cluster.node.container import Container
from include.cluster.node.env import Place
from include.cluster.node.pod import PodWorker
from include.cluster.node.runtime import Runtime
from include.cluster.node.status import FINAL
from include.cluster.node.volumes import remove_tree
from include.cluster.registry import Registry
from include.cluster.settings import Settings
from include.cluster.store import Change

Object = dict[str, Any]

HOST = "127.0.0.1"
_SOURCES = ("configmaps", "secrets", "persistentvolumeclaims", "serviceaccounts")
_SHIM_MARK = b"include.cluster.node.shim.main"


class Node:
    """Runs the pods that are bound to ``settings.node_name``.

    Args:
        registry: the cluster's objects.
        settings: of the stand-in.
        api_port: where containers find the API server; that of the settings unless given.
    """

    def __init__(self, registry: Registry, settings: Settings, *, api_port: int | None = None) -> None:
        self.registry = registry
        self.settings = settings
        self.api_port = settings.port if api_port is None else api_port
        self.runtime = Runtime(settings, ImageStore(settings.images_dir))
        self.addresses = Addresses()
        self._workers: dict[str, PodWorker] = {}
        self._unlisten: Callable[[], None] | None = None
        self._beat: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Makes the node known, ends what a killed stand-in has left, and takes its pods up."""
        _end_leftovers(self.runtime.directory)
        await self.runtime.prepare()
        heartbeat.register(self.registry, HOST, self.runtime.namespaces)
        self._beat = asyncio.create_task(heartbeat.beat(self.registry))
        self._unlisten = self.registry.store.listen(self._changed)
        pods = [pod for pod in self.registry.list("pods") if self._is_mine(pod)]
        self._clean_other_than({pod["metadata"]["uid"] for pod in pods})
        for pod in pods:
            self._take(pod, recovered=True)

    async def stop(self, grace: float = 2.0) -> None:
        """Ends everything that runs. The pods' status stays, as when a node goes down.

        Args:
            grace: seconds between TERM and KILL.
        """
        if self._unlisten is not None:
            self._unlisten()
        if self._beat is not None:
            self._beat.cancel()
        await asyncio.gather(*(worker.abandon(grace) for worker in self._workers.values()))
        self._workers.clear()

    async def read_log(
        self,
        pod: Object,
        container: str,
        *,
        previous: bool = False,
        follow: bool = False,
        tail_lines: int | None = None,
        since_seconds: int | None = None,
        since_time: datetime | str | None = None,
        timestamps: bool = False,
        limit_bytes: int | None = None,
    ) -> AsyncIterator[bytes]:
        """The log of a container in pieces.

        Raises:
            ApiError: 400 when there is none, worded as a kubelet's; before the first piece.
        """
        worker = self._workers.get(pod["metadata"]["uid"])
        found = next((item for item in worker.containers if item.name == container), None) if worker else None
        name = pod["metadata"]["name"]
        if found is None:
            raise bad_request(
                f'container "{container}" in pod "{name}" is waiting to start: ContainerCreating'
            )
        options = log.LogOptions.made(
            follow=follow and not previous,
            tail_lines=tail_lines,
            since_seconds=since_seconds,
            since_time=since_time,
            timestamps=timestamps,
            limit_bytes=limit_bytes,
        )
        number = _run_number(found, name, previous)
        path = found.log_path(number)

        def running() -> bool:
            return found.busy and found.restarts == number

        async for piece in log.stream(path, options, running):
            yield piece

    # -- pods ------------------------------------------------------------------------------------------------

    def _is_mine(self, pod: Object) -> bool:
        return bool(pod["spec"].get("nodeName") == self.settings.node_name)

    def _changed(self, change: Change) -> None:
        plural, namespace, _ = change.key
        if plural == "pods" and self._is_mine(change.object):
            uid = change.object["metadata"]["uid"]
            worker = self._workers.get(uid)
            if change.type == "DELETED":
                self._gone(uid)
            elif worker is None:
                # not within the listener: whoever wrote the pod has not seen its own write yet
                asyncio.get_running_loop().call_soon(self._take_new, uid, namespace, change.key[2])
            else:
                worker.wake()
        elif plural in _SOURCES:
            for worker in self._workers.values():
                if worker.key[0] == namespace:
                    worker.refresh()

    def _take_new(self, uid: str, namespace: str, name: str) -> None:
        pod = self.registry.find("pods", namespace, name)
        if pod is not None and pod["metadata"]["uid"] == uid and uid not in self._workers:
            self._take(pod, recovered=False)

    def _take(self, pod: Object, *, recovered: bool) -> None:
        status = pod.get("status") or {}
        final = status.get("phase") in FINAL
        uid = pod["metadata"]["uid"]
        address = status.get("podIP", "") if final else self.addresses.take(uid, status.get("podIP", ""))
        place = Place(address, HOST, self.settings.host, self.api_port)
        worker = PodWorker(self.registry, self.runtime, pod, place)
        if recovered:
            worker.recover()
        self._workers[uid] = worker
        worker.begin()

    def _gone(self, uid: str) -> None:
        worker = self._workers.get(uid)
        if worker is None:
            return
        worker.wake()
        asyncio.get_running_loop().create_task(self._forget(worker))

    async def _forget(self, worker: PodWorker) -> None:
        while not worker.done:
            await asyncio.sleep(0.05)
        if self._workers.pop(worker.uid, None) is not None:
            self.addresses.give_back(worker.uid)
            worker.clean()

    def _clean_other_than(self, uids: set[str]) -> None:
        pods = self.runtime.directory / "pods"
        for path in pods.iterdir() if pods.is_dir() else ():
            if path.name not in uids:
                remove_tree(path)


def _run_number(container: Container, pod: str, previous: bool) -> int:
    """Which run's log is meant: the current one, or the one of ``lastState``."""
    waiting = container.state.get("waiting")
    if previous:
        if not container.last_state:
            raise bad_request(f'previous terminated container "{container.name}" in pod "{pod}" not found')
        return container.restarts if waiting is not None else container.restarts - 1
    if waiting is not None and not container.last_state:
        reason = waiting["reason"]
        if reason in ("ErrImagePull", "ImagePullBackOff"):
            reason = "trying and failing to pull image"
        raise bad_request(f'container "{container.name}" in pod "{pod}" is waiting to start: {reason}')
    return container.restarts


def _end_leftovers(directory: Path) -> None:
    """Ends shims that outlived a killed stand-in; their containers end with them."""
    mark = str(directory).encode()
    for place in Path("/proc").iterdir():
        if not place.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            command = (place / "cmdline").read_bytes()
            if _SHIM_MARK in command and mark in command:
                os.kill(int(place.name), signal.SIGKILL)
