"""The steps of a rollout, by strategy. Each call does one step and writes the status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.cluster.controllers import pods
from include.cluster.controllers.deployment import amounts, revisions
from include.cluster.controllers.deployment import status as statuses

if TYPE_CHECKING:
    from include.cluster.controllers.deployment.controller import Deployments, Sets

Object = dict[str, Any]


def rolling(controller: Deployments, deployment: Object, sets: Sets) -> float | None:
    """One step of a rolling update: more of the new if there is room, else less of the old if enough are available.

    The bounds: never more pods than ``replicas + maxSurge``, never fewer available ones than
    ``replicas - maxUnavailable``.
    """
    if sets.new is None:
        deployment, sets = controller.make_new(deployment, sets)
    if not _grow(controller, deployment, sets) and not _shrink(controller, deployment, sets):
        _clean_up_when_done(controller, deployment, sets)
    return _report(controller, deployment, sets)


def recreate(controller: Deployments, deployment: Object, sets: Sets) -> float | None:
    """One step of Recreate: end all old pods, wait until they have ended, then start all new ones."""
    shrunk = False
    for one in _active(sets.old):
        shrunk = controller.resize(deployment, sets, one, 0) or shrunk
    if shrunk or _old_pods_run(controller, sets):
        return _report(controller, deployment, sets)
    if sets.new is None:
        deployment, sets = controller.make_new(deployment, sets)
    if sets.new is not None and amounts.replicas(sets.new) != amounts.replicas(deployment):
        controller.resize(deployment, sets, sets.new, amounts.replicas(deployment))
    _clean_up_when_done(controller, deployment, sets)
    return _report(controller, deployment, sets)


def _report(controller: Deployments, deployment: Object, sets: Sets) -> float | None:
    status = statuses.with_progress(deployment, sets.all, sets.new)
    controller.write_status(deployment, status)
    return statuses.check_again_in({**deployment, "status": status}, status)


def _clean_up_when_done(controller: Deployments, deployment: Object, sets: Sets) -> None:
    if statuses.complete(deployment, deployment.get("status") or {}):
        controller.clean_up(deployment, sets)


def _grow(controller: Deployments, deployment: Object, sets: Sets) -> bool:
    new = sets.new
    if new is None or amounts.replicas(new) == amounts.replicas(deployment):
        return False
    size = amounts.replicas(deployment)
    if amounts.replicas(new) < size:
        size = amounts.new_set_size(deployment, sets.all, new)
    if size == amounts.replicas(new):
        return False
    return controller.resize(deployment, sets, new, size)


def _shrink(controller: Deployments, deployment: Object, sets: Sets) -> bool:
    if sets.new is None or amounts.wanted(sets.old) == 0:
        return False
    least = amounts.replicas(deployment) - amounts.max_unavailable(deployment)
    not_yet = amounts.replicas(sets.new) - amounts.counted([sets.new], "availableReplicas")
    # Counted by what is asked for, not by what is there: a scale-down that has not shown yet counts already.
    spare = amounts.wanted(sets.all) - least - not_yet
    if spare <= 0:
        return False
    ended = _drop_unhealthy(controller, deployment, sets, spare)
    ended += _drop_available(controller, deployment, sets, least)
    return ended > 0


def _drop_unhealthy(controller: Deployments, deployment: Object, sets: Sets, spare: int) -> int:
    """Old pods that serve nobody go first; they cost nothing and would block the rollout."""
    ended = 0
    for one in revisions.oldest_first(_active(sets.old)):
        unhealthy = amounts.replicas(one) - amounts.counted([one], "availableReplicas")
        going = min(spare - ended, unhealthy)
        if going > 0:
            controller.resize(deployment, sets, one, amounts.replicas(one) - going)
            ended += going
    return ended


def _drop_available(controller: Deployments, deployment: Object, sets: Sets, least: int) -> int:
    surplus = amounts.counted(sets.all, "availableReplicas") - least
    ended = 0
    for one in revisions.oldest_first(_active(sets.old)):
        going = min(surplus - ended, amounts.replicas(one))
        if going > 0:
            controller.resize(deployment, sets, one, amounts.replicas(one) - going)
            ended += going
    return ended


def _active(sets: list[Object]) -> list[Object]:
    return [one for one in sets if amounts.replicas(one) > 0]


def _old_pods_run(controller: Deployments, sets: Sets) -> bool:
    if amounts.counted(sets.old, "replicas") > 0:
        return True
    return any(
        pods.phase(pod) not in pods.FINISHED
        for one in sets.old
        for pod in controller.index.controlled("pods", one["metadata"]["uid"])
    )
