"""Pods, events and logs out of the compact cases in ``tests/data/restarts``."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from include.restarts.cause.cases import Case

DATA = Path(__file__).resolve().parents[3] / "data"
RECORDED = DATA / "kubernetes-1.36" / "terminations"
DIED = datetime(2026, 11, 21, 9, 0, 30, tzinfo=UTC)


def look_alikes(name: str) -> list[Case]:
    """The cases of one file."""
    text = (DATA / "restarts" / name).read_text()
    raw = yaml.safe_load(text) if name.endswith(".yaml") else map(json.loads, text.splitlines())
    return [build(each) for each in raw]


def build(raw: dict[str, Any]) -> Case:
    """One case, with all that it leaves out."""
    waiting, restarts = raw.get("waiting"), raw.get("restarts", 2)
    ended: dict[str, Any] = {
        "exitCode": raw.get("exit", 1),
        "reason": raw.get("reason", "Error"),
        "startedAt": stamp(20),
        "finishedAt": stamp(0),
    }
    if "message" in raw:
        ended["message"] = raw["message"]
    gone = (raw.get("status") or {}).get("phase") == "Failed"
    status = {
        "name": "app",
        "restartCount": 0 if gone else restarts,
        "state": {"terminated": ended}
        if gone
        else {"waiting": waiting}
        if waiting
        else {"running": {"startedAt": stamp(-10)}},
        "lastState": {} if gone or not restarts else {"terminated": ended},
    }
    spec = {"name": "app", "image": "registry.example.com/app:1"}
    role = raw.get("role", "main")
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "app-1", "namespace": "shop", "uid": "1"},
        "spec": {"containers": [spec]},
        "status": {
            "phase": "Running",
            "podIP": "10.244.0.8",
            "containerStatuses": [status],
            **(raw.get("status") or {}),
        },
    }
    if role != "main":
        pod["spec"] = {
            "initContainers": [spec | ({"restartPolicy": "Always"} if role == "sidecar" else {})],
            "containers": [{"name": "main"}],
        }
        main = {
            "name": "main",
            "restartCount": 0,
            "state": {"waiting": {"reason": "PodInitializing"}},
            "lastState": {},
        }
        pod["status"] |= {"initContainerStatuses": [status], "containerStatuses": [main]}
    log = raw.get("log", "")
    logs = {"previous": log, "current": raw.get("current", "")}
    if gone:
        logs = {"previous": None, "current": log}
    events = [event(each) for each in raw.get("events", [])]
    return Case(raw["case"], pod, events, {"app": logs}, raw["label"], tuple(raw.get("also", [])))


def event(raw: dict[str, Any]) -> dict[str, Any]:
    """An event about the container, two seconds before it died or as long ago as it says."""
    at = stamp(raw.get("ago", 2))
    return {
        "reason": raw["reason"],
        "message": raw["message"],
        "type": raw.get("type", "Warning"),
        "count": raw.get("count", 1),
        "firstTimestamp": at,
        "lastTimestamp": at,
        "involvedObject": {"kind": "Pod", "fieldPath": f"spec.containers{{{raw.get('container', 'app')}}}"},
    }


def stamp(seconds_before: float) -> str:
    """A time before the death, as the API writes it."""
    return (DIED - timedelta(seconds=seconds_before)).strftime("%Y-%m-%dT%H:%M:%SZ")
