"""Bringing objects into the cluster: server-side apply, so that doing it again changes nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from include.release.creating import create_once
from include.release.diff import difference
from include.release.frozen import (
    CHANGE_CAUSE,
    FIELD_MANAGER,
    NOTE_DIGEST,
    NOTE_NUMBER,
    NOTE_RELEASE,
    NOTE_REQUESTED,
    NOTE_RUN,
    Frozen,
)
from include.release.kube import Answer, Cluster, KubeError
from include.release.pressed import NOTE_WANTED, keep_pressed

Outcome = Literal["created", "changed", "unchanged"]
Object = dict[str, Any]
TRIES = 20
"""Each is lost to a change of the Deployment's status right between reading and applying."""
OWN_NOTES = frozenset(
    {NOTE_RELEASE, NOTE_DIGEST, NOTE_NUMBER, NOTE_RUN, NOTE_REQUESTED, NOTE_WANTED, CHANGE_CAUSE}
)
"""Annotations that a release leaves on its objects: what it is and who brought it, nothing that runs."""
ONLY_NOTES = "(only the notes that a release leaves on its objects)"


@dataclass(frozen=True)
class Applied:
    """What became of one object.

    ``diff`` is for readers: the notes that a release itself leaves on its objects are not in it, so it is empty
    when they alone changed.
    """

    kind: str
    name: str
    outcome: Outcome
    diff: str
    generation: int

    @property
    def shown(self) -> str:
        """The difference, or that there is none to read."""
        return self.diff or ONLY_NOTES


def apply_object(
    cluster: Cluster,
    manifest: dict[str, Any],
    frozen: Frozen,
    run: str,
    *,
    dry_run: bool,
    requested_at: str = "",
    force: bool | None = None,
    change: Literal["release", "rollback"] = "release",
) -> Applied:
    """Apply one object of a release. Raises KubeError.

    The object notes the run that brought this content: a later run of the same release finds it and leaves it.
    With ``force`` it takes fields that somebody else holds; by default the environment decides.
    ``change`` is for the heading of the difference.
    """
    namespace = frozen.environment.namespace
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    if force is None:
        force = frozen.environment.take_over_fields
    live, answer = apply_over(
        cluster,
        kind,
        namespace,
        name,
        lambda live: noted(manifest, live, frozen, run, requested_at),
        dry_run=dry_run,
        force=force,
    )
    after = {"kind": kind, "apiVersion": manifest["apiVersion"], **answer.object}
    before = None if live is None else {"kind": kind, "apiVersion": manifest["apiVersion"], **live}
    outcome: Outcome = (
        "created" if live is None else ("changed" if difference(before, after) else "unchanged")
    )
    diff = difference(before, after, change=change, leave_out=OWN_NOTES)
    metadata = answer.object["metadata"]
    return Applied(kind, name, outcome, diff, metadata.get("generation", 0))


def apply_over(
    cluster: Cluster,
    kind: str,
    namespace: str,
    name: str,
    wanted_over: Callable[[Object | None], Object],
    *,
    dry_run: bool = False,
    force: bool = False,
) -> tuple[Object | None, Answer]:
    """Apply what is wanted over what is there; returns both what was there and the answer. Raises KubeError.

    A Deployment is applied over the very state that was read: a red button that is pressed in between is seen. What a
    press or a re-arm wrote into it is ours as well, and no conflict.
    """
    for attempt in range(TRIES):
        live = cluster.get(kind, namespace, name)
        wanted = wanted_over(live)
        if kind == "Deployment" and live is not None:
            wanted["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        try:
            try:
                answer = cluster.apply(wanted, namespace, manager=FIELD_MANAGER, dry_run=dry_run, force=force)
            except KubeError as error:
                if not _with_ourselves(error):
                    raise
                answer = cluster.apply(wanted, namespace, manager=FIELD_MANAGER, dry_run=dry_run, force=True)
            return live, answer
        except KubeError as error:
            moved = error.status == 409 and not error.causes and kind == "Deployment"
            if not moved or attempt == TRIES - 1:
                raise
    raise AssertionError  # the loop has no other end


def _with_ourselves(error: KubeError) -> bool:
    """Whether all fields in conflict were written by us in another way than by applying."""
    ours = f'conflict with "{FIELD_MANAGER}" '
    return (
        error.status == 409
        and bool(error.causes)
        and all(each.get("message", "").startswith(ours) for each in error.causes)
    )


def noted(
    manifest: dict[str, Any], live: dict[str, Any] | None, frozen: Frozen, run: str, requested_at: str = ""
) -> dict[str, Any]:
    """The manifest with notes of spec digest and run; the first run that brought this digest stays noted."""
    result = copy.deepcopy(manifest)
    notes = result["metadata"].setdefault("annotations", {})
    before = ((live or {}).get("metadata") or {}).get("annotations") or {}
    # Run and time belong together: an object without the time gets both anew.
    kept = {NOTE_RUN, NOTE_REQUESTED} if requested_at else {NOTE_RUN}
    same = before.get(NOTE_DIGEST) == frozen.digest and kept <= before.keys()
    notes[NOTE_DIGEST] = frozen.digest
    notes[NOTE_NUMBER] = str(frozen.release.number)
    notes[NOTE_RUN] = before[NOTE_RUN] if same else run
    if when := before.get(NOTE_REQUESTED, "") if same else requested_at:
        notes[NOTE_REQUESTED] = when
    if manifest["kind"] == "Deployment":
        notes[CHANGE_CAUSE] = f"{frozen.release.name}: {frozen.release.summary}"
    keep_pressed(result, live)
    return result


def ensure_immutable(cluster: Cluster, manifest: dict[str, Any], namespace: str) -> bool:
    """Create an immutable object named by its content; True when it was not there. Raises KubeError."""
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    if cluster.get(kind, namespace, name) is not None:
        return False
    return create_once(cluster, manifest, namespace)


def spec_name(release: str, digest: str) -> str:
    """The name of the ConfigMap that keeps a frozen release."""
    return f"{release}-spec-{digest[:10]}"


def stored_spec(frozen: Frozen) -> dict[str, Any]:
    """The frozen release as an immutable ConfigMap: what was meant, kept beside what runs."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": spec_name(frozen.release.name, frozen.digest),
            "labels": {
                "app.kubernetes.io/managed-by": FIELD_MANAGER,
                f"{FIELD_MANAGER}/app": frozen.release.app,
                f"{FIELD_MANAGER}/base-name": f"{frozen.release.app}-spec",
            },
            "annotations": {NOTE_DIGEST: frozen.digest},
        },
        "data": {"release.json": frozen.to_json()},
        "immutable": True,
    }
