"""A cluster so near that it needs no network: ConfigMaps in memory, and the real pages of a real queue behind a Service."""

from __future__ import annotations

import copy
import json
from typing import Any

from include.payments.journal import JournalStore
from include.payments.keeper import PaymentKeeper
from include.payments.over_http import UPCOMMERCE, HttpShop
from include.release.kube import Answer, KubeError, Reply
from include.shop.shop.common.web import Router
from include.shop.shop.payments.queue import PaymentQueue
from include.shop.shop.upcommerce import QueuePages

NAMESPACE, GUARD, RUN, REARM = "sre", "swype", "swype_guard/run-1", "swype_rearm/run-1"


class Killed(BaseException):
    """kill -9 of the worker."""


class NearCluster:
    """What payments need of a Cluster. ``kill_at`` n dies before the n-th call, n + 0.5 after it was done."""

    def __init__(self, queue: PaymentQueue) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.calls = 0
        self.kill_at = 0.0
        self.asked: list[str] = []
        self.version = 0
        self.serve(queue)

    def serve(self, queue: PaymentQueue) -> None:
        """Put a queue's pages behind the Service."""
        self.router = Router()
        QueuePages(queue, lambda: None).add_to(self.router)

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        self._called()
        found = copy.deepcopy(self.objects.get(name))
        self._done()
        return found

    def create(self, manifest: dict[str, Any], namespace: str) -> Answer:
        self._called()
        name = manifest["metadata"]["name"]
        if name in self.objects:
            raise KubeError(409, "already exists", "POST", "AlreadyExists")
        return self._put(name, manifest)

    def replace(self, manifest: dict[str, Any], namespace: str) -> Answer:
        self._called()
        name = manifest["metadata"]["name"]
        if name not in self.objects:
            raise KubeError(404, "not found", "PUT", "NotFound")
        if self.objects[name]["metadata"]["resourceVersion"] != manifest["metadata"]["resourceVersion"]:
            raise KubeError(409, "the object has been modified", "PUT", "Conflict")
        return self._put(name, manifest)

    def ask_service(
        self, namespace: str, service: str, port: int, path: str, *, method: str, body: Any, timeout: float
    ) -> Reply:
        self._called()
        self.asked.append(f"{method} {path}")
        answer = self.router.answer(method, path, json.dumps(body).encode() if body is not None else b"")
        self._done()
        return Reply(answer.status, answer.encoded()[0].decode())

    def _put(self, name: str, manifest: dict[str, Any]) -> Answer:
        self.version += 1
        self.objects[name] = copy.deepcopy(manifest)
        self.objects[name]["metadata"]["resourceVersion"] = str(self.version)
        self._done()
        return Answer(copy.deepcopy(self.objects[name]), [])

    def _called(self) -> None:
        self.calls += 1
        if self.calls == self.kill_at:
            raise Killed

    def _done(self) -> None:
        if self.calls + 0.5 == self.kill_at:
            raise Killed


def keeper_of(cluster: NearCluster) -> PaymentKeeper:
    """The keeper of the queue behind a near cluster."""
    there: Any = cluster
    shop = HttpShop(there, NAMESPACE, "upcommerce-service", 5000, UPCOMMERCE, by=GUARD, counts=True)
    return PaymentKeeper(shop, JournalStore(there, NAMESPACE, GUARD), GUARD)
