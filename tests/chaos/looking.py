"""What a shop looks like, without what differs from run to run: times, uids, names of pods, digests of a namespace."""

from __future__ import annotations

import difflib
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from include.jobs.state import job_state
from include.release.frozen import SEAL
from include.release.jobs import LABEL_MIGRATION
from include.release.kube import Cluster

KINDS = ("ConfigMap", "Secret", "Service", "PersistentVolumeClaim", "Deployment", "ReplicaSet", "Lease")
RUNTIME = (
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "generation",
    "ownerReferences",
    "selfLink",
)
ASSIGNED = {
    "Service": ("clusterIP", "clusterIPs"),
    "PersistentVolumeClaim": ("volumeName",),
    "Lease": ("acquireTime", "renewTime", "leaseTransitions"),
}
ADDRESS = re.compile(r"\b127\.\d+\.\d+\.\d+\b")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?")
SAVED = re.compile(r"-before-[0-9a-f]{10}\b")
"""A saved state is named by its run."""
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def look(cluster: Cluster, namespace: str, names: dict[str, str]) -> dict[str, Any]:
    """Every object by kind and name, what was assigned by the cluster left out; ``names`` are replaced."""
    seen: dict[str, Any] = {}
    for kind in KINDS:
        for each in cluster.list(kind, namespace):
            if each["metadata"]["name"] != "kube-root-ca.crt":
                seen[f"{kind}/{each['metadata']['name']}"] = _plain(kind, each)
    for pod in cluster.list("Pod", namespace):
        owner = pod["metadata"].get("ownerReferences", [{"kind": "nobody", "name": ""}])[0]
        if owner["kind"] != "Job":
            phase = pod["status"]["phase"] + (" ending" if pod["metadata"].get("deletionTimestamp") else "")
            seen.setdefault(f"Pod/of {owner['name']}", []).append(phase)
    jobs = [(job["metadata"].get("labels", {}), job) for job in cluster.list("Job", namespace)]
    for labels, job in jobs:
        name = labels.get(LABEL_MIGRATION) or job["metadata"]["name"]
        # A cleared task asks the ledger again with a Job of its own: how many there are says nothing.
        seen[f"Job/{name}"] = sorted({*seen.get(f"Job/{name}", []), job_state(job).phase})
    return _same_names(seen, names)


def _plain(kind: str, item: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in item["metadata"].items() if key not in RUNTIME}
    rest = {
        key: value for key, value in item.items() if key not in ("metadata", "status", "kind", "apiVersion")
    }
    if kind == "ReplicaSet":  # its content is a Deployment's template; which one is in its name
        return {"replicas": rest["spec"]["replicas"]}
    if "spec" in rest:
        rest["spec"] = {
            key: value for key, value in rest["spec"].items() if key not in ASSIGNED.get(kind, ())
        }
    status = item.get("status") or {}
    counts = {key: status[key] for key in ("replicas", "readyReplicas", "updatedReplicas") if key in status}
    return {"metadata": metadata, **rest, **({"counts": counts} if counts else {})}


def _same_names(seen: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Replace moments, uids, addresses and ``names``: the namespace, and digests that cover it."""

    def text(value: str) -> str:
        for old, new in names.items():
            value = value.replace(old, new)
        value = SAVED.sub("-before-RUN", value)
        return ADDRESS.sub("ADDRESS", UUID.sub("UID", MOMENT.sub("WHEN", value)))

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            # The seal of a frozen release covers the environment, the namespace's name too.
            return {text(key): walk(each) for key, each in value.items() if key != SEAL}
        if isinstance(value, list):
            return [walk(each) for each in value]
        if isinstance(value, str):
            parsed = _json(value)
            return walk(parsed) if isinstance(parsed, dict | list) else text(value)
        return value

    found: dict[str, Any] = walk(seen)
    return found


def _json(value: str) -> Any:
    try:
        return json.loads(value) if value[:1] in "[{" else None
    except ValueError:
        return None


def records(path: Path, where: str = "") -> dict[str, list[str]]:
    """The rows of the records' database by table, without times.

    Args:
        path: the database.
        where: only those of this environment; all, when none is given.
    """
    if not path.exists():
        return {}
    columns = {
        "release_changes": ("environment", ("run", "kind", "release", "outcome")),
        "release_verdicts": ("source", ("image", "passed")),
    }
    found: dict[str, list[str]] = {}
    with closing(sqlite3.connect(path)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table, (place, chosen) in columns.items():
            if table in tables:
                only = f"WHERE {place} = '{where}'" if where else ""
                rows = connection.execute(f"SELECT {', '.join(chosen)} FROM {table} {only}")
                found[table] = sorted(" ".join(str(value) for value in row) for row in rows)
    return found


def documents(folder: Path, namespace: str) -> list[str]:
    """The documents that were written. One that a cleared run wrote beside the first is the same document."""
    names = {str(path.relative_to(folder)) for path in (folder / namespace).rglob("*")}
    return sorted({re.sub(r"-\d+\.md$", ".md", name).replace(namespace, "NAMESPACE") for name in names})


def compare(wanted: dict[str, Any], found: dict[str, Any]) -> str:
    """The difference as text; empty when there is none."""
    before, after = (yaml.safe_dump(each, width=1000).splitlines() for each in (wanted, found))
    return "\n".join(
        difflib.unified_diff(before, after, "undisturbed", "killed and run again", lineterm="", n=4)
    )
