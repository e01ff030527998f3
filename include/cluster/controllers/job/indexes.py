"""Completion indexes of Indexed Jobs, and their short text: ``0,2-4``."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

Object = dict[str, Any]

INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count"
_VARIABLE = "JOB_COMPLETION_INDEX"


def parse(text: str | None) -> set[int]:
    """Reads ``0,2-4``."""
    found: set[int] = set()
    for part in (text or "").split(","):
        first, _, last = part.partition("-")
        if first:
            found.update(range(int(first), int(last or first) + 1))
    return found


def render(found: Iterable[int]) -> str:
    """Writes ``0,2-4``; two neighbours stand as ``0,1``."""
    parts: list[list[int]] = []
    for index in sorted(found):
        if parts and parts[-1][-1] == index - 1:
            parts[-1].append(index)
        else:
            parts.append([index])
    texts = []
    for run in parts:
        if len(run) <= 2:
            texts += [str(index) for index in run]
        else:
            texts.append(f"{run[0]}-{run[-1]}")
    return ",".join(texts)


def of_pod(pod: Object) -> int | None:
    """The completion index in the pod's annotations."""
    text = (pod["metadata"].get("annotations") or {}).get(INDEX, "")
    return int(text) if text.isdigit() else None


def failures(pod: Object) -> int:
    """How often the pod's index had failed before it."""
    text = (pod["metadata"].get("annotations") or {}).get(FAILURES, "0")
    return int(text) if text.isdigit() else 0


def template(job: Object, index: int, earlier_failures: int | None) -> Object:
    """The pod template for one index.

    Args:
        job: the Job.
        index: the completion index.
        earlier_failures: noted on the pod for Jobs with ``backoffLimitPerIndex``; None for others.
    """
    made: Object = copy.deepcopy(job["spec"]["template"])
    meta = made.setdefault("metadata", {})
    meta["labels"] = {**(meta.get("labels") or {}), INDEX: str(index)}
    meta["annotations"] = {**(meta.get("annotations") or {}), INDEX: str(index)}
    if earlier_failures is not None:
        meta["annotations"][FAILURES] = str(earlier_failures)
    made["spec"]["hostname"] = f"{job['metadata']['name']}-{index}"
    source = {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{INDEX}']"}}
    for container in [*(made["spec"].get("initContainers") or []), *made["spec"]["containers"]]:
        present = container.setdefault("env", [])
        if all(entry["name"] != _VARIABLE for entry in present):
            present.append({"name": _VARIABLE, "valueFrom": copy.deepcopy(source)})
    return made
