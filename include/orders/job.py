"""The Job of a batch: the processor as it is live, once instead of every hour, and bounded."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from include.jobs.naming import KEEP_SECONDS, LABEL_CONTENT, job_name, short_digest
from include.orders.config import Orders
from include.orders.sizing import Batch
from include.release.batches import LABEL_BATCH
from include.release.frozen import FIELD_MANAGER, LABEL_APP, MANAGED_BY, NOTE_RELEASE, NOTE_RUN
from include.release.pressed import is_pressed
from include.release.problems import Problem, RejectedError

NOTE_LIMIT = f"{FIELD_MANAGER}/limit"
NOTE_AT_A_TIME = f"{FIELD_MANAGER}/at-a-time"
"""Orders that it has in work at once."""
NOTE_NUMBER = f"{FIELD_MANAGER}/batch"
"""Which batch of its run it is, counted from 1."""
TRIES = "ORDER_MAX_ATTEMPTS"
STOP_AFTER = "ORDER_STOP_AFTER"
_OF_A_SERVER = ("ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle")

Json = dict[str, Any]


@dataclass(frozen=True)
class Processor:
    """The order processor that is live: its Deployment and the container that processes orders."""

    deployment: Json
    container: Json

    @property
    def name(self) -> str:
        """The Deployment's name."""
        return str(self.deployment["metadata"]["name"])

    @property
    def image(self) -> str:
        """The build that a batch runs."""
        return str(self.container["image"])

    @property
    def release(self) -> str:
        """The release that brought it; empty when no release did."""
        return str((self.deployment["metadata"].get("annotations") or {}).get(NOTE_RELEASE, ""))

    @property
    def resources(self) -> str:
        """What a batch gets, as the capacity plan was applied: ``requests cpu 500m, memory 1312Mi; limits ...``."""
        found = self.container.get("resources") or {}
        parts = [
            f"{kind} {', '.join(f'{name} {amount}' for name, amount in sorted(found[kind].items()))}"
            for kind in ("requests", "limits")
            if found.get(kind)
        ]
        return "; ".join(parts) or "no requests and no limits"


class NoProcessorError(RejectedError):
    """There is no order processor, or it may not run; ``reason`` says that in a sentence."""

    def __init__(self, problem: Problem, reason: str) -> None:
        super().__init__([problem], subject="the order processor", changed="No batch was started.")
        self.reason = reason


def processor_of(deployment: Json | None, orders: Orders, namespace: str) -> Processor:
    """The processor that a batch is made after.

    Raises:
        NoProcessorError: there is none, or its red button is pressed.
        RejectedError: its container is not named.
    """
    where, named = f"namespace {namespace}", f"Deployment {orders.workload}"
    if deployment is None:
        found, expected = "absent", "the order processor of a release (release 2 brings it)"
        fix = "release it; is it called otherwise, correct workload in include/config/orders.yaml"
        problem = Problem(where, named, found, expected, fix)
        raise NoProcessorError(problem, f"{named} is not there: no release has brought an order processor")
    if is_pressed(deployment):
        found, expected = "scaled to zero by the red button", "a processor that may run"
        fix = "put the cause right and re-arm it (DAG <guard>_rearm); the next batch runs by itself"
        problem = Problem(where, named, found, expected, fix)
        raise NoProcessorError(problem, f"the red button of {named} is pressed")
    containers = deployment["spec"]["template"]["spec"]["containers"]
    names = [str(each["name"]) for each in containers]
    wanted = orders.container or (names[0] if len(names) == 1 else "")
    if wanted not in names:
        found = f"containers {', '.join(names)}"
        expected = f"container {wanted}" if wanted else "one container, or its name"
        raise _refused(
            Problem(where, named, found, expected, "correct container in include/config/orders.yaml")
        )
    return Processor(deployment, containers[names.index(wanted)])


def batch_job(
    processor: Processor, orders: Orders, namespace: str, batch: Batch, *, asked_by: str, number: int
) -> Json:
    """The Job of one batch. It is made suspended: it starts when nobody changes the database.

    One pod, not tried again by the cluster: who reads its log decides that. It has no label of the Deployment's
    selector, so nobody takes its pod for one of the Deployment.

    Args:
        processor: what is live.
        orders: the configuration.
        namespace: where.
        batch: how much.
        asked_by: DAG run and how often it was cleared: a retry finds the Job of the try before it.
        number: which batch of the run it is.
    """
    container = container_of(processor)
    container["command"] = once(
        container.get("command") or [], container.pop("args", None) or [], batch.limit
    )
    # The processor's own brake judges by the same number as who reads its log.
    rules = {TRIES: str(orders.errors.tries), STOP_AFTER: str(orders.errors.systemic_orders)}
    others = [each for each in container.get("env", []) if each["name"] not in rules]
    container["env"] = [*others, *({"name": each, "value": value} for each, value in rules.items())]
    pod = pod_of(processor, container)
    spec = {
        "backoffLimit": 0,
        "activeDeadlineSeconds": batch.seconds,
        "ttlSecondsAfterFinished": KEEP_SECONDS,
        "suspend": True,
    }
    # Neither the time left nor the orders that fit into it: a retry some seconds later is about the same batch.
    carried = {**container, "command": once(processor.container.get("command") or [], [], 0)}
    content = short_digest([{**pod, "containers": [carried]}, number])
    labels = {**MANAGED_BY, LABEL_APP: orders.app, LABEL_BATCH: orders.workload, LABEL_CONTENT: content}
    notes = {
        NOTE_RUN: asked_by,
        NOTE_NUMBER: str(number),
        NOTE_LIMIT: str(batch.limit),
        **({NOTE_RELEASE: processor.release} if processor.release else {}),
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(f"order-batch-{number}", content, asked_by),
            "namespace": namespace,
            "labels": labels,
            "annotations": notes,
        },
        "spec": {**spec, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


def container_of(processor: Processor) -> Json:
    """The live processor's container, for a Job of one command: it answers nobody."""
    return {
        key: copy.deepcopy(value) for key, value in processor.container.items() if key not in _OF_A_SERVER
    }


def pod_of(processor: Processor, container: Json) -> Json:
    """The pod of a Job that runs this container where the live processor runs, once."""
    pod: Json = copy.deepcopy(processor.deployment["spec"]["template"]["spec"])
    pod.pop("topologySpreadConstraints", None)
    pod |= {"containers": [container], "restartPolicy": "Never"}
    beside_it(pod, processor.deployment)
    return pod


def once(command: Sequence[str], args: Sequence[str], limit: int) -> list[str]:
    """The processor's command line for one batch of at most ``limit`` orders (0: without a limit)."""
    return [*program(command, args), "--once", *(["--limit", str(limit)] if limit else [])]


def program(command: Sequence[str], args: Sequence[str]) -> list[str]:
    """The processor's command line without how often it runs."""
    words = [*command, *args]
    if "--every" in words:
        place = words.index("--every")
        del words[place : place + 2]
    return [each for each in words if each != "--once" and not each.startswith("--every=")]


def beside_it(pod: Json, deployment: Json) -> None:
    """Prefer the node of the Deployment's pods: a volume that one node may use at a time is there already."""
    if not any("persistentVolumeClaim" in each for each in pod.get("volumes") or []):
        return
    near = {
        "weight": 100,
        "podAffinityTerm": {
            "topologyKey": "kubernetes.io/hostname",
            "labelSelector": copy.deepcopy(deployment["spec"]["selector"]),
        },
    }
    affinity = pod.setdefault("affinity", {}).setdefault("podAffinity", {})
    affinity.setdefault("preferredDuringSchedulingIgnoredDuringExecution", []).append(near)


def _refused(problem: Problem) -> RejectedError:
    return RejectedError([problem], subject="the order processor", changed="No batch was started.")
