"""Which restarts do not count: those of pods that are told to end, and of new pods while our rollout goes on.

A rollout is excused when a release of ours or ``kubectl rollout restart`` made it. Anybody else's counts as always,
also that of an image which somebody sets on what a release has brought.
The excuse ends with the rollout, or with its progress deadline: a rollout that is stuck is no blind spot, so what was
excused during it counts after all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from include.release.frozen import LABEL_APP, MANAGED_BY, NOTE_DIGEST, NOTE_RUN
from include.release.rollout import Snapshot, condition, owned_by
from include.restarts.facts import Restart
from include.restarts.view import Object, View, moment_of

NOTE_RESTARTED = "kubectl.kubernetes.io/restartedAt"
"""What ``kubectl rollout restart`` (and Argo CD's restart) write on the pod template."""
MOST_EXCUSED = timedelta(minutes=30)
"""However long a Deployment's progress deadline is."""
_GOING_ON = {"NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetUpdated"}
_DELETED = "its pod was being deleted"


@dataclass(frozen=True)
class Rollout:
    """The newest rollout of a Deployment, if it is one that excuses. ``done_at`` is None while it is not complete."""

    title: str
    replica_set: Object
    deadline: timedelta
    done_at: datetime | None
    going_on: bool

    def excuses(self, pod: Object, at: datetime) -> bool:
        """Whether an end of a container of ``pod`` at that time belongs to it."""
        born = moment_of(pod["metadata"].get("creationTimestamp"))
        if not owned_by(pod, self.replica_set) or born is None or at > born + self.deadline:
            return False
        return self.going_on if self.done_at is None else at <= self.done_at


def rollout_of(view: View) -> Rollout | None:
    """The rollout that brought the Deployment's newest ReplicaSet; None when it excuses nothing."""
    deployment = view.deployment
    if deployment is None:
        return None
    newest = Snapshot([deployment], list(view.replica_sets)).new_replica_set(deployment)
    if newest is None:
        return None
    title = _title(deployment, newest, view)
    if not title:
        return None
    progressing = condition(deployment, "Progressing")
    seconds = (deployment.get("spec") or {}).get("progressDeadlineSeconds") or 600
    done = progressing.get("reason") == "NewReplicaSetAvailable"
    return Rollout(
        title,
        newest,
        min(timedelta(seconds=seconds), MOST_EXCUSED),
        moment_of(progressing.get("lastUpdateTime")) if done else None,
        progressing.get("reason") in _GOING_ON,
    )


def why_not_counted(view: View, pod: Object, at: datetime) -> str:
    """Why a restart of this pod at that time does not count; empty when it does."""
    told = moment_of(pod["metadata"].get("deletionTimestamp"))
    if told is not None:
        grace = timedelta(seconds=pod["metadata"].get("deletionGracePeriodSeconds") or 0)
        if at >= told - grace:
            return _DELETED
    rollout = rollout_of(view)
    return f"during {rollout.title}" if rollout is not None and rollout.excuses(pod, at) else ""


def counts(view: View, restart: Restart, now: datetime) -> bool:
    """Whether a restart counts now: it was not excused, or the rollout that excused it is stuck."""
    if not restart.not_counted:
        return True
    pod = view.pod(restart.pod_uid)
    rollout = rollout_of(view)
    if restart.not_counted == _DELETED or pod is None or rollout is None or rollout.done_at is not None:
        return False
    born = moment_of(pod["metadata"].get("creationTimestamp"))
    late = not rollout.going_on or (born is not None and now > born + rollout.deadline)
    return late and owned_by(pod, rollout.replica_set)


def _title(deployment: Object, newest: Object, view: View) -> str:
    others = [each for each in view.replica_sets if each is not newest]
    if _restarted(newest) and _restarted(newest) not in map(_restarted, others):
        return "kubectl rollout restart"
    labels = deployment["metadata"].get("labels") or {}
    ours = LABEL_APP in labels and MANAGED_BY.items() <= labels.items()
    # Whoever changes the image of what a release has brought leaves the release's notes as they were.
    brought = _released(newest)
    return "a release" if ours and brought is not None and brought not in map(_released, others) else ""


def _released(replica_set: Object) -> tuple[str, str] | None:
    """The release that a ReplicaSet was the newest of last: the Deployment's notes are copied to it while it is that."""
    notes = replica_set["metadata"].get("annotations") or {}
    return (notes.get(NOTE_DIGEST, ""), notes[NOTE_RUN]) if NOTE_RUN in notes else None


def _restarted(replica_set: Object) -> str:
    template = (replica_set.get("spec") or {}).get("template") or {}
    return str(((template.get("metadata") or {}).get("annotations") or {}).get(NOTE_RESTARTED, ""))
