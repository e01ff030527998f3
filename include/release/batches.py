"""Batches of work on an application's database meet its releases: no migration under a batch, no batch under a change.

A batch is a Job of another procedure (order processing) that runs the build that is live. It is made suspended and asks
then whether a release or rollback changes the application; a release notes in its lock that it changes something before it
looks for batches. So of two that begin at once at least one sees the other, and the batch is the one that gives way: it
is not started, or it is suspended, which has it finish the orders that it has in work. Nothing of it is lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from include.jobs.state import job_state
from include.release.frozen import FIELD_MANAGER, LABEL_APP, NOTE_RUN
from include.release.jobs import LABEL_DIRECTION, LABEL_MIGRATION
from include.release.kube import Cluster, KubeError
from include.release.lock import AskRun, Lock, described
from include.release.texts import moment

LABEL_BATCH = f"{FIELD_MANAGER}/order-batch"
"""On the Job of a batch and its pods: the Deployment it was made after."""
NOTE_HELD = f"{FIELD_MANAGER}/held"
"""Annotation of a batch that gave way: to which run, and since when."""
POLL_SECONDS = 0.5
SPARE_SECONDS = 60.0
"""On top of a pod's grace period: the node's own time to tear it down."""
SETTLED_SECONDS = 2.0
"""So long nothing may be at work before it is believed of batches that were."""
TRIES = 20

Json = dict[str, Any]
Say = Callable[[str], None]


class BatchStaysError(Exception):
    """A batch does not end although it was told to; the text is for on-call."""


def why_not_now(cluster: Cluster, namespace: str, app: str, ask: AskRun) -> str:
    """Why no batch may start now; empty when it may. Raises KubeError and RejectedError.

    A release that waits for its approval changes nothing: batches go on beside it. One that was ended half-way holds
    nobody up, but its migration does while it runs.
    """
    state = Lock(cluster, namespace, app).read()
    if state.holder and state.journal.run == state.holder and state.journal.unfinished:
        fate = ask(state.holding)
        if fate.holds:
            by = described(state.holding, fate.state)
            return (
                f"{by} changes {app} since {moment(state.acquired)}, and is at its task {state.journal.stage}"
            )
    labels = f"{LABEL_APP}={app},{LABEL_MIGRATION}"
    for job in cluster.list("Job", namespace, labels=labels):
        changes = job["metadata"]["labels"].get(LABEL_DIRECTION, "up") in ("up", "down")
        if changes and job_state(job).phase == "running":
            return f"the migration of Job {job['metadata']['name']} still runs"
    return ""


def hold_batches(cluster: Cluster, namespace: str, app: str, run: str, say: Say) -> list[str]:
    """Have every batch give way to this run's migrations, and wait until their pods have ended.

    Each finishes what it has in work, within its grace period; what waits goes on in its next batch.

    Args:
        cluster: where.
        namespace: in which.
        app: the application whose database is changed.
        run: ``dag_id/run_id`` that changes it, for the note; it holds the application's lock.
        say: receives every line that on-call should read.

    Returns:
        The names of the Jobs that gave way now.

    Raises:
        BatchStaysError: a pod does not end in its time, or the cluster does not suspend a batch.
        KubeError: the cluster does not answer.
    """
    labels = f"{LABEL_APP}={app},{LABEL_BATCH}"
    held = []
    for job in cluster.list("Job", namespace, labels=labels):
        name = str(job["metadata"]["name"])
        # One that somebody has resumed by hand is held again.
        free = NOTE_HELD not in _notes(job) or not job["spec"].get("suspend")
        if job_state(job).phase == "running" and free:
            if not _hold(cluster, namespace, name, run):
                continue
            held.append(name)
            by = _notes(job).get(NOTE_RUN, "")
            say(
                f"Order batch {name}{f' of {by}' if by else ''} gives way: it finishes the orders that it has in work; "
                "what waits goes on in the next batch, when this run has ended"
            )
    _wait_until_idle(cluster, namespace, labels, say, settle=bool(held))
    return held


def held_by(job: Json) -> str:
    """To which run a batch gave way; empty when it did not."""
    return _notes(job).get(NOTE_HELD, "")


def start_batch(cluster: Cluster, namespace: str, name: str, may: Callable[[], str]) -> str:
    """Start a batch that was made suspended, when nothing speaks against it.

    Args:
        cluster: where.
        namespace: in which.
        name: its Job.
        may: asked right before: why not; empty when it may.

    Returns:
        Why it was not started; empty when it runs.

    Raises:
        KubeError: the cluster does not answer, or the Job is gone (404).
    """
    for _ in range(TRIES):
        job = cluster.get("Job", namespace, name)
        if job is None:
            raise KubeError(404, f"Job {name} is gone, somebody deleted it", f"GET Job {name}", "NotFound")
        if by := held_by(job):
            return f"it gave way to {by}"
        if not job["spec"].get("suspend") or job_state(job).phase != "running":
            return ""
        if reason := may():
            return reason
        # Whoever holds it between the question and here has changed the Job: then it is asked again.
        change = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": job["metadata"]["resourceVersion"]},
            {"op": "replace", "path": "/spec/suspend", "value": False},
        ]
        try:
            cluster.patch("Job", namespace, name, change)
        except KubeError as error:
            if error.status not in (409, 422):
                raise
            time.sleep(0.05)
            continue
        return ""
    return "its Job is changed by somebody all the time"


def _hold(cluster: Cluster, namespace: str, name: str, run: str) -> bool:
    """Suspend a batch with the note; False when it has ended or is gone by now."""
    note = f"{run} at {datetime.now(UTC).isoformat(timespec='seconds')}"
    change = {"metadata": {"annotations": {NOTE_HELD: note}}, "spec": {"suspend": True}}
    try:
        answer = cluster.patch("Job", namespace, name, change)
    except KubeError as error:
        if error.status == 404:
            return False
        raise
    return job_state(answer.object).phase == "running"


def _wait_until_idle(cluster: Cluster, namespace: str, labels: str, say: Say, *, settle: bool) -> None:
    """Until no batch has a pod at work, nor gets one: the cluster has seen that each is suspended.

    ``settle``: a batch was held just now, or one works.
    """
    deadline: float | None = None
    idle_since: float | None = None
    while True:
        # The Jobs first: a pod that is made after they were seen suspended would be one of nobody.
        unseen = [
            str(job["metadata"]["name"])
            for job in cluster.list("Job", namespace, labels=labels)
            if job_state(job).phase == "running" and not is_suspended(job)
        ]
        pods = [each for each in cluster.list("Pod", namespace, labels=labels) if is_at_work(each)]
        now = time.monotonic()
        if not unseen and not pods:
            # A batch that was held right as it began may be seen suspended from before that.
            idle_since = now if idle_since is None else idle_since
            if not settle or now - idle_since >= SETTLED_SECONDS:
                return
            time.sleep(POLL_SECONDS)
            continue
        idle_since, settle = None, True
        names = sorted(str(each["metadata"]["name"]) for each in pods)
        if deadline is None:
            grace = max((each["spec"].get("terminationGracePeriodSeconds") or 0 for each in pods), default=0)
            deadline = now + grace + SPARE_SECONDS
            awaited = f"{', '.join(names)} to end" if names else f"Job {', '.join(unseen)} to be suspended"
            say(f"Waiting for {awaited}, {grace + SPARE_SECONDS:.0f} s at most")
        elif now > deadline and names:
            raise BatchStaysError(
                f"These pods of an order batch do not end in their time: {', '.join(names)}. No migration was run under "
                "them.\nWhat now: look at their node; is it off for good, delete them (kubectl delete pod --force). "
                "Then clear this task."
            )
        elif now > deadline:
            raise BatchStaysError(
                f"The cluster does not say that these order batches are suspended: Job {', '.join(unseen)}. No migration was "
                "run beside them.\nWhat now: see whether its Job controller works (kubectl describe job), or delete them "
                "(kubectl delete job): what waits stays in the queue. Then clear this task."
            )
        time.sleep(POLL_SECONDS)


def is_suspended(job: Json) -> bool:
    """Whether the cluster has seen that a Job is suspended, so that it gets no pod any more."""
    status = job.get("status") or {}
    seen = any(
        each.get("type") == "Suspended" and each.get("status") == "True"
        for each in status.get("conditions") or []
    )
    return seen and bool(job["spec"].get("suspend")) and not status.get("active")


def is_at_work(pod: Json) -> bool:
    """Whether a pod has not ended; one that has may stay with its Job."""
    return (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def _notes(job: Json) -> dict[str, str]:
    return job["metadata"].get("annotations") or {}
