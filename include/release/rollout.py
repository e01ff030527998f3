"""Is a rollout done, going on or failed? As ``kubectl rollout status`` judges it, and with the reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from include.release.texts import plural

Phase = Literal["waiting", "complete", "failed"]


@dataclass(frozen=True)
class Verdict:
    """The state of one Deployment's rollout, in words."""

    phase: Phase
    text: str


@dataclass
class Snapshot:
    """What the API server says at one moment, as plain objects of one namespace."""

    deployments: list[dict[str, Any]]
    replica_sets: list[dict[str, Any]] = field(default_factory=list)
    pods: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def deployment(self, name: str) -> dict[str, Any] | None:
        """The Deployment of that name."""
        return next((each for each in self.deployments if each["metadata"]["name"] == name), None)

    def new_replica_set(self, deployment: dict[str, Any]) -> dict[str, Any] | None:
        """The ReplicaSet of the Deployment's current revision."""
        revision = _revision(deployment)
        owned = [each for each in self.replica_sets if owned_by(each, deployment)]
        return next((each for each in owned if _revision(each) == revision), None) if revision else None

    def new_pods(self, deployment: dict[str, Any]) -> list[dict[str, Any]]:
        """The pods of the current revision that are not being deleted."""
        replica_set = self.new_replica_set(deployment)
        if replica_set is None:
            return []
        return [
            pod
            for pod in self.pods
            if owned_by(pod, replica_set) and not pod["metadata"].get("deletionTimestamp")
        ]


def owned_by(thing: dict[str, Any], owner: dict[str, Any]) -> bool:
    """Whether ``owner`` controls ``thing``."""
    uid = owner["metadata"].get("uid")
    return any(
        each.get("uid") == uid and each.get("controller")
        for each in thing["metadata"].get("ownerReferences") or []
    )


_OPERATORS = {
    "In": "{key} in ({values})",
    "NotIn": "{key} notin ({values})",
    "Exists": "{key}",
    "DoesNotExist": "!{key}",
}


def label_selector(deployment: dict[str, Any]) -> str:
    """What a Deployment selects its pods by, as the API takes it in a query."""
    selector = deployment["spec"].get("selector") or {}
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for each in selector.get("matchExpressions") or []:
        values = ",".join(each.get("values") or [])
        parts.append(_OPERATORS[each["operator"]].format(key=each["key"], values=values))
    return ",".join(parts)


def judge(deployment: dict[str, Any] | None, name: str) -> Verdict:
    """The verdict on one Deployment; None is one that is gone."""
    if deployment is None:
        return Verdict("failed", f"Deployment {name} is gone: somebody deleted it during the rollout")
    spec, status = deployment.get("spec", {}), deployment.get("status") or {}
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 0):
        return Verdict("waiting", f"{name}: the change is not seen by the controller yet")
    progressing = condition(deployment, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        seconds = spec.get("progressDeadlineSeconds", 600)
        return Verdict("failed", f"{name}: no progress for {seconds} s (progress deadline exceeded)")
    if spec.get("paused"):
        return Verdict(
            "failed", f"{name}: the Deployment is paused; nothing rolls out until it is resumed (spec.paused)"
        )
    wanted = spec.get("replicas", 1)
    updated, total = status.get("updatedReplicas", 0), status.get("replicas", 0)
    available = status.get("availableReplicas", 0)
    if updated < wanted:
        return Verdict("waiting", f"{name}: {updated} of {wanted} pods are new, {available} serve")
    if total > updated:
        return Verdict("waiting", f"{name}: all pods are new; {plural(total - updated, 'old pod')} to go")
    if available < updated:
        return Verdict("waiting", f"{name}: {available} of {updated} new pods serve")
    return Verdict("complete", f"{name}: rolled out, {available} of {wanted} pods are new and serve")


def condition(thing: dict[str, Any], kind: str) -> dict[str, Any]:
    """A condition of an object's status; empty when it has none of that type."""
    found = (thing.get("status") or {}).get("conditions") or []
    return next((each for each in found if each.get("type") == kind), {})


def _revision(thing: dict[str, Any]) -> str | None:
    notes: dict[str, str] = thing["metadata"].get("annotations") or {}
    return notes.get("deployment.kubernetes.io/revision")
