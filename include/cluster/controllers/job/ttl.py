"""Removing Jobs some time after they have finished."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from include.cluster.controllers import conditions
from include.cluster.controllers.base import Controller, Key
from include.cluster.registry.clock import now, parse
from include.cluster.registry.options import DeleteOptions
from include.cluster.store import Change

Object = dict[str, Any]


class FinishedJobs(Controller):
    """Deletes a Job, its pods first, ``ttlSecondsAfterFinished`` after its end."""

    name = "ttl-after-finished-controller"

    def initial(self) -> Iterable[Key]:
        """All Jobs that have a time to live."""
        for job in self.registry.list("jobs"):
            if job["spec"].get("ttlSecondsAfterFinished") is not None:
                yield job["metadata"]["namespace"], job["metadata"]["name"]

    def observe(self, change: Change) -> None:
        """Jobs that have a time to live."""
        plural, namespace, name = change.key
        if plural == "jobs" and change.object["spec"].get("ttlSecondsAfterFinished") is not None:
            self.enqueue((namespace, name))

    async def reconcile(self, key: Key) -> float | None:
        """Deletes the Job, or says when that is due."""
        job = self.registry.find("jobs", *key)
        if job is None or job["metadata"].get("deletionTimestamp"):
            return None
        seconds = job["spec"].get("ttlSecondsAfterFinished")
        ended = _ended(job)
        if seconds is None or ended is None:
            return None
        left = (parse(ended) + timedelta(seconds=int(seconds)) - now()).total_seconds()
        if left > 0:
            return left
        self.registry.delete("jobs", *key, DeleteOptions("Foreground", uid=job["metadata"]["uid"]))
        return None


def _ended(job: Object) -> str | None:
    status = job.get("status") or {}
    for type_ in ("Complete", "Failed"):
        if conditions.is_true(status, type_):
            found = conditions.find(status, type_)
            return str(found["lastTransitionTime"]) if found else None
    return None
