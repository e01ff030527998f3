"""Bringing the objects back: the previous frozen release, what nobody had released, and away with what is new."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from include.release.applying import (
    OWN_NOTES,
    Applied,
    apply_object,
    apply_over,
    ensure_immutable,
    stored_spec,
)
from include.release.diff import difference
from include.release.draining import wait_for_leaving_pods
from include.release.frozen import LABEL_APP, Frozen
from include.release.kube import Cluster
from include.release.manifests import KINDS
from include.release.pressed import keep_pressed, without_press
from include.release.rollback_plan import RollbackPlan
from include.release.saved import Key, SavedState, key_of, stored_release

POLL_SECONDS = 0.3
GONE_WITHIN_SECONDS = 180.0
REPLACED_WITHIN_SECONDS = 30.0


@dataclass(frozen=True)
class Restored:
    """What became of one object."""

    kind: str
    name: str
    outcome: str
    diff: str = ""


def restore(
    cluster: Cluster,
    plan: RollbackPlan,
    target: Frozen | None,
    before: SavedState | None,
    namespace: str,
    app: str,
    run: str,
    *,
    requested_at: str,
) -> list[Restored]:
    """Bring the plan's objects back; doing it again changes nothing. Raises KubeError.

    Fields that somebody changed by hand since are taken: half a rollback is worse than a lost edit, and the
    difference is shown.
    """
    done = []
    if target is not None:
        for manifest in (*target.config_maps, stored_spec(target)):
            if ensure_immutable(cluster, manifest, namespace):
                done.append(Restored("ConfigMap", manifest["metadata"]["name"], "created"))
        for manifest in target.objects:
            applied = apply_object(
                cluster,
                manifest,
                target,
                run,
                dry_run=False,
                requested_at=requested_at,
                force=True,
                change="rollback",
            )
            done.append(_restored(applied))
    for key in plan.restore_saved:
        if before is not None and (saved := before.find(key)) is not None:
            done.append(restore_saved(cluster, saved, namespace))
    return [*done, *delete_created(cluster, plan.delete, namespace, app)]


def restore_saved(cluster: Cluster, saved: dict[str, Any], namespace: str) -> Restored:
    """Bring back an object that no release had brought. The release's own fields go, as they are applied no more."""
    kind, name = key_of(saved)

    def wanted_over(live: dict[str, Any] | None) -> dict[str, Any]:
        wanted = without_press(copy.deepcopy(saved), live)
        keep_pressed(wanted, live)
        return wanted

    live, answer = apply_over(cluster, kind, namespace, name, wanted_over, force=True)
    of_kind = {"kind": kind, "apiVersion": KINDS[kind][0]}
    before, after = None if live is None else {**of_kind, **live}, {**of_kind, **answer.object}
    changed = bool(difference(before, after))
    diff = difference(before, after, change="rollback", leave_out=OWN_NOTES)
    return Restored(kind, name, "created" if live is None else "changed" if changed else "unchanged", diff)


def delete_created(cluster: Cluster, keys: list[Key], namespace: str, app: str) -> list[Restored]:
    """Delete what the change created, as long as it is the app's. Raises KubeError."""
    done = []
    for kind, name in keys:
        live = cluster.get(kind, namespace, name)
        if live is None:
            done.append(Restored(kind, name, "gone"))
        elif (live["metadata"].get("labels") or {}).get(LABEL_APP) != app:
            done.append(Restored(kind, name, f"left alone: it is not of {app} any more"))
        else:
            cluster.delete(kind, namespace, name)
            done.append(Restored(kind, name, "deleted"))
    return done


def wait_until_gone(cluster: Cluster, deployments: list[str], namespace: str) -> list[str]:
    """Wait for the pods of deleted Deployments to end; returns those that have not in three minutes.

    Raises:
        KubeError: the cluster does not answer.
    """
    deadline = time.monotonic() + GONE_WITHIN_SECONDS
    while left := _pods_of(cluster, deployments, namespace):
        if time.monotonic() > deadline:
            return left
        time.sleep(POLL_SECONDS)
    return []


def wait_until_replaced(cluster: Cluster, plan: RollbackPlan, namespace: str) -> list[str]:
    """Wait until the restored Deployments have pods of no other build; returns those that have, as texts.

    Raises:
        KubeError: the cluster does not answer.
    """
    names = [name for kind, name in (*plan.restore, *plan.restore_saved) if kind == "Deployment"]
    deadline = time.monotonic() + REPLACED_WITHIN_SECONDS
    while left := [name for name in names if _has_others(cluster.get("Deployment", namespace, name))]:
        if time.monotonic() > deadline:
            return [f"pods of Deployment {name} that are not replaced yet" for name in left]
        time.sleep(POLL_SECONDS)
    return []


def _has_others(live: dict[str, Any] | None) -> bool:
    if live is None:
        return False
    status = live.get("status") or {}
    seen = int(status.get("observedGeneration") or 0) >= int(live["metadata"].get("generation") or 0)
    return not seen or int(status.get("replicas") or 0) > int(status.get("updatedReplicas") or 0)


def deleted(plan: RollbackPlan) -> list[str]:
    """Names of the Deployments that the plan deletes."""
    return [name for kind, name in plan.delete if kind == "Deployment"]


def pods_left(cluster: Cluster, plan: RollbackPlan, frozen: Frozen, say: Callable[[str], None]) -> list[str]:
    """Wait for the pods of what is undone; returns those that do not end in their time. Raises KubeError."""
    namespace = frozen.environment.namespace
    target = stored_release(cluster, frozen.environment, plan.target_spec)
    leaving = [*frozen.deployments(), *(target.deployments() if target else [])]
    return [
        *wait_for_leaving_pods(cluster, namespace, leaving, say),
        *wait_until_gone(cluster, deleted(plan), namespace),
    ]


def _pods_of(cluster: Cluster, deployments: list[str], namespace: str) -> list[str]:
    """Pods of these Deployments: their names begin with the Deployment's, as do their ReplicaSets'."""
    if not deployments:
        return []
    found = []
    for pod in cluster.list("Pod", namespace):
        owners = [each for each in pod["metadata"].get("ownerReferences") or [] if each.get("controller")]
        sets = [str(each["name"]) for each in owners if each["kind"] == "ReplicaSet"]
        if any(name.rpartition("-")[0] in deployments for name in sets):
            found.append(str(pod["metadata"]["name"]))
    return found


def _restored(applied: Applied) -> Restored:
    return Restored(applied.kind, applied.name, applied.outcome, applied.diff)
