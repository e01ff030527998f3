"""What would undo a press, or fight with a re-arm: KEDA is paused, everything else is named.

- **KEDA** scales from zero by itself. Its ScaledObject is paused before the press. ``paused`` comes first and alone,
  as it keeps the replicas there are: with ``paused-replicas`` KEDA itself would scale to zero, without our note.
- A **HorizontalPodAutoscaler** does nothing while its target is at zero, and goes on after a re-arm.
- **GitOps and Helm** write the replicas that their manifests have, if they have any, at their next sync.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from include.release.frozen import FIELD_MANAGER
from include.release.kube import Cluster, KubeError
from include.restarts.press import note_patch

PAUSED, PAUSED_REPLICAS = "autoscaling.keda.sh/paused", "autoscaling.keda.sh/paused-replicas"
NOTE_PAUSED = f"{FIELD_MANAGER}/paused"
"""Annotation of a ScaledObject that a press has paused: JSON with the run, and KEDA's annotations from before."""
TRIES = 5

_OWNERS = (
    ("annotations", "argocd.argoproj.io/tracking-id", "Argo CD", "its self-heal"),
    ("labels", "argocd.argoproj.io/instance", "Argo CD", "its self-heal"),
    ("labels", "kustomize.toolkit.fluxcd.io/name", "Flux (Kustomization)", "its next reconciliation"),
    ("labels", "helm.toolkit.fluxcd.io/name", "Flux (HelmRelease)", "its drift correction or next upgrade"),
    ("annotations", "meta.helm.sh/release-name", "Helm", "the next helm upgrade"),
    ("labels", "fleet.cattle.io/bundle-name", "Fleet", "its drift correction"),
)


@dataclass(frozen=True)
class Pause:
    """What was done about the ScaledObjects of a Deployment, a line each for the log."""

    names: list[str]
    lines: list[str]


def pause_keda(
    cluster: Cluster,
    namespace: str,
    deployment: str,
    run: str,
    *,
    at_zero: bool = False,
    dry_run: bool = False,
) -> Pause:
    """Pause the ScaledObjects that scale a Deployment. Doing it again changes nothing.

    Args:
        cluster: where they are.
        namespace: their namespace.
        deployment: what they scale.
        run: who pauses.
        at_zero: after the press: keep them at zero replicas, too.
        dry_run: only say it.

    It never raises: a KEDA that is broken, or that may not be looked at, is a line in the answer and holds up no press.
    """
    done = Pause([], [])
    try:
        found, refused = _scaled_objects(cluster, namespace, deployment)
        cannot = f"may not be listed ({refused})" if refused else ""
    except KubeError as error:
        found, cannot = [], f"cannot be listed ({error})"
    if cannot:
        done.lines.append(f"ScaledObjects of KEDA {cannot}: if one scales {deployment}, it undoes the press")
    for each in found:
        name = each["metadata"]["name"]
        done.names.append(name)
        if dry_run:
            done.lines.append(f"KEDA's ScaledObject {name} would be paused")
            continue
        try:
            if _pause(cluster, namespace, name, run, at_zero=at_zero):
                done.lines.append(
                    f"KEDA's ScaledObject {name} is paused" + (" at 0 replicas" if at_zero else "")
                )
        except KubeError as error:
            done.lines.append(f"KEDA's ScaledObject {name} cannot be paused ({error}): it may undo the press")
    return done


def resume_keda(cluster: Cluster, namespace: str, deployment: str, *, dry_run: bool = False) -> list[str]:
    """Put KEDA's annotations back as a press found them. One that somebody else paused stays paused.

    Raises:
        KubeError: the cluster refuses or does not answer.
    """
    lines = []
    found, refused = _scaled_objects(cluster, namespace, deployment)
    if refused:
        lines.append(f"ScaledObjects of KEDA may not be listed ({refused}): un-pause what a press has paused")
    for each in found:
        name, notes = each["metadata"]["name"], each["metadata"].get("annotations") or {}
        if NOTE_PAUSED not in notes:
            continue
        before = _before(notes[NOTE_PAUSED])
        back = {key: before.get(key) for key in (PAUSED, PAUSED_REPLICAS)}
        if not dry_run:
            _annotate(cluster, namespace, name, {**back, NOTE_PAUSED: None})
        words = "would go on" if dry_run else "goes on"
        was = " (it was paused before the press, and stays so)" if any(back.values()) else ""
        lines.append(f"KEDA's ScaledObject {name} {words}{was}")
    return lines


def name_undoers(cluster: Cluster, namespace: str, deployment: dict[str, Any]) -> list[str]:
    """Who else writes this Deployment's replicas, a sentence each. Raises KubeError when the cluster is away."""
    metadata = deployment["metadata"]
    name = metadata["name"]
    lines: list[str] = []
    named: set[str] = set()
    for place, key, who, how in _OWNERS:
        value = (metadata.get(place) or {}).get(key)
        if value and who not in named:
            named.add(who)
            lines.append(
                f"{name} belongs to {who} ({key}={value}): {how} sets the replicas of its manifest again, "
                "if that has any; suspend it, or set replicas: 0 there"
            )
    try:
        scalers = cluster.list("HorizontalPodAutoscaler", namespace)
    except KubeError as error:
        if error.status not in (403, 404):
            raise
        scalers = []
    for each in scalers:
        if _targets(each, name):
            lines.append(
                f"HorizontalPodAutoscaler {each['metadata']['name']} scales {name}: it does nothing at zero "
                "replicas, and takes over again after the re-arm"
            )
    return lines


def _scaled_objects(cluster: Cluster, namespace: str, deployment: str) -> tuple[list[dict[str, Any]], str]:
    """Those of a Deployment, and why they may not be listed; a cluster without KEDA has none."""
    try:
        found = cluster.list("ScaledObject", namespace)
    except KubeError as error:
        if error.status == 404:
            return [], ""
        if error.status == 403:
            return [], error.message
        raise
    return [each for each in found if _targets(each, deployment)], ""


def _targets(scaler: dict[str, Any], deployment: str) -> bool:
    target = (scaler.get("spec") or {}).get("scaleTargetRef") or {}
    return target.get("name") == deployment and target.get("kind", "Deployment") == "Deployment"


def _pause(cluster: Cluster, namespace: str, name: str, run: str, *, at_zero: bool) -> bool:
    """Returns whether something had to be written."""
    live = cluster.get("ScaledObject", namespace, name) or {"metadata": {}}
    notes = live["metadata"].get("annotations") or {}
    wanted = {PAUSED: "true", **({PAUSED_REPLICAS: "0"} if at_zero else {})}
    if NOTE_PAUSED not in notes:
        before = {key: notes[key] for key in (PAUSED, PAUSED_REPLICAS) if key in notes}
        wanted[NOTE_PAUSED] = json.dumps({"run": run, "before": before}, sort_keys=True)
    missing: dict[str, str | None] = {key: value for key, value in wanted.items() if notes.get(key) != value}
    if missing:
        _annotate(cluster, namespace, name, missing)
    return bool(missing)


def _annotate(cluster: Cluster, namespace: str, name: str, notes: dict[str, str | None]) -> None:
    for attempt in range(TRIES):
        live = cluster.get("ScaledObject", namespace, name)
        if live is None:
            return
        version = {
            "op": "test",
            "path": "/metadata/resourceVersion",
            "value": live["metadata"]["resourceVersion"],
        }
        try:
            cluster.patch("ScaledObject", namespace, name, [version, *note_patch(live, notes)])
            return
        except KubeError as error:
            if error.status not in (404, 409, 422) or attempt == TRIES - 1:
                raise


def _before(text: str) -> dict[str, str]:
    """KEDA's annotations from before the press; none when somebody has changed the note."""
    try:
        found = json.loads(text)["before"]
        return {str(key): str(value) for key, value in found.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}
