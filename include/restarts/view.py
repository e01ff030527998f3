"""What a decision about one Deployment is made of: what the API server says of it and its pods at one moment."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from include.release.pressed import NOTE_PRESSED, NOTE_REARMED
from include.release.rollout import owned_by
from include.restarts.facts import Role

Object = dict[str, Any]


@dataclass(frozen=True)
class View:
    """One Deployment, its ReplicaSets and its pods (by their owners, not by labels), with the pods' events.

    ``deployment`` is None when there is none of that name. Without an answer of the cluster there is no view.
    """

    namespace: str
    name: str
    seen_at: datetime
    deployment: Object | None = None
    replica_sets: Sequence[Object] = ()
    pods: Sequence[Object] = ()
    events_by_pod_uid: Mapping[str, Sequence[Object]] = field(default_factory=dict)
    nodes_not_ready: Sequence[str] = ()
    passed: Mapping[str, Sequence[Object]] = field(default_factory=dict)
    """By pod uid: states that the pod has been in lately, oldest first. A look that comes late sees their ends too."""

    def pod(self, uid: str) -> Object | None:
        """The pod of that uid."""
        return next((each for each in self.pods if each["metadata"].get("uid") == uid), None)

    @property
    def uid(self) -> str:
        """Of the Deployment; empty when there is none."""
        return str(((self.deployment or {}).get("metadata") or {}).get("uid", ""))

    @property
    def replicas(self) -> int:
        """What the Deployment asks for; 0 when there is none."""
        if self.deployment is None:
            return 0
        wanted = (self.deployment.get("spec") or {}).get("replicas")
        return 1 if wanted is None else int(wanted)

    @property
    def pressed(self) -> dict[str, Any] | None:
        """What the press wrote on the Deployment; None when its button is not pressed."""
        return note(self.deployment, NOTE_PRESSED)

    @property
    def rearmed_at(self) -> datetime | None:
        """When the Deployment was last re-armed."""
        return moment_of((note(self.deployment, NOTE_REARMED) or {}).get("at"))


def view_of(
    namespace: str,
    name: str,
    seen_at: datetime,
    *,
    deployments: Sequence[Object],
    replica_sets: Sequence[Object],
    pods: Sequence[Object],
    events: Sequence[Object] = (),
    nodes: Sequence[Object] = (),
) -> View:
    """The view of one Deployment, from the lists of its namespace (and of the cluster's nodes)."""
    found = next((each for each in deployments if each["metadata"]["name"] == name), None)
    sets = [each for each in replica_sets if found is not None and owned_by(each, found)]
    owned = [pod for pod in pods if any(owned_by(pod, each) for each in sets)]
    uids = {pod["metadata"].get("uid", "") for pod in owned}
    by_uid: dict[str, list[Object]] = {}
    for event in events:
        uid = (event.get("involvedObject") or {}).get("uid", "")
        if uid in uids:
            by_uid.setdefault(uid, []).append(event)
    return View(
        namespace,
        name,
        seen_at,
        found,
        sets,
        owned,
        by_uid,
        [_name(each) for each in nodes if not _ready(each)],
    )


def container_statuses(pod: Object) -> Iterator[tuple[Role, Object]]:
    """Every container status of a pod with the container's role; nothing when the kubelet has written none yet."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    stay = {
        each.get("name") for each in spec.get("initContainers") or [] if each.get("restartPolicy") == "Always"
    }
    for each in status.get("initContainerStatuses") or []:
        yield ("sidecar" if each.get("name") in stay else "init"), each
    for each in status.get("containerStatuses") or []:
        yield "main", each


def note(thing: Object | None, key: str) -> dict[str, Any] | None:
    """An annotation that is JSON; None when it is absent, ``{}`` when somebody wrote something else into it."""
    notes = ((thing or {}).get("metadata") or {}).get("annotations") or {}
    if key not in notes:
        return None
    try:
        value = json.loads(notes[key])
    except (TypeError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def moment_of(value: object) -> datetime | None:
    """A time as the API writes it; None when there is none, or 1970 (a container that never started)."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return found if found.year > 1970 else None


def _name(thing: Object) -> str:
    return str(thing["metadata"]["name"])


def _ready(node: Object) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
