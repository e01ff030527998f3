"""Replicasets as revisions of a deployment: which one is new, how it is made, and what its annotations tell."""

from __future__ import annotations

import copy
import json
from typing import Any

from include.cluster.controllers.deployment import amounts

Object = dict[str, Any]

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"

_NOT_COPIED = (
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
)
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_HISTORY_LENGTH = 2000
"""The longest revision-history annotation, in characters; the oldest revisions go first."""
_LONGEST_NAME = 253


def template_hash(template: Object, collisions: int) -> str:
    """A name for a pod template: the same for the same content.

    FNV-1a over the canonical JSON. Kubernetes hashes Go's own print of the structure, so the letters differ from
    a real cluster's; nothing may rely on them.
    """
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    value = 2166136261
    for byte in (text + (str(collisions) if collisions else "")).encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return "".join(_LETTERS[ord(digit) % len(_LETTERS)] for digit in str(value))


def same_template(deployment: Object, replicaset: Object) -> bool:
    """Whether the replicaset was made from the deployment's pod template."""
    return _unhashed(deployment["spec"]["template"]) == _unhashed(replicaset["spec"]["template"])


def oldest_first(sets: list[Object]) -> list[Object]:
    """By creation, then by name."""
    return sorted(sets, key=lambda one: (one["metadata"]["creationTimestamp"], one["metadata"]["name"]))


def find_new(deployment: Object, sets: list[Object]) -> Object | None:
    """The replicaset of the present template; the oldest, should there be several."""
    return next((one for one in oldest_first(sets) if same_template(deployment, one)), None)


def revision(replicaset: Object) -> int:
    """The revision that the replicaset carries, 0 when none can be read."""
    text = (replicaset["metadata"].get("annotations") or {}).get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def annotate(deployment: Object, replicaset: Object, number: int) -> None:
    """Puts the deployment's annotations and the revision on its new replicaset, in place.

    A replicaset that is taken up again keeps the revisions it had in ``revision-history``.
    """
    annotations = dict(replicaset["metadata"].get("annotations") or {})
    for key, value in (deployment["metadata"].get("annotations") or {}).items():
        if key not in _NOT_COPIED:
            annotations[key] = value
    before = annotations.get(REVISION)
    # Its own number may be the higher one, when older replicasets were deleted since.
    if revision(replicaset) < number:
        annotations[REVISION] = str(number)
        if before is not None:
            history = [entry for entry in annotations.get(REVISION_HISTORY, "").split(",") if entry]
            history.append(before)
            while len(history) > 1 and len(",".join(history)) > _HISTORY_LENGTH:
                history.pop(0)
            annotations[REVISION_HISTORY] = ",".join(history)
    replicaset["metadata"]["annotations"] = annotations


def annotate_sizes(deployment: Object, replicaset: Object) -> None:
    """Notes on a replicaset for which size of the deployment it was scaled last, in place."""
    size = amounts.replicas(deployment)
    annotations = replicaset["metadata"].setdefault("annotations", {})
    annotations[DESIRED_REPLICAS] = str(size)
    annotations[MAX_REPLICAS] = str(size + amounts.max_surge(deployment))


def noted(replicaset: Object, annotation: str) -> int | None:
    """A size noted on the replicaset, or None."""
    text = (replicaset["metadata"].get("annotations") or {}).get(annotation, "")
    return int(text) if text.isdigit() else None


def build(deployment: Object, others: list[Object], number: int, reference: Object) -> Object:
    """The new replicaset of a deployment, sized for the room that the others leave."""
    spec = deployment["spec"]
    collisions = int((deployment.get("status") or {}).get("collisionCount", 0))
    label = template_hash(spec["template"], collisions)
    template = copy.deepcopy(spec["template"])
    labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH_LABEL: label}
    template.setdefault("metadata", {})["labels"] = labels
    selector = copy.deepcopy(spec["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: label}
    name = deployment["metadata"]["name"][: _LONGEST_NAME - len(label) - 1] + "-" + label
    new: Object = {
        "metadata": {"name": name, "labels": dict(labels), "ownerReferences": [reference]},
        "spec": {"replicas": 0, "selector": selector, "template": template},
    }
    if spec.get("minReadySeconds"):
        new["spec"]["minReadySeconds"] = spec["minReadySeconds"]
    new["spec"]["replicas"] = amounts.new_set_size(deployment, [*others, new], new)
    annotate(deployment, new, number)
    annotate_sizes(deployment, new)
    return new


def _unhashed(template: Object) -> Object:
    copied = {**template, "metadata": dict(template.get("metadata") or {})}
    labels = dict(copied["metadata"].get("labels") or {})
    labels.pop(HASH_LABEL, None)
    copied["metadata"]["labels"] = labels
    copied["metadata"].pop("creationTimestamp", None)
    return copied
