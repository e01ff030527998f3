"""The row of a pod in a Table: the one status word that sums up its containers."""

from __future__ import annotations

from typing import Any

from include.cluster.http.durations import since

Object = dict[str, Any]


def pod_cells(pod: Object) -> list[Any]:
    """Ready, Status, Restarts, then (after the age) IP, Node, Nominated Node, Readiness Gates."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    initializing, reason, restarts, last = _init(spec, status)
    sidecars = _sidecars(spec)
    statuses = status.get("containerStatuses") or []
    started = [one for one in status.get("initContainerStatuses") or [] if one["name"] in sidecars]
    ready = sum(1 for one in started if one.get("started") and one.get("ready"))
    total = len(spec.get("containers") or ()) + len(sidecars)
    if not initializing:
        restarts = sum(one.get("restartCount", 0) for one in started)
        last = max((_ended(one) for one in started), default="")
        running = False
        for one in reversed(statuses):
            restarts += one.get("restartCount", 0)
            last = max(last, _ended(one))
            state = one.get("state") or {}
            if (state.get("waiting") or {}).get("reason"):
                reason = state["waiting"]["reason"]
            elif "terminated" in state:
                reason = _ended_reason(state["terminated"])
            elif one.get("ready") and "running" in state:
                running = True
        ready += sum(1 for one in statuses if one.get("ready") and "running" in (one.get("state") or {}))
        if reason == "Completed" and running:
            reason = "Running" if _ready(status) else "NotReady"
    if pod["metadata"].get("deletionTimestamp"):
        reason = "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    shown = f"{restarts} ({since(last)} ago)" if restarts and last else str(restarts)
    return [f"{ready}/{total}", reason, shown]


def _sidecars(spec: Object) -> set[str]:
    return {one["name"] for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"}


def _init(spec: Object, status: Object) -> tuple[bool, str, int, str]:
    """Whether the init containers are still at work, with the word for that, their restarts and the last end."""
    reason = status.get("reason") or status.get("phase") or "Unknown"
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            reason = "SchedulingGated"
    restarts, last = 0, ""
    sidecars = _sidecars(spec)
    for number, one in enumerate(status.get("initContainerStatuses") or []):
        restarts += one.get("restartCount", 0)
        last = max(last, _ended(one))
        state = one.get("state") or {}
        if "terminated" in state and state["terminated"].get("exitCode", 0) == 0:
            continue
        if one["name"] in sidecars and one.get("started"):
            continue
        if "terminated" in state:
            reason = f"Init:{_ended_reason(state['terminated'])}"
        elif (state.get("waiting") or {}).get("reason") not in (None, "", "PodInitializing"):
            reason = f"Init:{state['waiting']['reason']}"
        else:
            reason = f"Init:{number}/{len(spec.get('initContainers') or ())}"
        return True, reason, restarts, last
    return False, reason, restarts, last


def _ended_reason(terminated: Object) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _ended(status: Object) -> str:
    return str(((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or "")


def _ready(status: Object) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or [])
