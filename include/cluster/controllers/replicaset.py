"""ReplicaSets: as many pods as asked for, no more and no less."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from include.cluster.controllers import conditions, owners, pods
from include.cluster.controllers.base import Controller, Key, RetryError
from include.cluster.errors import ApiError
from include.cluster.store import Change

Object = dict[str, Any]

_BURST = 500
"""The most pods made or deleted in one go."""
_COUNTS = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")


class ReplicaSets(Controller):
    """The ReplicaSet controller."""

    name = "replicaset-controller"

    def initial(self) -> Iterable[Key]:
        """All replicasets."""
        for found in self.registry.list("replicasets"):
            yield found["metadata"]["namespace"], found["metadata"]["name"]

    def observe(self, change: Change) -> None:
        """Replicasets, their pods, and pods that nobody controls."""
        plural, namespace, name = change.key
        if plural == "replicasets":
            if change.type != "DELETED":
                self.enqueue((namespace, name))
            return
        if plural != "pods":
            return
        for pod in (change.object, change.old):
            if pod is None:
                continue
            reference = owners.controller_of(pod)
            if reference is not None:
                if reference["kind"] == "ReplicaSet":
                    self.enqueue((namespace, reference["name"]))
            elif change.type != "DELETED" and pod["metadata"].get("labels"):
                self._wake_adopters(namespace, pod["metadata"]["labels"])

    def _wake_adopters(self, namespace: str, labels: dict[str, str]) -> None:
        for candidate in self.registry.list("replicasets", namespace):
            if owners.selects(candidate, labels):
                self.enqueue((namespace, candidate["metadata"]["name"]))

    async def reconcile(self, key: Key) -> float | None:
        """Makes or deletes pods, then writes the status."""
        replicaset = self.registry.find("replicasets", *key)
        if replicaset is None:
            return None
        claimed = owners.claim(self, replicaset, "pods")
        active = [pod for pod in claimed if pods.active(pod)]
        failure: ApiError | None = None
        if not replicaset["metadata"].get("deletionTimestamp"):
            failure = self._manage(replicaset, active)
        terminating = sum(1 for pod in claimed if pods.terminating(pod))
        again = self._write_status(replicaset, active, terminating, failure)
        if failure is not None:
            raise RetryError(failure.message)
        return again

    def _manage(self, replicaset: Object, active: list[Object]) -> ApiError | None:
        """Returns the first refusal, if any."""
        surplus = len(active) - int(replicaset["spec"].get("replicas", 1))
        if surplus > 0:
            related = self._related(replicaset)
            try:
                for pod in pods.deletion_order(active, related)[: min(surplus, _BURST)]:
                    pods.delete(self, replicaset, pod)
            except ApiError as error:
                return error
            return None
        template = replicaset["spec"]["template"]
        generate_name = f"{replicaset['metadata']['name']}-"
        for batch in pods.slow_start(min(-surplus, _BURST)):
            refused: ApiError | None = None
            for _ in range(batch):
                try:
                    pods.create(self, replicaset, template, generate_name=generate_name)
                except ApiError as error:
                    refused = refused or error
            if refused is not None:
                return refused
        return None

    def _related(self, replicaset: Object) -> list[Object]:
        """The pods of all replicasets of the same deployment."""
        reference = owners.controller_of(replicaset)
        siblings = [replicaset]
        if reference is not None:
            siblings = self.index.controlled("replicasets", reference["uid"])
        return [
            pod for sibling in siblings for pod in self.index.controlled("pods", sibling["metadata"]["uid"])
        ]

    def _write_status(
        self, replicaset: Object, active: list[Object], terminating: int, failure: ApiError | None
    ) -> float | None:
        """Writes what there was before this round's pods, as Kubernetes does. Returns when more gets available."""
        spec = replicaset["spec"]
        wanted = (spec["template"].get("metadata") or {}).get("labels") or {}
        waits = [pods.available_in(pod, int(spec.get("minReadySeconds", 0))) for pod in active]
        counts = {
            "fullyLabeledReplicas": sum(
                1 for pod in active if wanted.items() <= (pod["metadata"].get("labels") or {}).items()
            ),
            "readyReplicas": sum(1 for wait in waits if wait < math.inf),
            "availableReplicas": sum(1 for wait in waits if wait <= 0),
        }
        surplus = len(active) - int(spec.get("replicas", 1))

        def change(new: Object) -> None:
            status = new.setdefault("status", {})
            status["replicas"] = len(active)
            for field in _COUNTS:
                if counts[field]:
                    status[field] = counts[field]
                else:
                    status.pop(field, None)
            status["terminatingReplicas"] = terminating
            status["observedGeneration"] = replicaset["metadata"].get("generation", 1)
            _failure_condition(status, failure, surplus)

        meta = replicaset["metadata"]
        self.registry.edit(
            "replicasets", meta["namespace"], meta["name"], change, manager=self.name, subresource="status"
        )
        soon = [wait for wait in waits if 0 < wait < math.inf]
        return min(soon) if soon else None


def _failure_condition(status: Object, failure: ApiError | None, surplus: int) -> None:
    present = conditions.find(status, "ReplicaFailure")
    if failure is not None and present is None:
        reason = "FailedCreate" if surplus < 0 else "FailedDelete"
        conditions.put(status, conditions.plain("ReplicaFailure", "True", reason, failure.message))
    elif failure is None and present is not None:
        conditions.remove(status, "ReplicaFailure")
