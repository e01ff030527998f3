"""Does every serving pod answer as the release says? Requests go through the API server's proxy."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from include.release.frozen import Frozen
from include.release.kube import Cluster
from include.release.pressed import is_pressed
from include.release.spec import HttpCheck, SmokeCheck

PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Answered:
    """The result of one request to one pod. ``fault`` is empty when it was as expected."""

    pod: str
    path: str
    status: int
    fault: str


def check_answer(pod: str, check: HttpCheck, status: int, body: str, build: str | None) -> Answered:
    """Compare an answer with what was expected of it.

    Args:
        pod: who answered.
        check: what was asked and is expected.
        status: HTTP status of the answer.
        body: its text.
        build: the build id that the image in the lock file has; None when it is not known.
    """
    return Answered(pod, check.path, status, _fault(check, status, body, build))


def _fault(check: HttpCheck, status: int, body: str, build: str | None) -> str:
    if status != check.status:
        return f"status {status} instead of {check.status}: {body.strip()[:200]}"
    if not check.json_fields and not check.build:
        return ""
    try:
        answer = json.loads(body)
    except ValueError:
        return f"no JSON: {body.strip()[:200]}"
    if not isinstance(answer, dict):
        return f"no JSON object: {body.strip()[:200]}"
    for name, wanted in check.json_fields.items():
        if json.dumps(answer.get(name)) != json.dumps(wanted):  # in Python, True equals 1
            return f"{name} is {_shown(answer.get(name))} instead of {_shown(wanted)}"
    if check.build and build is not None and answer.get("build") != build:
        return (
            f"build is {_shown(answer.get('build'))} instead of {_shown(build)}: the pod runs another program"
        )
    return ""


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 30 else text[:14] + '..."'


def ask_workload(
    cluster: Cluster, frozen: Frozen, check: SmokeCheck, say: Callable[[str], None]
) -> list[Answered]:
    """Every request of a check to every pod that serves. Raises KubeError.

    No answer is expected of a Deployment whose red button was pressed.
    """
    namespace = frozen.environment.namespace
    manifest = next(each for each in frozen.deployments() if each["metadata"]["name"] == check.workload)
    wanted = manifest["spec"]["selector"]["matchLabels"]
    labels = ",".join(f"{key}={value}" for key, value in wanted.items())
    build = frozen.builds.get(manifest["spec"]["template"]["spec"]["containers"][0]["image"])
    pods = serving_pods(cluster.list("Pod", namespace, labels=labels))
    if not pods and is_pressed(cluster.get("Deployment", namespace, check.workload)):
        say(f"{check.workload}: its red button is pressed, it has no pods and nobody is asked")
        return []
    if not pods and manifest["spec"].get("replicas", 1):
        return [Answered(f"({check.workload})", "", 0, "no pod is ready")]
    return [
        _ask(cluster, namespace, pod, check.port, request, build)
        for pod in pods
        for request in check.requests
    ]


def _ask(
    cluster: Cluster, namespace: str, pod: str, port: int, request: HttpCheck, build: str | None
) -> Answered:
    """One request; again for a moment when nobody answered, as a pod may just be moving."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        status, body = cluster.ask_pod(namespace, pod, port, request.path)
        answered = check_answer(pod, request, status, body, build)
        if not answered.fault or status not in (502, 503, 504) or time.monotonic() > deadline:
            return answered
        time.sleep(0.5)


def serving_pods(pods: list[dict[str, Any]]) -> list[str]:
    """Names of the pods that take traffic: ready and not on their way out."""
    return sorted(pod["metadata"]["name"] for pod in pods if _ready(pod))


def _ready(pod: dict[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    ready = any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


@dataclass(frozen=True)
class Summary:
    """Equal answers of several pods to one request."""

    workload: str
    path: str
    status: int
    pods: int
    fault: str


def summarise(workload: str, answers: list[Answered]) -> list[Summary]:
    """The answers of a workload's pods, equal ones counted together."""
    counts: dict[tuple[str, int, str], int] = {}
    for each in answers:
        key = (each.path, each.status, each.fault)
        counts[key] = counts.get(key, 0) + 1
    return [Summary(workload, path, status, pods, fault) for (path, status, fault), pods in counts.items()]


def failure_text(title: str, answers: list[Answered]) -> str:
    """The error of a failed check: every answer that was not as expected."""
    wrong = [answer for answer in answers if answer.fault]
    lines = [f"  {answer.pod} {answer.path}: {answer.fault}" for answer in wrong]
    return "\n".join(
        [
            f"{title} is rolled out, but {len(wrong)} of {len(answers)} answers are not as they should be:",
            *lines,
            "What now:",
            "  - in a release: it goes back by itself after this; find the cause before its next try",
            "  - in a rollback: these pods serve, and nothing goes back by itself. Put the cause right in the cluster "
            "and clear this task, or go on to a release that is right",
        ]
    )
