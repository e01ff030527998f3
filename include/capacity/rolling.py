"""A change played through on paper: migration Jobs, then every rolling update, pod by pod.

New pods come before old ones go, as ``maxSurge`` and ``maxUnavailable`` say; all Deployments at the same time, as they
are applied one right after the other. Pods that end are taken to be gone at once: one that is still shutting down
holds the next one up for that long, and no longer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from include.capacity.figures import percent, whole_up
from include.capacity.quotas import Quota
from include.capacity.room import Node, Pod, Room, ended


@dataclass
class Shortage:
    """The first pod of a workload for which there is no room, and how many more there are."""

    pod: Pod
    which: int
    """The how-manieth new pod it is."""
    wanted: int
    beside: int
    """Old pods that are there at the same time."""
    nodes: str
    count: int = 1


@dataclass
class Update:
    """One Deployment on its way from the old pods to the new ones."""

    manifest: dict[str, Any]
    live: dict[str, Any] | None
    old: list[tuple[Node | None, Pod, dict[str, Any]]] = field(default_factory=list)
    new: list[tuple[Node | None, Pod]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The Deployment's name."""
        return str(self.manifest["metadata"]["name"])

    @property
    def spec(self) -> dict[str, Any]:
        """The pod spec that is rolled out."""
        found: dict[str, Any] = self.manifest["spec"]["template"]["spec"]
        return found

    @property
    def wanted(self) -> int:
        """Pods that there are in the end."""
        return int(self.manifest["spec"].get("replicas", 1))

    def surge(self) -> tuple[int, int]:
        """Pods above and below the wanted number that an update may have."""
        strategy = self.manifest["spec"].get("strategy") or {}
        if strategy.get("type") == "Recreate":
            return 0, self.wanted
        rolling = strategy.get("rollingUpdate") or {}
        above = _of(rolling.get("maxSurge", "25%"), self.wanted, up=True)
        below = _of(rolling.get("maxUnavailable", "25%"), self.wanted, up=False)
        return (above, below) if above or below else (0, 1)


def _of(value: int | str, wanted: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    if not value.strip().endswith("%"):
        return int(value)
    exact = percent(value) * wanted
    return whole_up(exact) if up else int(exact)


@dataclass
class Played:
    """What was found on the way: who found no room, and how many pods there were at most."""

    shortages: list[Shortage] = field(default_factory=list)
    most: dict[str, int] = field(default_factory=dict)


def begin(update: Update, pods: list[dict[str, Any]], room: Room, *, same: bool) -> None:
    """Find the pods that a Deployment has now; they hold their room already.

    Args:
        update: filled in.
        pods: the pods of the namespace.
        room: the nodes; the pods' own requests are counted there.
        same: what runs is what would be rolled out, so those pods stay.
    """
    wanted = ((update.live or {}).get("spec") or {}).get("selector", {}).get("matchLabels") or {}
    nodes = {node.name: node for node in room.nodes}
    for each in pods if wanted else []:
        labels = each["metadata"].get("labels") or {}
        if ended(each) or each["metadata"].get("deletionTimestamp") or not wanted.items() <= labels.items():
            continue
        pod, node = Pod.of(update.name, each["spec"]), nodes.get(each["spec"].get("nodeName") or "")
        if node is not None:
            node.pods.append(pod)
        if same:
            update.new.append((node, pod))
        else:
            update.old.append((node, pod, each["spec"]))


def play_jobs(
    specs: list[tuple[str, dict[str, Any]]], room: Room | None, quotas: list[Quota], played: Played
) -> None:
    """The Jobs, one after the other, beside all pods of now."""
    for name, spec in specs:
        pod = Pod.of(name, spec)
        counting = [quota for quota in quotas if quota.counts(spec, ends=True)]
        for quota in counting:
            quota.take(spec)
        if room is not None:
            node = room.put(pod)
            if node is None:
                played.shortages.append(Shortage(pod, 1, 1, 0, room.why_nowhere(pod)))
            else:
                room.drop(node, pod)
        for quota in counting:
            quota.take(spec, -1)


def play_updates(updates: list[Update], room: Room | None, quotas: list[Quota], played: Played) -> None:
    """All updates, round by round: what may be started is started everywhere before old pods go."""
    while True:
        started = sum(_start(update, room, quotas, played) for update in updates)
        stopped = sum(_stop(update, room, quotas) for update in updates)
        if not started and not stopped:
            return


def _start(update: Update, room: Room | None, quotas: list[Quota], played: Played) -> int:
    above, _ = update.surge()
    there = len(update.old) + len(update.new)
    count = max(min(update.wanted + above - there, update.wanted - len(update.new)), 0)
    for _ in range(count):
        pod = Pod.of(update.name, update.spec)
        for quota in quotas:
            if quota.counts(update.spec, ends=False):
                quota.take(update.spec)
        node = room.put(pod) if room is not None else None
        if room is not None and node is None:
            _short(update, pod, room, played)
        update.new.append((node, pod))
    played.most[update.name] = max(played.most.get(update.name, 0), len(update.old) + len(update.new))
    return count


def _short(update: Update, pod: Pod, room: Room, played: Played) -> None:
    for each in played.shortages:
        if each.pod.workload == update.name:
            each.count += 1
            return
    place = len(update.new) + 1
    played.shortages.append(Shortage(pod, place, update.wanted, len(update.old), room.why_nowhere(pod)))


def _stop(update: Update, room: Room | None, quotas: list[Quota]) -> int:
    _, below = update.surge()
    # Pods that were just started are taken to become ready before old ones go.
    count = max(min(len(update.old) + len(update.new) - (update.wanted - below), len(update.old)), 0)
    for _ in range(count):
        node, pod, spec = update.old.pop(0)
        for quota in quotas:
            if quota.counts(spec, ends=False):
                quota.take(spec, -1)
        if node is not None and room is not None:
            room.drop(node, pod)
    if not update.old:
        for node, pod in update.new[update.wanted :]:
            if node is not None and room is not None:
                room.drop(node, pod)
            for quota in quotas:
                if quota.counts(update.spec, ends=False):
                    quota.take(update.spec, -1)
        del update.new[update.wanted :]
    return count
