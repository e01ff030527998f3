"""The worker of one pod: looks at what is wanted and what runs, and starts or ends what differs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from include.cluster.errors import ApiError
from include.cluster.node import status
from include.cluster.node.container import Container
from include.cluster.node.context import PodContext
from include.cluster.node.deadline import Deadline
from include.cluster.node.env import Place
from include.cluster.node.runtime import NO_NAMESPACES, Runtime
from include.cluster.node.volumes import VolumeError, Volumes, remove_tree
from include.cluster.registry import Registry
from include.cluster.registry.clock import now, parse, stamp

Object = dict[str, Any]

_LOG = logging.getLogger(__name__)
_MOUNT_RETRY = 0.5
_MOUNT_RETRY_LONGEST = 15.0
_REFRESH = 60.0
_AFTER_ERROR = 5.0
_TOKEN_VOLUME = "kube-api-access-"  # noqa: S105 - the name that every pod's own token volume begins with
_TOO_LONG = "Pod was active on the node longer than the specified deadline"


class PodWorker:
    """Runs one pod until it is finished or gone.

    Args:
        registry: where the pod is.
        runtime: how containers run here.
        pod: the pod.
        place: its addresses.
    """

    def __init__(self, registry: Registry, runtime: Runtime, pod: Object, place: Place) -> None:
        meta = pod["metadata"]
        self.uid: str = meta["uid"]
        self.key = (meta["namespace"], meta["name"])
        self.place = place
        self._registry = registry
        self._wakened = asyncio.Event()
        directory: Path = runtime.directory / "pods" / self.uid
        volumes = Volumes(registry, pod, place, directory / "volumes")
        self.context = PodContext(registry, runtime, pod, place, volumes, directory, self.wake)
        self.containers = [Container(self.context, spec, role) for spec, role in _roles(pod["spec"])]
        self._start_time: str = (pod.get("status") or {}).get("startTime") or stamp()
        self._prepared_at: float | None = None
        self._sandbox = False
        self._mount_delay = _MOUNT_RETRY
        self._main_begun = False
        self._worked = False
        self._stop: asyncio.Task[None] | None = None
        self._winding_up: asyncio.Task[None] | None = None
        self._deadline = Deadline(0)
        self._stopped = False
        self._failure = ""
        self._task: asyncio.Task[None] | None = None

    # -- what the node asks ----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Starts working."""
        self._task = asyncio.create_task(self._work())

    def wake(self) -> None:
        """Asks it to look again."""
        self._wakened.set()

    def refresh(self) -> None:
        """Asks it to look again at what its volumes and variables are made of."""
        self._prepared_at = None
        for container in self.containers:
            container.look_again()
        self.wake()

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do for the pod."""
        return self._task is not None and self._task.done()

    def recover(self) -> None:
        """Takes over a pod that a node before this one ran: all its containers have ended."""
        old = self.context.pod.get("status") or {}
        listed = [*(old.get("initContainerStatuses") or []), *(old.get("containerStatuses") or [])]
        known = {entry["name"]: entry for entry in listed}
        for container in self.containers:
            if container.name in known:
                container.recover(known[container.name])
        if any(item.restartable for item in self.containers if item.role != "init" and item.ended):
            for container in self.containers:
                if container.role == "init":
                    container.forget_end()

    async def abandon(self, grace: float) -> None:
        """Ends the work and everything that runs, as the end of the node does."""
        for task in (self._task, self._stop, self._winding_up):
            if task is not None:
                task.cancel()
        await asyncio.gather(*(container.gone(grace) for container in self.containers))

    def clean(self) -> None:
        """Removes the pod's files."""
        if self.context.directory.exists():
            remove_tree(self.context.directory)

    # -- working ---------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        volumes = [entry["name"] for entry in self.context.pod["spec"].get("volumes") or []]
        own = [name for name in volumes if not name.startswith(_TOKEN_VOLUME)]
        if own and not self.context.runtime.namespaces:
            self.context.event("Warning", "PathsMapped", NO_NAMESPACES)
        while True:
            self._wakened.clear()
            try:
                pause = self._look()
            except Exception:
                # one bad look must not leave the pod without anybody who looks after it
                _LOG.exception("pod %s: will look again in %s s", self.context.full_name, _AFTER_ERROR)
                pause = _AFTER_ERROR
            if pause is None:
                return
            try:
                await asyncio.wait_for(self._wakened.wait(), pause)
            except TimeoutError:
                continue

    def _look(self) -> float | None:
        """Does what is due. Returns the seconds until the next look, None when there is none."""
        pod = self._registry.find("pods", *self.key)
        if pod is not None and pod["metadata"]["uid"] != self.uid:
            pod = None
        if pod is None:
            self._begin_stop(0.0)
        else:
            self.context.pod = pod
            if self._is_final(pod):
                if self._worked:
                    self._publish()
                self._finish(pod)
                return None
            if pod["metadata"].get("deletionTimestamp"):
                self._begin_stop(float(pod["metadata"].get("deletionGracePeriodSeconds") or 0))
            elif self._seconds_left() == 0 and not self._failure:
                self._failure = "DeadlineExceeded"
                self.context.event("Normal", "DeadlineExceeded", _TOO_LONG)
                self._begin_stop(self._grace)
        if self._stop is not None:
            return self._ending(pod)
        for spec, container in zip(_roles(self.context.pod["spec"]), self.containers, strict=True):
            container.take_image(spec[0]["image"])
        self._publish()
        if not self._prepare():
            return self._mount_delay
        pauses = self._drive()
        self._publish()
        pauses.append(_REFRESH)
        left = self._seconds_left()
        return min([*pauses, left] if left is not None else pauses)

    def _is_final(self, pod: Object) -> bool:
        ended = (pod.get("status") or {}).get("phase") in status.FINAL
        return ended and not any(item.busy for item in self.containers)

    def _finish(self, pod: Object) -> None:
        if pod["metadata"].get("deletionTimestamp"):
            self._registry.remove_now("pods", *self.key, self.uid)

    @property
    def _grace(self) -> float:
        return float(self.context.pod["spec"].get("terminationGracePeriodSeconds") or 0)

    def _seconds_left(self) -> float | None:
        limit = self.context.pod["spec"].get("activeDeadlineSeconds")
        if limit is None:
            return None
        return max(0.0, float(limit) - (now() - parse(self._start_time)).total_seconds())

    def _prepare(self) -> bool:
        moment = time.monotonic()
        if self._prepared_at is not None and moment - self._prepared_at < _REFRESH:
            return True
        first = self._prepared_at is None
        try:
            self.context.directory.mkdir(parents=True, exist_ok=True)
            self.context.volumes.prepare()
        except VolumeError as error:
            if self._main_begun and not first:
                return True
            self.context.event("Warning", "FailedMount", str(error))
            self._mount_delay = min(self._mount_delay * 2, _MOUNT_RETRY_LONGEST)
            self._publish()
            return self._main_begun
        self._prepared_at = moment
        self._sandbox = True
        return True

    def _drive(self) -> list[float]:
        """Starts what is to run now. Returns the seconds until something else may be started."""
        self._worked = True
        pauses: list[float] = []
        mains = [item for item in self.containers if item.role == "main"]
        for container in self.containers:
            if container.role == "main":
                continue
            finished = container.role == "init" and container.exit_code == 0
            if not finished and not (self._main_begun and container.role == "init"):
                self._push(container, pauses)
            if not self._main_begun and not container.view().initialized:
                if container.ended and not container.restartable:
                    self._end_sidecars()
                return pauses
        self._main_begun = True
        for container in mains:
            self._push(container, pauses)
        if all(item.ended and not item.busy and not item.restartable for item in mains):
            self._end_sidecars()
        return pauses

    @staticmethod
    def _push(container: Container, pauses: list[float]) -> None:
        if container.busy or (container.ended and not container.restartable):
            return
        left = container.not_before
        if left <= 0:
            container.start()
            return
        pauses.append(left)
        if container.lack.left > 0:
            container.show_lack()
        elif container.ended:
            container.show_backoff()

    def _end_sidecars(self) -> None:
        """The pod's work is over: its sidecars end, the last one started first."""
        self.context.dying = True
        if any(item.busy for item in self.containers) and self._winding_up is None:
            self._deadline = Deadline(self._grace)
            self._winding_up = asyncio.create_task(self._end_all())
            self._winding_up.add_done_callback(lambda _: self.wake())

    # -- ending ----------------------------------------------------------------------------------------------

    def _begin_stop(self, grace: float) -> None:
        self.context.dying = True
        self._deadline.shorten(grace)
        if self._stop is None:
            self._deadline = Deadline(grace)
            self._stop = asyncio.create_task(self._end_all())
            self._stop.add_done_callback(lambda _: self.wake())

    async def _end_all(self) -> None:
        sidecars = [item for item in self.containers if item.role == "sidecar"]
        others = [item for item in self.containers if item.role != "sidecar"]
        await asyncio.gather(*(item.stop(self._deadline) for item in others))
        for container in reversed(sidecars):
            await container.stop(self._deadline)

    def _ending(self, pod: Object | None) -> float | None:
        assert self._stop is not None
        if not self._stop.done() or any(item.busy for item in self.containers):
            self._publish()
            return _REFRESH
        self._stopped = True
        for container in self.containers:
            container.lose()
        if pod is None:
            return None
        self._publish()
        self._finish(pod)
        return None

    # -- telling ---------------------------------------------------------------------------------------------

    def _publish(self) -> None:
        view = status.PodView(
            address=self.place.address if self._sandbox or self._main_begun else "",
            host=self.place.host,
            start_time=self._start_time,
            sandbox=self._sandbox,
            restart_policy=self.context.pod["spec"].get("restartPolicy") or "Always",
            stopped=self._stopped,
            reason=self._failure,
            message=_TOO_LONG if self._failure else "",
        )
        containers: Sequence[status.ContainerView] = [item.view() for item in self.containers]

        def change(pod: Object) -> None:
            if pod["metadata"]["uid"] == self.uid:
                pod["status"] = status.build(pod, containers, view)

        try:
            self._registry.edit("pods", *self.key, change, manager="kubelet", subresource="status")
        except ApiError as error:
            if error.code != 404:  # gone meanwhile: the next look sees it
                raise


def _roles(spec: Object) -> list[tuple[Object, str]]:
    found = []
    for container in spec.get("initContainers") or []:
        found.append((container, "sidecar" if container.get("restartPolicy") == "Always" else "init"))
    return found + [(container, "main") for container in spec["containers"]]
