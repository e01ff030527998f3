"""A Deployment's pods as a kubelet reports them: what happened to their processes is known here, and can be asked."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from include.restarts.facts import Role
from include.restarts.view import View

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
_RUNNING, _ENDED, _WAITING = "running", "ended", "waiting"


def stamp(at: datetime) -> str:
    """A time as the API writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Process:
    """One container of one pod; ``ends`` are the times at which its process ended, by the restart they led to."""

    name: str
    role: Role = "main"
    count: int = 0
    phase: str = _RUNNING
    started: datetime = START
    ends: dict[int, datetime] = field(default_factory=dict)
    runs: dict[int, datetime] = field(default_factory=dict)

    def end(self, at: datetime) -> None:
        """The process ends; the kubelet will start it again."""
        if self.phase == _RUNNING:
            self.ends[self.count + 1] = at
            self.runs[self.count + 1] = self.started
            self.phase = _ENDED

    def back_off(self) -> None:
        """The kubelet waits before it starts it."""
        if self.phase == _ENDED:
            self.phase = _WAITING

    def start(self, at: datetime) -> None:
        """The kubelet starts it again: that is the restart."""
        if self.phase != _RUNNING:
            self.count += 1
            self.phase, self.started = _RUNNING, at

    def status(self, skew: timedelta, exit_code: int = 1) -> dict[str, Any]:
        """The container status."""

        def ended(number: int) -> dict[str, Any]:
            if number not in self.ends:
                return {}
            times = {
                "startedAt": stamp(self.runs[number] + skew),
                "finishedAt": stamp(self.ends[number] + skew),
            }
            return {"terminated": {"exitCode": exit_code, "reason": "Error", **times}}

        shown: dict[str, Any] = {
            "name": self.name,
            "restartCount": self.count,
            "lastState": ended(self.count),
        }
        if self.phase == _RUNNING:
            shown["state"] = {"running": {"startedAt": stamp(self.started + skew)}}
        elif self.phase == _ENDED:
            shown["state"] = ended(self.count + 1)
        else:
            shown["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
            shown["lastState"] = ended(self.count + 1)
        return shown


@dataclass
class Pod:
    """One pod."""

    uid: str
    born: datetime
    replica_set: str
    processes: list[Process]
    told_at: datetime | None = None


class Kubelet:
    """A Deployment ``swype-app`` with its pods, at a time of its own.

    Args:
        containers: name and role of each container of a pod.
        replicas: pods to begin with.
        skew: how far the nodes' clocks are ahead.
        uid: the Deployment's; the names of its pods and ReplicaSets are made of it too.
    """

    def __init__(
        self,
        containers: tuple[tuple[str, Role], ...] = (("app", "main"),),
        replicas: int = 1,
        skew: timedelta = timedelta(0),
        uid: str = "d",
    ) -> None:
        self.now = START
        self.uid = uid
        self._prefix = "" if uid == "d" else f"{uid}-"
        self.skew = skew
        self.pods: dict[str, Pod] = {}
        self.gone: list[Pod] = []
        self.revision = 1
        self.rollout_done_at: datetime | None = START
        self.failed = False
        self.replicas = replicas
        self.labels: dict[str, str] = {}
        self.annotations: dict[str, str] = {}
        self._left: dict[int, dict[str, str]] = {}
        """Revision to the Deployment's annotations when its ReplicaSet was the newest: the controller copies them."""
        self.restarted_at: dict[int, str] = {}
        self.progress_deadline = 600
        self._containers = containers
        self._numbers, self._versions = itertools.count(1), itertools.count(1)
        for _ in range(replicas):
            self.add()

    def pass_time(self, **by: float) -> datetime:
        """Time passes; returns what it is then."""
        self.now += timedelta(**by)
        return self.now

    def add(self) -> Pod:
        """A new pod of the newest ReplicaSet."""
        number = next(self._numbers)
        processes = [Process(name, role, started=self.now) for name, role in self._containers]
        pod = Pod(f"{self._prefix}uid-{number}", self.now, f"{self._prefix}rs-{self.revision}", processes)
        self.pods[pod.uid] = pod
        return pod

    def remove(self, uid: str) -> None:
        """A pod is gone: evicted, deleted, scaled away."""
        self.gone.append(self.pods.pop(uid))

    def replace(self, uid: str) -> Pod:
        """A pod is gone and another takes its place."""
        self.remove(uid)
        return self.add()

    def only(self, name: str = "app") -> Process:
        """The named container of the only pod."""
        (pod,) = self.pods.values()
        return next(each for each in pod.processes if each.name == name)

    def crash(self, process: Process, *, after: float = 5, back_off: float = 0) -> None:
        """A process ends after some seconds and is started again after the back-off."""
        process.end(self.pass_time(seconds=after))
        process.start(self.pass_time(seconds=back_off))

    def roll_out(self, restarted_at: str = "", notes: dict[str, str] | None = None) -> None:
        """A new ReplicaSet.

        Args:
            restarted_at: what ``kubectl rollout restart`` writes on its template.
            notes: annotations that the Deployment has from now on; None: those of before.
        """
        self._left[self.revision] = dict(self.annotations)
        self.annotations = self.annotations if notes is None else notes
        self.revision += 1
        self.rollout_done_at = None
        if restarted_at:
            self.restarted_at[self.revision] = restarted_at

    def view(self) -> View:
        """What the API server says."""
        return View(
            "sre",
            "swype-app",
            self.now,
            self._deployment(),
            [self._replica_set(number) for number in range(1, self.revision + 1)],
            [self._pod(each) for each in self.pods.values()],
        )

    def happened(self) -> dict[tuple[str, str, int], datetime]:
        """Every restart that there was, of all pods, with the time at which its process ended."""
        return {
            (pod.uid, process.name, number): process.ends[number]
            for pod in [*self.pods.values(), *self.gone]
            for process in pod.processes
            for number in range(1, process.count + 1)
        }

    def _deployment(self) -> dict[str, Any]:
        reason = "NewReplicaSetAvailable" if self.rollout_done_at else "ReplicaSetUpdated"
        progressing = {"type": "Progressing", "status": "True", "reason": reason}
        if self.rollout_done_at:
            progressing["lastUpdateTime"] = stamp(self.rollout_done_at)
        if self.failed:
            progressing |= {"status": "False", "reason": "ProgressDeadlineExceeded"}
        notes = {"deployment.kubernetes.io/revision": str(self.revision), **self.annotations}
        return {
            "metadata": {"name": "swype-app", "uid": self.uid, "labels": self.labels, "annotations": notes},
            "spec": {"replicas": self.replicas, "progressDeadlineSeconds": self.progress_deadline},
            "status": {"conditions": [progressing]},
        }

    def _replica_set(self, number: int) -> dict[str, Any]:
        restarted = self.restarted_at.get(number)
        notes = {"kubectl.kubernetes.io/restartedAt": restarted} if restarted else {}
        return {
            "metadata": {
                "name": f"rs-{number}",
                "uid": f"{self._prefix}rs-{number}",
                "annotations": {
                    **self._left.get(number, self.annotations),
                    "deployment.kubernetes.io/revision": str(number),
                },
                "ownerReferences": [{"kind": "Deployment", "uid": self.uid, "controller": True}],
            },
            "spec": {"template": {"metadata": {"annotations": notes}}},
        }

    def _pod(self, pod: Pod) -> dict[str, Any]:
        metadata: dict[str, Any] = {
            "name": f"swype-app-{pod.uid}",
            "uid": pod.uid,
            "resourceVersion": str(next(self._versions)),
            "creationTimestamp": stamp(pod.born),
            "ownerReferences": [{"kind": "ReplicaSet", "uid": pod.replica_set, "controller": True}],
        }
        if pod.told_at:
            metadata["deletionTimestamp"] = stamp(pod.told_at + timedelta(seconds=30))
            metadata["deletionGracePeriodSeconds"] = 30
        init = [{"name": each.name} for each in pod.processes if each.role == "init"]
        stay = [
            {"name": each.name, "restartPolicy": "Always"} for each in pod.processes if each.role == "sidecar"
        ]
        return {
            "metadata": metadata,
            "spec": {"initContainers": [*init, *stay]},
            "status": {
                "phase": "Running",
                "initContainerStatuses": [
                    each.status(self.skew) for each in pod.processes if each.role != "main"
                ],
                "containerStatuses": [
                    each.status(self.skew) for each in pod.processes if each.role == "main"
                ],
            },
        }
