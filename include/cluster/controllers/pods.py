"""What controllers ask of pods, and the making of pods from a template."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from include.cluster.controllers.owners import controller_reference
from include.cluster.errors import ApiError
from include.cluster.registry.clock import now, parse
from include.cluster.registry.options import DeleteOptions, WriteOptions

if TYPE_CHECKING:
    from include.cluster.controllers.base import Controller

Object = dict[str, Any]

FINISHED = ("Succeeded", "Failed")
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


def phase(pod: Object) -> str:
    """The pod's phase; Pending when nobody has said."""
    return str((pod.get("status") or {}).get("phase") or "Pending")


def dying(pod: Object) -> bool:
    """Whether the pod's deletion has begun."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def active(pod: Object) -> bool:
    """Whether the pod has not finished and is not on its way out."""
    return phase(pod) not in FINISHED and not dying(pod)


def terminating(pod: Object) -> bool:
    """Whether the pod is on its way out and has not finished yet."""
    return dying(pod) and phase(pod) not in FINISHED


def condition(pod: Object, type_: str) -> Object | None:
    """One condition of the pod's status."""
    for entry in (pod.get("status") or {}).get("conditions") or []:
        if entry["type"] == type_:
            return dict(entry)
    return None


def ready(pod: Object) -> bool:
    """Whether the pod's Ready condition is True."""
    found = condition(pod, "Ready")
    return found is not None and found["status"] == "True"


def available_in(pod: Object, min_ready_seconds: int) -> float:
    """Seconds until the pod counts as available: 0 when it does, infinity when it is not ready."""
    found = condition(pod, "Ready")
    if found is None or found["status"] != "True":
        return math.inf
    if min_ready_seconds == 0:
        return 0.0
    since = parse(found["lastTransitionTime"])
    return max(min_ready_seconds - (now() - since).total_seconds(), 0.0)


def restarts(pod: Object) -> int:
    """The highest restart count of the pod's containers."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return max((int(entry.get("restartCount", 0)) for entry in statuses), default=0)


def finished_at(pod: Object) -> datetime:
    """When the last container ended, or the nearest thing to it that the pod tells."""
    status = pod.get("status") or {}
    ends = []
    for entry in [*(status.get("containerStatuses") or []), *(status.get("initContainerStatuses") or [])]:
        terminated = (entry.get("state") or {}).get("terminated")
        if terminated and terminated.get("finishedAt"):
            ends.append(parse(terminated["finishedAt"]))
    if ends:
        return max(ends)
    found = condition(pod, "Ready")
    if found is not None and found.get("lastTransitionTime"):
        return parse(found["lastTransitionTime"])
    return parse(pod["metadata"].get("deletionTimestamp") or pod["metadata"]["creationTimestamp"])


def deletion_order(candidates: Iterable[Object], related: Iterable[Object] = ()) -> list[Object]:
    """Candidates in the order in which a controller that has too many gives them up.

    Unassigned before assigned, pending before running, not ready before ready, cheap before costly, from the node
    with most related pods first, ready for a short time before a long one, restarted often before seldom, young
    before old. Times count by powers of two, so that neighbours are picked without regard to their exact age.
    """
    nodes: dict[str, int] = {}
    for pod in related:
        if active(pod):
            node = pod["spec"].get("nodeName") or ""
            nodes[node] = nodes.get(node, 0) + 1
    moment = now()

    def rank(pod: Object) -> tuple[Any, ...]:
        node = pod["spec"].get("nodeName") or ""
        is_ready = ready(pod)
        since = (condition(pod, "Ready") or {}).get("lastTransitionTime") if is_ready else None
        return (
            bool(node),
            {"Pending": 0, "Unknown": 1, "Running": 2}.get(phase(pod), 1),
            is_ready,
            _cost(pod),
            -nodes.get(node, 0),
            _age(since, moment),
            -restarts(pod),
            _age(pod["metadata"].get("creationTimestamp"), moment),
            pod["metadata"]["uid"],
        )

    return sorted(candidates, key=rank)


def _age(stamp: str | None, moment: datetime) -> int:
    if not stamp:
        return -1
    seconds = max((moment - parse(stamp)).total_seconds(), 0.0)
    return int(math.log2(seconds)) if seconds >= 1 else 0


def _cost(pod: Object) -> int:
    text = (pod["metadata"].get("annotations") or {}).get(DELETION_COST, "0")
    try:
        return int(text)
    except ValueError:
        return 0


def create(controller: Controller, owner: Object, template: Object, *, generate_name: str) -> Object | None:
    """Makes a pod from a template, controlled by ``owner``, and tells of it in an event.

    Returns:
        The pod, or None when the namespace is on its way out (then nobody needs to hear of it).

    Raises:
        ApiError: the pod is refused; the event ``FailedCreate`` says why.
    """
    meta = template.get("metadata") or {}
    pod: Object = {
        "metadata": {
            "generateName": generate_name,
            **{
                field: copy.deepcopy(meta[field])
                for field in ("labels", "annotations", "finalizers")
                if meta.get(field)
            },
            "ownerReferences": [controller_reference(owner)],
        },
        "spec": copy.deepcopy(template["spec"]),
    }
    namespace = owner["metadata"]["namespace"]
    try:
        created = controller.registry.create(
            "pods", namespace, pod, WriteOptions(manager="kube-controller-manager")
        )
    except ApiError as error:
        causes = (error.details or {}).get("causes") or []
        if any(cause["reason"] == "NamespaceTerminating" for cause in causes):
            return None
        controller.registry.event(
            owner, "Warning", "FailedCreate", f"Error creating: {error.message}", component=controller.name
        )
        raise
    name = created["metadata"]["name"]
    controller.registry.event(
        owner, "Normal", "SuccessfulCreate", f"Created pod: {name}", component=controller.name
    )
    return created


def delete(controller: Controller, owner: Object, pod: Object) -> None:
    """Begins a pod's deletion and tells of it in an event; a pod that is gone is fine."""
    meta = pod["metadata"]
    try:
        controller.registry.delete(
            "pods", meta["namespace"], meta["name"], DeleteOptions("Background", uid=meta["uid"])
        )
    except ApiError as error:
        if error.code in (404, 409):
            return
        text = f"Error deleting: {error.message}"
        controller.registry.event(owner, "Warning", "FailedDelete", text, component=controller.name)
        raise
    text = f"Deleted pod: {meta['name']}"
    controller.registry.event(owner, "Normal", "SuccessfulDelete", text, component=controller.name)


def slow_start(count: int) -> Iterable[int]:
    """Batch sizes 1, 2, 4, ... that add up to ``count``: a refusal is met once, not ``count`` times."""
    batch = min(count, 1)
    while count > 0:
        yield batch
        count -= batch
        batch = min(2 * batch, count)
