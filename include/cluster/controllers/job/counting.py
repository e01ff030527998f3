"""Counting finished pods exactly once.

A finished pod's uid is first written to ``uncountedTerminatedPods``; then its finalizer goes; only then it is added
to ``succeeded`` or ``failed``. Whenever the stand-in dies in between, the next look picks up where it ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.cluster.controllers import conditions, pods
from include.cluster.controllers.job import failure, indexes
from include.cluster.controllers.job.state import TRACKING, State, tracked
from include.cluster.errors import ApiError
from include.cluster.registry.clock import stamp

if TYPE_CHECKING:
    from include.cluster.controllers.job.controller import Jobs

Object = dict[str, Any]

_FINAL = {"SuccessCriteriaMet": "Complete", "FailureTarget": "Failed"}


def settle(controller: Jobs, state: State, *, changed: bool) -> None:
    """Counts what has finished, frees the pods, and ends the Job when it is decided and all is counted.

    Args:
        controller: writes the status.
        state: with the counts of active pods in its status already.
        changed: whether these counts differ from what is stored.
    """
    waiting = {pod["metadata"]["uid"] for pod in state.pods if tracked(pod)}
    changed = _move_counted(state, waiting) or changed
    free, noted = _note_finished(state)
    changed = noted or changed
    if state.indexed:
        changed = _write_indexes(state) or changed
    finished = state.finished
    if finished is not None and conditions.find(state.status, finished["type"]) is None:
        state.status.setdefault("conditions", []).append(finished)
        changed = True
    if changed:
        controller.write_status(state)
        changed = False
    for pod in free:
        if untrack(controller, pod):
            waiting.discard(pod["metadata"]["uid"])
    changed = _move_counted(state, waiting)
    over = _finish(state)
    if over is not None or changed:
        controller.write_status(state)
    if over is not None:
        controller.tell_end(state.job, over)


def untrack(controller: Jobs, pod: Object) -> bool:
    """Takes the finalizer off a pod. Returns whether it is off; a pod that is gone has none."""
    meta = pod["metadata"]

    def change(new: Object) -> None:
        rest = [entry for entry in new["metadata"].get("finalizers") or [] if entry != TRACKING]
        if rest:
            new["metadata"]["finalizers"] = rest
        else:
            new["metadata"].pop("finalizers", None)

    try:
        controller.registry.edit("pods", meta["namespace"], meta["name"], change, manager=controller.name)
    except ApiError as error:
        if error.code != 404:
            raise
    return True


def _note_finished(state: State) -> tuple[list[Object], bool]:
    """The pods whose finalizer may go, after their uids were noted; and whether anything was noted."""
    free: list[Object] = []
    noted = False
    uncounted = state.uncounted
    failing = state.finished is not None and state.finished["type"] == "FailureTarget"
    for pod in state.pods:
        if not tracked(pod) or not _may_go(state, pod):
            continue
        free.append(pod)
        uid = pod["metadata"]["uid"]
        if uid in uncounted.get("succeeded", ()) or uid in uncounted.get("failed", ()) or not state.fits(pod):
            continue
        if pods.phase(pod) == "Succeeded":
            if not state.indexed:
                # The index tells enough about an indexed pod.
                uncounted.setdefault("succeeded", []).append(uid)
                noted = True
        elif (state.is_failed(pod) or failing) and failure.counts(state, pod):
            uncounted.setdefault("failed", []).append(uid)
            noted = True
    return free, noted


def _may_go(state: State, pod: Object) -> bool:
    if state.job["metadata"].get("deletionTimestamp") or state.finished is not None:
        return True
    if pods.phase(pod) == "Succeeded":
        return True
    if not state.is_failed(pod):
        return False
    index = state.index(pod)
    held = state.held.get(index) if index is not None else None
    return held is None or held["metadata"]["uid"] != pod["metadata"]["uid"]


def _move_counted(state: State, waiting: set[str]) -> bool:
    """Adds the uncounted pods that have no finalizer any more to the counts."""
    moved = False
    for field in ("succeeded", "failed"):
        uids = state.uncounted.get(field) or []
        rest = [uid for uid in uids if uid in waiting]
        if len(rest) == len(uids):
            continue
        moved = True
        state.status[field] = int(state.status.get(field, 0)) + len(uids) - len(rest)
        if rest:
            state.uncounted[field] = rest
        else:
            state.uncounted.pop(field)
    return moved


def _write_indexes(state: State) -> bool:
    status = state.status
    before = (status.get("succeeded"), status.get("completedIndexes"), status.get("failedIndexes"))
    for field, value in (
        ("succeeded", len(state.succeeded_indexes)),
        ("completedIndexes", indexes.render(state.succeeded_indexes)),
    ):
        if value:
            status[field] = value
        else:
            status.pop(field, None)
    if state.failed_indexes is not None:
        status["failedIndexes"] = indexes.render(state.failed_indexes)
    return before != (status.get("succeeded"), status.get("completedIndexes"), status.get("failedIndexes"))


def _finish(state: State) -> Object | None:
    """Adds the last condition when nothing is left to count and no pod is left to end."""
    decided = state.finished
    if decided is None or state.uncounted.get("succeeded") or state.uncounted.get("failed"):
        return None
    if state.status.get("terminating") or state.status.get("ready"):
        return None
    last = conditions.plain(_FINAL[decided["type"]], "True", decided["reason"], decided["message"])
    state.status.setdefault("conditions", []).append(last)
    if last["type"] == "Complete":
        state.status["completionTime"] = stamp()
    return last
