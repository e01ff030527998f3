"""Deployments: one replicaset per pod template, and the way from the old ones to the new one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from include.cluster.controllers import conditions, owners, pods
from include.cluster.controllers.base import Controller, Key
from include.cluster.controllers.deployment import amounts, revisions, rollout, scaling
from include.cluster.controllers.deployment import status as statuses
from include.cluster.errors import ApiError
from include.cluster.registry.options import DeleteOptions, WriteOptions
from include.cluster.store import Change

Object = dict[str, Any]


@dataclass
class Sets:
    """The replicasets of a deployment: the one of the present template, if it is there, and the others."""

    new: Object | None
    old: list[Object]

    @property
    def all(self) -> list[Object]:
        """Old ones, then the new one."""
        return [*self.old, self.new] if self.new else list(self.old)

    def put(self, replicaset: Object) -> None:
        """Takes over a replicaset as it was just written."""
        uid = replicaset["metadata"]["uid"]
        if self.new is not None and self.new["metadata"]["uid"] == uid:
            self.new = replicaset
        self.old = [replicaset if one["metadata"]["uid"] == uid else one for one in self.old]


class Deployments(Controller):
    """The Deployment controller."""

    name = "deployment-controller"

    def initial(self) -> Iterable[Key]:
        """All deployments."""
        for found in self.registry.list("deployments"):
            yield found["metadata"]["namespace"], found["metadata"]["name"]

    def observe(self, change: Change) -> None:
        """Deployments, their replicasets, and for Recreate the last of the old pods."""
        plural, namespace, name = change.key
        if plural == "deployments":
            if change.type != "DELETED":
                self.enqueue((namespace, name))
        elif plural == "replicasets":
            self._replicaset(change)
        elif plural == "pods" and (change.type == "DELETED" or pods.phase(change.object) in pods.FINISHED):
            self._pod_ended(change.object)

    def _replicaset(self, change: Change) -> None:
        namespace = change.key[1]
        for replicaset in (change.object, change.old):
            if replicaset is None:
                continue
            reference = owners.controller_of(replicaset)
            if reference is not None:
                if reference["kind"] == "Deployment":
                    self.enqueue((namespace, reference["name"]))
            elif change.type != "DELETED":
                for candidate in self.registry.list("deployments", namespace):
                    if owners.selects(candidate, replicaset["metadata"].get("labels")):
                        self.enqueue((namespace, candidate["metadata"]["name"]))

    def _pod_ended(self, pod: Object) -> None:
        reference = owners.controller_of(pod)
        found = self.index.key(reference["uid"]) if reference and reference["kind"] == "ReplicaSet" else None
        replicaset = self.registry.store.get(*found) if found else None
        owner = owners.controller_of(replicaset) if replicaset else None
        if owner is None or owner["kind"] != "Deployment":
            return
        namespace = pod["metadata"]["namespace"]
        deployment = self.registry.find("deployments", namespace, owner["name"])
        if deployment is not None and not amounts.rolling(deployment):
            self.enqueue((namespace, owner["name"]))

    async def reconcile(self, key: Key) -> float | None:
        """One step of whatever the deployment needs, then its status."""
        deployment = self.registry.find("deployments", *key)
        if deployment is None or not deployment["spec"].get("selector"):
            return None
        claimed = owners.claim(self, deployment, "replicasets")
        if deployment["metadata"].get("deletionTimestamp"):
            sets = self.sort_out(deployment, claimed)
            self.write_status(deployment, statuses.calculate(deployment, sets.all, sets.new))
            return None
        deployment = self._note_pause(deployment)
        if deployment["spec"].get("paused"):
            return self._scale(deployment, claimed)
        deployment, sets = self.sync_revision(deployment, claimed)
        resized = [
            one
            for one in sets.all
            if amounts.replicas(one) > 0
            and revisions.noted(one, revisions.DESIRED_REPLICAS) not in (None, amounts.replicas(deployment))
        ]
        if resized:
            return self._scale(deployment, sets.all)
        if amounts.rolling(deployment):
            return rollout.rolling(self, deployment, sets)
        return rollout.recreate(self, deployment, sets)

    def _scale(self, deployment: Object, claimed: list[Object]) -> float | None:
        """Follows a changed size without moving a rollout on."""
        deployment, sets = self.sync_revision(deployment, claimed)
        scaling.scale(self, deployment, sets)
        if deployment["spec"].get("paused"):
            self.clean_up(deployment, sets)
        self.write_status(deployment, statuses.calculate(deployment, sets.all, sets.new))
        return None

    def _note_pause(self, deployment: Object) -> Object:
        if not statuses.has_deadline(deployment):
            return deployment
        current = conditions.find(deployment.get("status") or {}, "Progressing")
        reason = current.get("reason") if current else None
        paused = bool(deployment["spec"].get("paused"))
        if reason == statuses.TIMED_OUT or paused == (reason == "DeploymentPaused"):
            return deployment
        noted = (
            ("DeploymentPaused", "Deployment is paused")
            if paused
            else ("DeploymentResumed", "Deployment is resumed")
        )
        return self._edit_status(deployment, conditions.deployment("Progressing", "Unknown", *noted))

    # -- replicasets -----------------------------------------------------------------------------------------

    def sort_out(self, deployment: Object, claimed: list[Object]) -> Sets:
        """Tells the new replicaset from the old ones."""
        new = revisions.find_new(deployment, claimed)
        return Sets(
            new, [one for one in claimed if new is None or one["metadata"]["uid"] != new["metadata"]["uid"]]
        )

    def sync_revision(self, deployment: Object, claimed: list[Object]) -> tuple[Object, Sets]:
        """Brings the annotations of an existing new replicaset, and the deployment's revision, up to date."""
        sets = self.sort_out(deployment, claimed)
        if sets.new is None:
            return deployment, sets
        number = max((revisions.revision(one) for one in sets.old), default=0) + 1
        ready_for = deployment["spec"].get("minReadySeconds", 0)

        def change(replicaset: Object) -> None:
            revisions.annotate(deployment, replicaset, number)
            if replicaset["spec"].get("minReadySeconds", 0) != ready_for:
                replicaset["spec"]["minReadySeconds"] = ready_for

        sets.new = self._edit_set(sets.new, change)
        current = conditions.find(deployment.get("status") or {}, "Progressing")
        condition = None
        if statuses.has_deadline(deployment) and current is None:
            text = f'Found new replica set "{sets.new["metadata"]["name"]}"'
            condition = conditions.deployment("Progressing", "True", "FoundNewReplicaSet", text)
        return self._edit_status(deployment, condition, revisions.revision(sets.new)), sets

    def make_new(self, deployment: Object, sets: Sets) -> tuple[Object, Sets]:
        """Makes the replicaset of the present template.

        Raises:
            ApiError: it is refused, or its name is another template's; the next try takes another name.
        """
        number = max((revisions.revision(one) for one in sets.old), default=0) + 1
        reference = owners.controller_reference(deployment)
        wanted = revisions.build(deployment, sets.old, number, reference)
        namespace, name = deployment["metadata"]["namespace"], wanted["metadata"]["name"]
        try:
            options = WriteOptions(manager="kube-controller-manager", trusted=True)
            sets.new = self.registry.create("replicasets", namespace, wanted, options)
        except ApiError as error:
            if error.reason == "AlreadyExists":
                self._collided(deployment, name)
            else:
                self._not_made(deployment, name, error)
            raise
        size = amounts.replicas(sets.new)
        if size:
            self.tell(deployment, f"Scaled up replica set {name} from 0 to {size}")
        condition = None
        if statuses.has_deadline(deployment):
            text = f'Created new replica set "{name}"'
            condition = conditions.deployment("Progressing", "True", "NewReplicaSetCreated", text)
        return self._edit_status(deployment, condition, number), sets

    def _collided(self, deployment: Object, name: str) -> None:
        found = self.registry.find("replicasets", deployment["metadata"]["namespace"], name)
        reference = owners.controller_of(found) if found else None
        mine = reference is not None and reference["uid"] == deployment["metadata"]["uid"]
        if found and mine and revisions.same_template(deployment, found):
            return

        def change(new: Object) -> None:
            status = new.setdefault("status", {})
            status["collisionCount"] = int(status.get("collisionCount", 0)) + 1

        self._edit(deployment, change, subresource="status")

    def _not_made(self, deployment: Object, name: str, error: ApiError) -> None:
        text = f'Failed to create new replica set "{name}": {error.message}'
        if statuses.has_deadline(deployment):
            self._edit_status(
                deployment, conditions.deployment("Progressing", "False", "ReplicaSetCreateError", text)
            )
        self.registry.event(deployment, "Warning", "ReplicaSetCreateError", text, component=self.name)

    def resize(self, deployment: Object, sets: Sets, replicaset: Object, size: int) -> bool:
        """Scales a replicaset and tells of it. Returns whether its size changed."""
        before = amounts.replicas(replicaset)

        def change(new: Object) -> None:
            new["spec"]["replicas"] = size
            revisions.annotate_sizes(deployment, new)

        sets.put(self._edit_set(replicaset, change))
        if size == before:
            return False
        direction = "up" if size > before else "down"
        name = replicaset["metadata"]["name"]
        self.tell(deployment, f"Scaled {direction} replica set {name} from {before} to {size}")
        return True

    def clean_up(self, deployment: Object, sets: Sets) -> None:
        """Deletes the oldest revisions beyond ``revisionHistoryLimit``, unless they still have pods."""
        limit = deployment["spec"].get("revisionHistoryLimit")
        if limit is None:
            return
        alive = [one for one in sets.old if not one["metadata"].get("deletionTimestamp")]
        for one in sorted(alive, key=revisions.revision)[: max(len(alive) - int(limit), 0)]:
            meta, status = one["metadata"], one.get("status") or {}
            if status.get("replicas") or amounts.replicas(one):
                continue
            if meta.get("generation", 1) > status.get("observedGeneration", 0):
                continue
            self.registry.delete(
                "replicasets", meta["namespace"], meta["name"], DeleteOptions("Background", uid=meta["uid"])
            )

    # -- writing ---------------------------------------------------------------------------------------------

    def tell(self, deployment: Object, text: str) -> None:
        """Writes the event that each change of size has."""
        self.registry.event(deployment, "Normal", "ScalingReplicaSet", text, component=self.name)

    def write_status(self, deployment: Object, status: Object) -> None:
        """Stores a whole status."""
        self._edit(deployment, lambda new: new.update(status=status), subresource="status")

    def _edit_status(self, deployment: Object, condition: Object | None, number: int | None = None) -> Object:
        """Sets a condition and the revision in one write, as recorded."""

        def change(new: Object) -> None:
            if condition is not None:
                conditions.put(new.setdefault("status", {}), condition)
            if number is not None:
                new["metadata"].setdefault("annotations", {})[revisions.REVISION] = str(number)

        return self._edit(deployment, change, subresource="status")

    def _edit(self, deployment: Object, change: Any, *, subresource: str) -> Object:
        meta = deployment["metadata"]
        return self.registry.edit(
            "deployments", meta["namespace"], meta["name"], change, manager=self.name, subresource=subresource
        )

    def _edit_set(self, replicaset: Object, change: Any) -> Object:
        meta = replicaset["metadata"]
        return self.registry.edit("replicasets", meta["namespace"], meta["name"], change, manager=self.name)
