"""One container of a pod over all its restarts."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from pathlib import Path
from typing import Any

from include.cluster.node import actions, hooks, report
from include.cluster.node.backoff import Backoff
from include.cluster.node.context import PodContext
from include.cluster.node.deadline import Deadline
from include.cluster.node.env import ConfigError, Environment
from include.cluster.node.images import ImageError, fetch
from include.cluster.node.probes import KINDS, Prober
from include.cluster.node.process import Process, StartError
from include.cluster.node.runtime import Plan
from include.cluster.node.status import ContainerView
from include.cluster.node.volumes import VolumeError, remove_tree
from include.cluster.registry.clock import stamp

Object = dict[str, Any]

MINIMUM_GRACE = 2.0
"""Seconds that a container has after TERM whatever the grace period is, as with a kubelet."""
_CONFIG_DELAYS = (1.0, 15.0)
_BEGINNING_OF_TIME = "1970-01-01T00:00:00Z"


class Container:
    """Starts, watches and ends one container; its worker decides when.

    Args:
        context: what it shares with the pod's other containers.
        spec: its spec.
        role: ``init``, ``sidecar`` or ``main``.
    """

    def __init__(self, context: PodContext, spec: Object, role: str) -> None:
        settings = context.runtime.settings
        self.context = context
        self.spec = spec
        self.name: str = spec["name"]
        self.role = role
        self.state = report.initial_state(context.pod)
        self.last_state: Object = {}
        self.restarts = 0
        self.ended = False
        self.process: Process | None = None
        self.crash = Backoff(settings.crash_backoff_initial, settings.crash_backoff_max, free=1)
        self.lack = Backoff(settings.image_backoff_initial, settings.image_backoff_max)
        self._config_lack = Backoff(*_CONFIG_DELAYS)
        self._made = 0
        self._started = asyncio.Event()
        self._ready = False
        self._details: Object = {}
        self._task: asyncio.Task[None] | None = None
        self._probes: list[asyncio.Task[None]] = []
        self._stopping: asyncio.Task[None] | None = None
        self._plan: Plan | None = None
        self._begun = 0.0

    # -- what others ask -------------------------------------------------------------------------------------

    @property
    def field_path(self) -> str:
        """How events name it."""
        return f"spec.{'containers' if self.role == 'main' else 'initContainers'}{{{self.name}}}"

    @property
    def busy(self) -> bool:
        """Whether it runs or is about to."""
        return self._task is not None and not self._task.done()

    @property
    def running(self) -> bool:
        """Whether its state is running."""
        return "running" in self.state

    @property
    def exit_code(self) -> int | None:
        """The code of its last end, if it has ended and not been started again."""
        found = self.state.get("terminated") or self.last_state.get("terminated")
        return int(found["exitCode"]) if self.ended and found else None

    @property
    def restartable(self) -> bool:
        """Whether it is started again after its last end."""
        policy = self.context.pod["spec"].get("restartPolicy") or "Always"
        if self.context.dying:
            return False
        if self.role == "sidecar":
            return True
        if self.role == "init":
            return self.exit_code != 0 and policy != "Never"
        return policy == "Always" or (policy == "OnFailure" and self.exit_code != 0)

    def view(self) -> ContainerView:
        """It as the pod's status shows it."""
        started = self.running and self._started.is_set()
        ended_well = self.role == "init" and "terminated" in self.state and self.exit_code == 0
        lasting_ready = self.role != "init" and started and (self._ready or "readinessProbe" not in self.spec)
        status = {
            "name": self.name,
            "state": self.state,
            "lastState": self.last_state,
            "ready": ended_well or lasting_ready,
            "restartCount": self.restarts,
            "image": self.spec["image"],
            "imageID": "",
            "started": started,
            **self._details,
            **report.views_of_mounts(self.spec),
        }
        return ContainerView(self.name, self.role, status, self.ended and self.restartable)

    def log_path(self, number: int) -> Path:
        """The log of its ``number``-th run, counted from 0."""
        return self._directory / f"{number}.log"

    @property
    def _directory(self) -> Path:
        return self.context.directory / "containers" / self.name

    # -- its life --------------------------------------------------------------------------------------------

    def recover(self, status: Object) -> None:
        """Takes over what the status said before the node was restarted; what ran then has ended."""
        found = report.recovered(status)
        if found is None:
            return
        self.restarts = int(status.get("restartCount") or 0)
        self._made = self.restarts + 1
        self._details, self.state, self.last_state = found
        self.ended = True

    def forget_end(self) -> None:
        """Has an init container run again, as after the reboot of a node."""
        self.ended = False

    def start(self) -> None:
        """Begins the next run."""
        self._task = asyncio.create_task(self._run())

    def show_backoff(self) -> None:
        """Says in state and event that it waits for its next start."""
        waiting = self.state.get("waiting") or {}
        if waiting.get("reason") == "CrashLoopBackOff":
            return
        if "terminated" in self.state:
            self.last_state = self.state
        pod = self.context.full_name
        message = (
            f"back-off {actions.duration(self.crash.delay)} restarting failed container={self.name} pod={pod}"
        )
        self.state = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
        self.event("Warning", "BackOff", f"Back-off restarting failed container {self.name} in pod {pod}")

    def show_lack(self) -> None:
        """Says in state and event that it waits for the next look for its image."""
        waiting = self.state.get("waiting") or {}
        if waiting.get("reason") != "ErrImagePull":
            return
        text = f'Back-off pulling image "{self.spec["image"]}"'
        self._wait_for("ImagePullBackOff", f"{text}: ErrImagePull: {waiting['message']}")
        self.event("Normal", "BackOff", text)
        self.event("Warning", "Failed", "Error: ImagePullBackOff")

    def event(self, type_: str, reason: str, message: str) -> None:
        """Writes an event about it."""
        self.context.event(type_, reason, message, self.field_path)

    @property
    def not_before(self) -> float:
        """Seconds until the next start may be tried."""
        return max(self.lack.left, self._config_lack.left, self.crash.left if self.ended else 0.0)

    def take_image(self, image: str) -> None:
        """Takes up a new image, the one thing of a running pod's containers that may change."""
        if image == self.spec["image"]:
            return
        self.spec = {**self.spec, "image": image}
        self.lack.reset()
        if self.process is not None and self._stopping is None:
            text = f"Container {self.name} definition changed, will be restarted"
            self._stopping = asyncio.create_task(self._stop(self.process, Deadline(self.grace), text))

    def look_again(self) -> None:
        """What it lacked may be there now."""
        self._config_lack.skip()

    def _wait_for(self, reason: str, message: str) -> None:
        if self.ended and "terminated" in self.state:
            self.last_state = self.state
        self.state = {"waiting": {"reason": reason, "message": message} if message else {"reason": reason}}

    async def _run(self) -> None:
        try:
            found = fetch(self.context.runtime.images, self.spec, self.event)
            self.lack.reset()
            number = self._made
            directory = self._fresh_directory(number)
            self._plan = self.context.runtime.plan(
                self.context.pod, self.spec, found.image,
                Environment(self.context.registry, self.context.pod, self.context.place),
                self.context.volumes, directory, self.log_path(number),
            )  # fmt: skip
        except ImageError as error:
            self._wait_for(error.reason, str(error))
            self.lack.fail()
            return self.context.wake()
        except (ConfigError, VolumeError) as error:
            return self._lacks("CreateContainerConfigError", str(error))
        except OSError as error:  # no space left, say
            return self._lacks("CreateContainerError", str(error))
        self._config_lack.reset()
        self._made = number + 1
        made = report.described(self.spec, found, self._plan, f"standin://{secrets.token_hex(32)}")
        self.event("Normal", "Created", "Container created")
        self._begun = time.monotonic()
        self._stopping = None
        try:
            self.process = await Process.start(
                self._plan.process, self._directory / "shim.err", self._plan.paths
            )
        except StartError as error:
            self.event("Warning", "Failed", f"Error: {error}")
            self._show(number, made)
            self._end(128, False, str(error), started_at=_BEGINNING_OF_TIME, failed="RunContainerError")
            return None
        await self._live(number, made)
        return None

    def _show(self, number: int, made: Object) -> None:
        """From here on the status is about this run: until it has begun, it was about the one before."""
        self.restarts, self._details = number, made
        if "terminated" in self.state:
            self.last_state = self.state

    def _lacks(self, reason: str, message: str) -> None:
        self._wait_for(reason, message)
        self.event("Warning", "Failed", f"Error: {message}")
        self._config_lack.fail()
        self.context.wake()

    def _fresh_directory(self, number: int) -> Path:
        """The files of a run; those of older ones go, but for the log of the one before."""
        self._directory.mkdir(parents=True, exist_ok=True)
        for path in self._directory.iterdir():
            if path.is_dir():
                remove_tree(path)
            elif path.suffix == ".log" and path.stem.isdigit() and int(path.stem) < number - 1:
                path.unlink()
        directory = self._directory / str(number)
        (directory / "root").mkdir(parents=True)
        return directory

    async def _live(self, number: int, made: Object) -> None:
        assert self.process is not None
        started_at = stamp()
        self.event("Normal", "Started", "Container started")
        hook = (self.spec.get("lifecycle") or {}).get("postStart")
        failed, message = "", ""
        if hook:
            message = await hooks.run_after_start(self, hook)
        if message and self.process.alive:
            failed = "PostStartHookError"
            self.event("Warning", "FailedPostStartHook", "PostStartHook failed")
            await self.stop(Deadline(self.grace), "FailedPostStartHook")
        else:
            self._show(number, made)
            self.state, self.ended = {"running": {"startedAt": started_at}}, False
            self._begin_probes()
            self.context.wake()
        code, oom = await self.process.wait()
        if failed:
            self._show(number, made)
        self._end(code, oom, message, started_at=started_at, failed=failed)

    @property
    def grace(self) -> float:
        """The pod's grace period."""
        return float(self.context.pod["spec"].get("terminationGracePeriodSeconds") or 0)

    def _end(self, code: int, oom: bool, message: str, *, started_at: str, failed: str = "") -> None:
        for probe in self._probes:
            probe.cancel()
        self._probes, self._ready = [], False
        self._started.clear()
        if failed == "RunContainerError":
            reason, text = "StartError", message
        else:
            reason = "OOMKilled" if oom else "Completed" if code == 0 else "Error"
            file = self._directory / str(self.restarts) / "termination-log"
            text = report.termination_message(self.spec, code, file, self.log_path(self.restarts))
        ended: Object = {"exitCode": code, "reason": reason}
        if text:
            ended["message"] = text
        ended |= {"startedAt": started_at, "finishedAt": stamp(), "containerID": self._details["containerID"]}
        self.ended = True
        self.state = {"terminated": ended}
        if failed and self.restartable:
            self._wait_for(failed, message)
        self.crash.fail(time.monotonic() - self._begun)
        self.process = None
        self.context.wake()

    # -- probes ----------------------------------------------------------------------------------------------

    def _begin_probes(self) -> None:
        assert self.process is not None
        self._started.clear()
        if "startupProbe" not in self.spec:
            self._started.set()
        for kind in KINDS:
            if f"{kind}Probe" in self.spec:
                prober = Prober(
                    kind, self.spec, self.process, self.context.place.address,
                    self._started, self._verdict, self.event,
                )  # fmt: skip
                self._probes.append(asyncio.create_task(prober.run()))

    def _verdict(self, kind: str, ok: bool) -> None:
        if kind == "readiness":
            self._ready = ok
        elif kind == "startup" and ok:
            self._started.set()
        elif not ok and not self.context.dying and self._stopping is None:
            own = self.spec[f"{kind}Probe"].get("terminationGracePeriodSeconds")
            deadline = Deadline(self.grace if own is None else float(own))
            text = f"Container {self.name} failed {kind} probe, will be restarted"
            assert self.process is not None
            self._stopping = asyncio.create_task(self._stop(self.process, deadline, text))
        self.context.wake()

    # -- its end ---------------------------------------------------------------------------------------------

    async def stop(self, deadline: Deadline, message: str = "") -> None:
        """Ends it: preStop, TERM, and KILL when the deadline passes. Returns when it has ended.

        Args:
            deadline: until when it may take its time.
            message: of the Killing event; empty for the one of a pod's deletion.
        """
        process = self.process
        if process is None:
            if (
                self._task is not None and not self._task.done()
            ):  # its first run begins, or the next one after an end
                self._task.cancel()
                await asyncio.wait({self._task})
            return
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(process, deadline, message))
        # a failed probe may have begun to end it, with a later deadline
        if not await deadline.wait(self._stopping, MINIMUM_GRACE):
            process.signal(signal.SIGKILL)
            await self._stopping

    async def _stop(self, process: Process, deadline: Deadline, message: str) -> None:
        self.event("Normal", "Killing", message or f"Stopping container {self.name}")
        hook = (self.spec.get("lifecycle") or {}).get("preStop")
        if hook and self.running:
            task = asyncio.ensure_future(hooks.run_before_stop(self, hook, deadline.left))
            if not await deadline.wait(task):
                task.cancel()
        ending = asyncio.ensure_future(process.wait())
        process.signal(signal.SIGTERM)
        if not await deadline.wait(ending, MINIMUM_GRACE):
            process.signal(signal.SIGKILL)
            await ending

    def lose(self) -> None:
        """Gives it its last state when the pod is ended for good: the one before it waited, or none that is known."""
        if "waiting" in self.state:
            self.state, self.last_state = (self.last_state or report.lost_state()), {}

    async def gone(self, grace: float) -> None:
        """Ends it without telling anybody, as the end of the node does. Returns when nothing of it runs any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        for probe in self._probes:
            probe.cancel()
        if self.process is None:
            return
        ending = asyncio.ensure_future(self.process.wait())
        if grace > 0:
            self.process.signal(signal.SIGTERM)
            await asyncio.wait({ending}, timeout=grace)
        self.process.signal(signal.SIGKILL)
        await ending
