"""When a Job has failed: pod failure policy, retries used up, deadline passed, indexes failed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from include.cluster.controllers import conditions, pods
from include.cluster.controllers.job import indexes
from include.cluster.controllers.job.state import State, tracked
from include.cluster.registry.clock import now, parse

Object = dict[str, Any]


def match_policy(policy: Object | None, pod: Object) -> tuple[str, str]:
    """What a pod failure policy says of a failed pod: the action (empty if no rule fits) and FailJob's message."""
    for number, rule in enumerate((policy or {}).get("rules") or []):
        action = rule["action"]
        where = f"{pod['metadata'].get('namespace', '')}/{pod['metadata']['name']}"
        if rule.get("onExitCodes"):
            container = _exit_code(rule["onExitCodes"], pod)
            if container:
                code = container["state"]["terminated"]["exitCode"]
                text = (
                    f"Container {container['name']} for pod {where} failed with exit code {code} "
                    f"matching {action} rule at index {number}"
                )
                return action, text
        else:
            condition = _condition(rule.get("onPodConditions") or [], pod)
            if condition:
                return (
                    action,
                    f"Pod {where} has condition {condition} matching {action} rule at index {number}",
                )
    return "", ""


def counts(state: State, pod: Object) -> bool:
    """Whether a failed pod counts against the Job's retries."""
    return match_policy(state.spec.get("podFailurePolicy"), pod)[0] != "Ignore"


def find(state: State) -> Object | None:
    """The FailureTarget condition of a Job that has failed for a reason other than its indexes."""
    policy = state.spec.get("podFailurePolicy")
    if policy:
        for pod in state.pods:
            if state.is_failed(pod):
                action, text = match_policy(policy, pod)
                if action == "FailJob":
                    return _target("PodFailurePolicy", text)
    if state.failed > int(state.spec.get("backoffLimit", 6)) or _restarts_used_up(state):
        return _target("BackoffLimitExceeded", "Job has reached the specified backoff limit")
    left = deadline_in(state)
    if left is not None and left <= 0:
        return _target("DeadlineExceeded", "Job was active longer than specified deadline")
    return None


def deadline_in(state: State) -> float | None:
    """Seconds until the Job's active deadline; None without one, or while it is suspended."""
    seconds = state.spec.get("activeDeadlineSeconds")
    started = state.status.get("startTime")
    if seconds is None or not started or state.suspended:
        return None
    return (parse(started) + timedelta(seconds=int(seconds)) - now()).total_seconds()


def failed_indexes(state: State) -> set[int]:
    """The indexes that have used up their retries, those in the status included."""
    found = indexes.parse(state.status.get("failedIndexes"))
    limit = int(state.spec["backoffLimitPerIndex"])
    for pod in state.pods:
        index = state.index(pod)
        if index is None or not tracked(pod) or not state.is_failed(pod):
            continue
        action = match_policy(state.spec.get("podFailurePolicy"), pod)[0]
        if action == "FailIndex" or (action != "Ignore" and indexes.failures(pod) >= limit):
            found.add(index)
    return found


def by_indexes(state: State) -> Object | None:
    """The FailureTarget condition of a Job whose indexes failed."""
    failed = state.failed_indexes or set()
    most = state.spec.get("maxFailedIndexes")
    if most is not None and len(failed) > int(most):
        return _target(
            "MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes"
        )
    if failed and len(failed) + len(state.succeeded_indexes) >= int(state.spec["completions"]):
        return _target("FailedIndexes", "Job has failed indexes")
    return None


def _target(reason: str, message: str) -> Object:
    return conditions.plain("FailureTarget", "True", reason, message)


def _restarts_used_up(state: State) -> bool:
    """With restartPolicy OnFailure the containers' restarts are the retries."""
    if state.spec["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    total = 0
    for pod in state.pods:
        if pods.phase(pod) in ("Running", "Pending"):
            status = pod.get("status") or {}
            for field in ("initContainerStatuses", "containerStatuses"):
                total += sum(int(entry.get("restartCount", 0)) for entry in status.get(field) or [])
    limit = int(state.spec.get("backoffLimit", 6))
    return total > 0 if limit == 0 else total >= limit


def _exit_code(rule: Object, pod: Object) -> Object | None:
    status = pod.get("status") or {}
    for entry in [*(status.get("containerStatuses") or []), *(status.get("initContainerStatuses") or [])]:
        terminated = (entry.get("state") or {}).get("terminated")
        if not terminated or terminated.get("exitCode", 0) == 0:
            continue
        if rule.get("containerName") not in (None, "", entry["name"]):
            continue
        listed = terminated["exitCode"] in rule.get("values", [])
        if listed == (rule.get("operator") == "In"):
            return dict(entry)
    return None


def _condition(patterns: list[Object], pod: Object) -> str:
    for found in (pod.get("status") or {}).get("conditions") or []:
        for pattern in patterns:
            if pattern["type"] == found["type"] and pattern.get("status", "True") == found["status"]:
                return str(found["type"])
    return ""
