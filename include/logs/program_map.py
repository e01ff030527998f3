"""The program as an immutable ConfigMap, named by its digest, one key for each module; and the run's request as another.

Both are made before a Job that needs them, whoever may have made them before; the oldest are removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from include.jobs.naming import short_digest
from include.jobs.state import job_state
from include.release.creating import create_once
from include.release.frozen import FIELD_MANAGER, MANAGED_BY, NOTE_RUN
from include.release.kube import Cluster, KubeError

LABEL_PART = f"{FIELD_MANAGER}/log-cleanup"
"""On everything that a clean-up makes in a cluster: program, request or job."""
LABEL_VOLUME = f"{FIELD_MANAGER}/log-volume"
PACKAGE = "logcleanup"
FOLDER = Path(__file__).with_name("program")
KEEP_PROGRAMS, KEEP_REQUESTS = 3, 10
MOST_BYTES = 1024 * 1024
"""What a ConfigMap may hold."""


@cache
def program_map() -> dict[str, Any]:
    """The ConfigMap of the program. Raises ValueError when it has grown too large for one."""
    modules = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.py"))}
    size = sum(len(text.encode()) for text in modules.values())
    if size > MOST_BYTES * 0.9:
        raise ValueError(f"the program has {size:,} bytes, too many for a ConfigMap")
    return _map(f"log-cleanup-{short_digest(modules)}", modules, {LABEL_PART: "program"}, {})


def request_map(volume: str, text: str, run: str) -> dict[str, Any]:
    """The ConfigMap of a request; ``text`` is that of ``requesting.request_text``."""
    labels = {LABEL_PART: "request", LABEL_VOLUME: volume}
    return _map(
        f"log-request-{volume[:30].strip('-')}-{short_digest(text)}",
        {"request.json": text},
        labels,
        {NOTE_RUN: run},
    )


def provide(cluster: Cluster, namespace: str, maps: list[dict[str, Any]]) -> None:
    """Make sure that they are there. Raises KubeError."""
    for each in maps:
        create_once(cluster, each, namespace)


def prune(cluster: Cluster, namespace: str, volume: str) -> list[str]:
    """Remove old programs and requests of a volume, none that a Job needs which has not ended. Returns their names.

    Housekeeping: what cannot be removed now is removed another day.
    """
    removed: list[str] = []
    try:
        used = set(_used(cluster, namespace))
        for labels, keep in (
            (f"{LABEL_PART}=program", KEEP_PROGRAMS),
            (f"{LABEL_PART}=request,{LABEL_VOLUME}={volume}", KEEP_REQUESTS),
        ):
            for name in outdated(cluster.list("ConfigMap", namespace, labels=labels), used, keep):
                cluster.delete("ConfigMap", namespace, name)
                removed.append(name)
    except KubeError:
        return removed
    return removed


def outdated(maps: list[dict[str, Any]], used: set[str], keep: int) -> list[str]:
    """Names of all but the newest ``keep``, without those in use."""
    newest = sorted(
        maps,
        key=lambda each: (each["metadata"].get("creationTimestamp", ""), each["metadata"]["name"]),
        reverse=True,
    )
    return [name for each in newest[keep:] if (name := str(each["metadata"]["name"])) not in used]


def _used(cluster: Cluster, namespace: str) -> Iterator[str]:
    yield str(program_map()["metadata"]["name"])
    for job in cluster.list("Job", namespace, labels=f"{LABEL_PART}=job"):
        if job_state(job).phase == "running":
            for volume in job["spec"]["template"]["spec"].get("volumes") or []:
                if "configMap" in volume:
                    yield str(volume["configMap"]["name"])


def _map(name: str, data: dict[str, str], labels: dict[str, str], notes: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "labels": {**MANAGED_BY, **labels}, "annotations": notes}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data, "immutable": True}
