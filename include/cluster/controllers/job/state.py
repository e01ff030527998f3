"""One look at a Job and its pods: what every rule of the Job controller reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from include.cluster.controllers import conditions, pods
from include.cluster.controllers.job import indexes

Object = dict[str, Any]

TRACKING = "batch.kubernetes.io/job-tracking"
"""The finalizer that keeps a pod until the Job has counted it."""


@dataclass
class State:
    """A Job (a copy of its own, changed in place) with its pods.

    Attributes:
        job: the Job.
        pods: the pods it controls.
        active: those that have not finished and are not on their way out.
        terminating: how many are on their way out.
        ready: how many of the active ones are ready.
        finished: the condition that ends the Job, once there is one (FailureTarget, SuccessCriteriaMet, ...).
        succeeded: how many have succeeded, the ones not yet in the status included.
        failed: how many have failed, likewise.
        succeeded_indexes: of an Indexed Job.
        failed_indexes: of an Indexed Job with ``backoffLimitPerIndex``, else None.
        held: by index, the failed pod that is kept until its successor is there.
    """

    job: Object
    pods: list[Object]
    active: list[Object] = field(default_factory=list)
    terminating: int = 0
    ready: int = 0
    finished: Object | None = None
    succeeded: int = 0
    failed: int = 0
    counted_indexes: set[int] = field(default_factory=set)
    succeeded_indexes: set[int] = field(default_factory=set)
    failed_indexes: set[int] | None = None
    held: dict[int, Object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.active = [pod for pod in self.pods if pods.active(pod)]
        self.terminating = sum(1 for pod in self.pods if pods.terminating(pod))
        self.ready = sum(1 for pod in self.active if pods.ready(pod))
        uncounted = self.uncounted
        known = {*uncounted.get("succeeded", ()), *uncounted.get("failed", ())}
        new = [
            pod
            for pod in self.pods
            if tracked(pod) and pod["metadata"]["uid"] not in known and self.fits(pod)
        ]
        self.new_succeeded = [pod for pod in new if pods.phase(pod) == "Succeeded"]
        self.new_failed = [pod for pod in new if self.is_failed(pod)]
        self.succeeded = (
            int(self.status.get("succeeded", 0))
            + len(self.new_succeeded)
            + len(uncounted.get("succeeded", ()))
        )

    @property
    def spec(self) -> Object:
        """The Job's spec."""
        return dict(self.job["spec"])

    @property
    def status(self) -> Object:
        """The Job's status, to be changed in place."""
        status: Object = self.job.setdefault("status", {})
        return status

    @property
    def uncounted(self) -> Object:
        """The uids of pods that have finished and are not in the counts yet."""
        found: Object = self.status.setdefault("uncountedTerminatedPods", {})
        return found

    @property
    def suspended(self) -> bool:
        """Whether the Job is not to run now."""
        return bool(self.job["spec"].get("suspend"))

    @property
    def indexed(self) -> bool:
        """Whether each pod has a completion index."""
        return bool(self.job["spec"].get("completionMode") == "Indexed")

    @property
    def per_index(self) -> bool:
        """Whether each index has retries of its own."""
        return self.job["spec"].get("backoffLimitPerIndex") is not None

    @property
    def replaces_failed_only(self) -> bool:
        """Whether a pod on its way out is not replaced before it has ended."""
        return bool(self.job["spec"].get("podReplacementPolicy") == "Failed")

    @property
    def decided(self) -> Object | None:
        """The condition that says how the Job will end, if that was written down before."""
        for type_ in ("SuccessCriteriaMet", "FailureTarget"):
            if conditions.is_true(self.status, type_):
                return conditions.find(self.status, type_)
        return None

    def fits(self, pod: Object) -> bool:
        """Whether an Indexed Job has an index for the pod; True for other Jobs."""
        return not self.indexed or self.index(pod) is not None

    def index(self, pod: Object) -> int | None:
        """The pod's completion index, if it is one of the Job's."""
        found = indexes.of_pod(pod)
        return found if found is not None and found < int(self.job["spec"].get("completions", 0)) else None

    def is_failed(self, pod: Object) -> bool:
        """Whether the pod counts as failed: it is, or it is being deleted and counts at once."""
        if pods.phase(pod) == "Failed":
            return True
        if self.replaces_failed_only:
            return False
        return pods.dying(pod) and pods.phase(pod) != "Succeeded"


def tracked(pod: Object) -> bool:
    """Whether the pod still waits to be counted."""
    return TRACKING in (pod["metadata"].get("finalizers") or [])


def done(job: Object) -> bool:
    """Whether the Job is Complete or Failed."""
    status = job.get("status") or {}
    return conditions.is_true(status, "Complete") or conditions.is_true(status, "Failed")
