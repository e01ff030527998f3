"""The evidence for a decision, saved before anything is done: an immutable ConfigMap that outlives the pods.

Pods that are scaled away take their statuses and logs along. What a person needs to judge the decision later is kept:
the decision, the restarts, what the API server said of the pods, their events, and the ends of their logs.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from include.jobs.naming import short_digest
from include.release.frozen import FIELD_MANAGER, MANAGED_BY, NOTE_RUN
from include.release.kube import Cluster, KubeError
from include.restarts.redact import ending, redact, redacted
from include.restarts.view import View

LABEL_GUARD = f"{FIELD_MANAGER}/guard"
MOST_BYTES = 256 * 1024
"""A ConfigMap holds 1 MiB; this much is enough, and lists of them stay cheap."""
LOG_BYTES = 16 * 1024
REDACT_CHARACTERS = 32 * 1024
"""Of each log: more than is kept, so that no secret is cut in two before it is known as one, and not for long."""
TAIL_LINES = 50
FEW_LINES = 5
READ_BYTES = 64 * 1024
LOG_SECONDS = 2.0
KEEP = 5
"""Per guard. The one of a press that is still pressed is kept as well."""
MOST_LOGS = 6
"""Containers whose logs are kept: those that restarted last. Reading more would make the press wait."""


def evidence_name(guard: str, run: str) -> str:
    """The name of the ConfigMap: the same for every try of a run."""
    return f"evidence-{guard}-{short_digest(run)}"


def is_evidence(config_map: Mapping[str, Any], guard: str) -> bool:
    """Whether a ConfigMap is saved evidence of a guard. The journal of its payments has the guard's label too."""
    metadata = config_map["metadata"]
    labelled = (metadata.get("labels") or {}).get(LABEL_GUARD) == guard
    return labelled and str(metadata["name"]).startswith(f"evidence-{guard}-")


def evidence(
    guard: str,
    namespace: str,
    run: str,
    decision: Mapping[str, Any],
    view: View,
    logs: Mapping[tuple[str, str], Mapping[str, str | None]],
) -> dict[str, Any]:
    """The ConfigMap.

    Args:
        guard: its name.
        namespace: where it goes.
        run: ``dag_id/run_id``.
        decision: what was decided, with the restarts.
        view: what it was decided on.
        logs: by pod and container the ends of the logs, ``previous`` and ``current``.
    """
    data = {
        "decision.json": _json(redacted(dict(decision))),
        "deployment.json": _json(redacted(_deployment(view.deployment))),
        "pods.json": _json(redacted([_pod(each) for each in view.pods])),
        "events.json": _json(redacted([_event(each) for each in _events(view)])),
    }
    for (pod, container), both in logs.items():
        for which, text in both.items():
            if text and text.strip():
                data[f"log.{pod}.{container}.{which}.txt"[-253:]] = _tail(
                    redact(ending(text, REDACT_CHARACTERS)), LOG_BYTES
                )
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": evidence_name(guard, run),
            "namespace": namespace,
            "labels": {**MANAGED_BY, LABEL_GUARD: guard},
            "annotations": {NOTE_RUN: run},
        },
        "immutable": True,
        "data": bounded(data),
    }


def bounded(data: Mapping[str, str], limit: int = MOST_BYTES) -> dict[str, str]:
    """The data, at most so many bytes: the decision whole, then what fits; the rest is cut, and says so."""
    left, result = limit, {}
    for key, text in data.items():
        size = len(text.encode())
        kept = text if size <= left else _cut(text, max(left, 0), size)
        if kept:
            result[key] = kept
            left -= len(kept.encode())
    return result


def prune(cluster: Cluster, namespace: str, guard: str, *, keep: Sequence[str]) -> list[str]:
    """Delete the oldest ones of a guard; those named in ``keep`` stay. Returns what was deleted. Raises KubeError."""
    listed = cluster.list("ConfigMap", namespace, labels=f"{LABEL_GUARD}={guard}")
    found = [each for each in listed if is_evidence(each, guard)]
    found.sort(key=lambda each: (each["metadata"].get("creationTimestamp", ""), each["metadata"]["name"]))
    names = [str(each["metadata"]["name"]) for each in found]
    old = [name for name in names[: max(0, len(names) - KEEP)] if name not in keep]
    for name in old:
        cluster.delete("ConfigMap", namespace, name)
    return old


def read_logs(
    cluster: Cluster, namespace: str, containers: Sequence[tuple[str, str]], *, seconds: float = LOG_SECONDS
) -> dict[tuple[str, str], dict[str, str | None]]:
    """The ends of the logs of these containers, asked for side by side.

    None for one that there is not (any more), or that a node does not give in time: a press does not wait for it.
    """
    wanted = list(dict.fromkeys(containers))[:MOST_LOGS]
    found: dict[tuple[str, str], dict[str, str | None]] = {
        each: {"previous": None, "current": None} for each in wanted
    }
    lock = threading.Lock()
    late = False

    def read(pod: str, container: str, which: str) -> None:
        try:
            text = _end_of_log(cluster, namespace, pod, container, which == "previous")
        except KubeError:
            return
        with lock:
            if not late:
                found[pod, container][which] = text

    # Daemons: one that hangs must not keep the task from ending.
    readers = [
        threading.Thread(target=read, args=(pod, container, which), daemon=True)
        for pod, container in wanted
        for which in ("previous", "current")
    ]
    for each in readers:
        each.start()
    deadline = time.monotonic() + seconds
    for each in readers:
        each.join(max(0.0, deadline - time.monotonic()))
    with lock:
        late = True
    return found


def _end_of_log(cluster: Cluster, namespace: str, pod: str, container: str, previous: bool) -> str:
    text = ""
    for lines in (TAIL_LINES, FEW_LINES):
        text = cluster.log(namespace, pod, container, previous=previous, tail=lines, limit_bytes=READ_BYTES)
        # The bytes are counted from the first of the lines: of very long ones the last would not be among them.
        if len(text.encode()) < READ_BYTES:
            break
    return text


def _deployment(deployment: dict[str, Any] | None) -> dict[str, Any]:
    """What matters of it. The pod template stays out: it may have secrets in its environment."""
    if deployment is None:
        return {}
    metadata, spec = deployment["metadata"], deployment.get("spec") or {}
    template = (spec.get("template") or {}).get("spec") or {}
    return {
        "name": metadata.get("name"),
        "uid": metadata.get("uid"),
        "generation": metadata.get("generation"),
        "labels": metadata.get("labels") or {},
        "annotations": {
            key: value
            for key, value in (metadata.get("annotations") or {}).items()
            if key != "kubectl.kubernetes.io/last-applied-configuration"
        },
        "replicas": spec.get("replicas"),
        "images": {each["name"]: each.get("image") for each in template.get("containers") or []},
        "status": deployment.get("status") or {},
    }


def _pod(pod: dict[str, Any]) -> dict[str, Any]:
    metadata = pod["metadata"]
    return {
        "name": metadata.get("name"),
        "uid": metadata.get("uid"),
        "created": metadata.get("creationTimestamp"),
        "deleted": metadata.get("deletionTimestamp"),
        "node": (pod.get("spec") or {}).get("nodeName"),
        "status": pod.get("status") or {},
    }


def _events(view: View) -> list[dict[str, Any]]:
    found = [each for events in view.events_by_pod_uid.values() for each in events]
    return sorted(found, key=lambda each: str(each.get("lastTimestamp") or each.get("eventTime") or ""))


def _event(event: dict[str, Any]) -> dict[str, Any]:
    keep = ("type", "reason", "message", "count", "firstTimestamp", "lastTimestamp", "eventTime")
    about = event.get("involvedObject") or {}
    return {
        "pod": about.get("name"),
        "field": about.get("fieldPath"),
        **{key: event[key] for key in keep if key in event},
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, default=str)


def _tail(text: str, limit: int) -> str:
    """The end of a log."""
    raw = text.encode()
    if len(raw) <= limit:
        return text
    return "(cut)\n" + raw[-limit:].decode("utf-8", "ignore")


def _cut(text: str, limit: int, size: int) -> str:
    """The beginning of a text that is too long; empty when there is no room for anything useful."""
    note = f"\n(cut: {size} bytes in all)"
    room = limit - len(note.encode())
    return text.encode()[:room].decode("utf-8", "ignore") + note if room > 200 else ""
