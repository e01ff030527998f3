"""What is known of a namespace, by owner: a change leads to the one Deployment that it is about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from include.release.kube import Objects
from include.release.kube_async import Change
from include.restarts.view import View, container_statuses

EVENTS_OF_A_POD = 40
"""So many of its latest events are kept; a pod that fails its probe all day writes the same few again and again."""
STATES_OF_A_POD = 8
"""So many states in which it was before a container's count rose are kept."""
_EVENT_FIELDS = (
    "type",
    "reason",
    "message",
    "count",
    "firstTimestamp",
    "lastTimestamp",
    "eventTime",
    "series",
    "involvedObject",
    "reportingComponent",
    "source",
)

Object = dict[str, Any]
Waker = Callable[[str], None]


class Index:
    """Deployments, ReplicaSets, Pods, their Events and the Nodes, as a hub's streams bring them.

    Args:
        namespace: of which.
        wake: called with the name of a Deployment about which something has changed.
    """

    def __init__(self, namespace: str, wake: Waker) -> None:
        self._namespace, self._wake = namespace, wake
        self._deployments: dict[str, Object] = {}
        """By name."""
        self._names: dict[str, str] = {}
        """Deployment uid to name."""
        self._sets: dict[str, Object] = {}
        self._pods: dict[str, Object] = {}
        self._sets_of: dict[str, dict[str, Object]] = defaultdict(dict)
        """Deployment uid to its ReplicaSets."""
        self._pods_of: dict[str, dict[str, Object]] = defaultdict(dict)
        """ReplicaSet uid to its pods."""
        self._events_of: dict[str, dict[str, Object]] = defaultdict(dict)
        """Pod uid to its events."""
        self._passed: dict[str, list[Object]] = {}
        """Pod uid to the states in which it was before a count rose: changes may come faster than they are looked at."""
        self._not_ready: set[str] = set()

    def view(self, deployment: str) -> View:
        """What a decision about one Deployment is made of."""
        found = self._deployments.get(deployment)
        sets = list(self._sets_of[_uid(found)].values()) if found and _uid(found) in self._sets_of else []
        pods = [
            pod for each in sets if _uid(each) in self._pods_of for pod in self._pods_of[_uid(each)].values()
        ]
        return View(
            self._namespace,
            deployment,
            datetime.now(UTC),
            deployment=found,
            replica_sets=sets,
            pods=pods,
            events_by_pod_uid={_uid(pod): self._events(_uid(pod)) for pod in pods},
            nodes_not_ready=sorted(self._not_ready),
            passed={_uid(pod): tuple(self._passed[_uid(pod)]) for pod in pods if _uid(pod) in self._passed},
        )

    def replace(self, kind: str, items: Objects) -> None:
        """Take a list in place of all that was known of a kind; wake for what differs."""
        if kind == "Node":
            self._not_ready = {_name(each) for each in items if _not_ready(each)}
            return
        if kind == "Event":
            self._replace_events(items)
            return
        known = self._known(kind)
        fresh = {_uid(each) for each in items}
        for gone in [each for each in known if _uid(each) not in fresh]:
            self._remove(kind, gone)
        before = {_uid(each): _revision(each) for each in known}
        for each in items:
            if before.get(_uid(each)) != _revision(each):
                self._put(kind, each)

    def change(self, kind: str, change: Change) -> None:
        """Take one change."""
        each, gone = change.object, change.type == "DELETED"
        if kind == "Node":
            (self._not_ready.add if _not_ready(each) and not gone else self._not_ready.discard)(_name(each))
        elif kind == "Event":
            if not gone:  # events are deleted when they are old; what they said stays true
                self._put_event(each)
        elif gone:
            self._remove(kind, each)
        else:
            self._put(kind, each)

    def _known(self, kind: str) -> list[Object]:
        found: dict[str, dict[str, Object]] = {
            "Deployment": self._deployments,
            "ReplicaSet": self._sets,
            "Pod": self._pods,
        }
        return list(found[kind].values())

    def _put(self, kind: str, each: Object) -> None:
        (each.get("metadata") or {}).pop("managedFields", None)
        uid = _uid(each)
        if kind == "Deployment":
            self._deployments[_name(each)] = each
            self._names[uid] = _name(each)
            self._wake(_name(each))
        elif kind == "ReplicaSet":
            self._sets[uid] = each
            for owner in _owners(each, "Deployment"):
                self._sets_of[owner][uid] = each
            self._wake_for_set(uid)
        else:
            before = self._pods.get(uid)
            if before is not None and _counts(before) != _counts(each):
                self._passed[uid] = [*self._passed.get(uid, ()), before][-STATES_OF_A_POD:]
            self._pods[uid] = each
            for owner in _owners(each, "ReplicaSet"):
                self._pods_of[owner][uid] = each
            self._wake_for_pod(uid)

    def _remove(self, kind: str, each: Object) -> None:
        uid = _uid(each)
        if kind == "Deployment":
            if _uid(self._deployments.get(_name(each))) == uid:
                del self._deployments[_name(each)]
            self._names.pop(uid, None)
            self._wake(_name(each))
        elif kind == "ReplicaSet":
            self._wake_for_set(uid)
            self._forget(self._sets_of, _owners(each, "Deployment"), uid)
            self._sets.pop(uid, None)
        else:
            self._wake_for_pod(uid)
            self._forget(self._pods_of, _owners(each, "ReplicaSet"), uid)
            self._pods.pop(uid, None)
            self._events_of.pop(uid, None)
            self._passed.pop(uid, None)

    @staticmethod
    def _forget(children: dict[str, dict[str, Object]], owners: Iterable[str], uid: str) -> None:
        for owner in owners:
            children[owner].pop(uid, None)
            if not children[owner]:
                del children[owner]

    def _replace_events(self, items: Objects) -> None:
        self._events_of.clear()
        for each in sorted(items, key=_moment):
            self._put_event(each, wake=False)

    def _put_event(self, each: Object, *, wake: bool = True) -> None:
        about = each.get("involvedObject") or {}
        pod = str(about.get("uid", ""))
        if about.get("kind") != "Pod" or not pod:
            return
        kept = {name: each[name] for name in _EVENT_FIELDS if name in each}
        events = self._events_of[pod]
        events.pop(_uid(each), None)  # so that the newest is the last
        events[_uid(each)] = kept | {"metadata": {"name": _name(each), "uid": _uid(each)}}
        while len(events) > EVENTS_OF_A_POD:
            del events[next(iter(events))]
        if wake:
            self._wake_for_pod(pod)

    def _events(self, pod: str) -> list[Object]:
        return list(self._events_of[pod].values()) if pod in self._events_of else []

    def _wake_for_pod(self, uid: str) -> None:
        for owner in _owners(self._pods.get(uid) or {}, "ReplicaSet"):
            self._wake_for_set(owner)

    def _wake_for_set(self, uid: str) -> None:
        for owner in _owners(self._sets.get(uid) or {}, "Deployment"):
            if owner in self._names:
                self._wake(self._names[owner])


def _counts(pod: Object) -> list[tuple[str, int]]:
    return [
        (str(each.get("name")), int(each.get("restartCount") or 0)) for _, each in container_statuses(pod)
    ]


def _uid(each: Object | None) -> str:
    return str(((each or {}).get("metadata") or {}).get("uid", ""))


def _name(each: Object) -> str:
    return str((each.get("metadata") or {}).get("name", ""))


def _revision(each: Object) -> str:
    return str((each.get("metadata") or {}).get("resourceVersion", ""))


def _owners(each: Object, kind: str) -> list[str]:
    """Uids of the controllers of an object."""
    owners = (each.get("metadata") or {}).get("ownerReferences") or []
    return [
        str(owner.get("uid", "")) for owner in owners if owner.get("kind") == kind and owner.get("controller")
    ]


def _moment(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp") or "")


def _not_ready(node: Object) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    return not any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
