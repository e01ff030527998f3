"""Asking the upstream from inside the cluster: does the service that the guarded one needs answer?"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from include.jobs.naming import short_digest
from include.jobs.state import job_state, pod_problem
from include.release.creating import create_once
from include.release.frozen import FIELD_MANAGER, MANAGED_BY
from include.release.kube import Cluster, KubeError
from include.release.texts import last_lines
from include.restarts.guards import Guard, Probe
from include.restarts.redact import redact
from include.restarts.view import moment_of

State = Literal["up", "down", "unknown"]
LABEL_PROBE = f"{FIELD_MANAGER}/probe"
CONTAINER = "probe"
KEEP_SECONDS = 3600
START_SECONDS = 30
"""What a Job's pod gets to start in, beyond the probe's own time."""
POLL_SECONDS = 0.2
ANSWER_SECONDS = 60
"""So long an answer counts."""
HIGHEST_OWN, SIGNAL = 125, 128
"""Exit codes: up to 125 a command's own. 126 and 127 say that it cannot be run here, above 128 is the signal that ended it."""


@dataclass(frozen=True)
class Answer:
    """Whether the upstream answers; ``unknown`` when it could not be asked. ``text`` is a sentence.

    ``down`` presses restarts whose cause nobody knows, so it needs proof: a probe that ran and failed by itself, or one that
    ran for its whole time. One that was not started, or was stopped by something else, says nothing about the upstream.
    """

    state: State
    text: str


def ask_upstream(
    cluster: Cluster,
    namespace: str,
    guard: Guard,
    deployment: dict[str, Any] | None,
    asked_by: str,
    *,
    dry_run: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Answer:
    """Ask the upstream of a guard.

    Args:
        cluster: where it is.
        namespace: of the guarded Deployment.
        guard: what is asked, and how.
        deployment: the guarded Deployment, whose image and environment a Job runs in.
        asked_by: the run and the try; a Job of the same is taken up again, unless it is from long ago.
        dry_run: start no Job.
        say: receives lines for the log.

    Raises:
        KubeError: the API server does not answer.
    """
    probe = guard.upstream
    if probe is None:
        return Answer("unknown", "No probe of an upstream is configured (upstream of the guard)")
    if probe.kind == "service":
        return _ask_service(cluster, namespace, probe)
    if dry_run:
        return Answer("unknown", f"A Job would ask: {' '.join(probe.command)}")
    if deployment is None:
        return Answer("unknown", f"Deployment {guard.deployment} is gone, whose image the probe runs in")
    try:
        return _ask_job(cluster, namespace, guard, probe, deployment, asked_by, say)
    except KubeError as error:
        if error.transient:
            raise
        return Answer("unknown", f"The upstream could not be asked: {error}")


def _ask_service(cluster: Cluster, namespace: str, probe: Probe) -> Answer:
    service, port = str(probe.service), int(probe.port or 0)
    what = f"{service}:{port}{probe.path}"
    reply = cluster.ask_service(namespace, service, port, probe.path, timeout=probe.timeout_seconds)
    said = " ".join(redact(reply.text).split())[:200]
    if reply.by_server and reply.status < 500:
        return Answer("unknown", f"{what} could not be asked: {said} ({reply.status})")
    if reply.by_server:
        return Answer("down", f"{what} does not answer: {said}")
    if 200 <= reply.status < 400:
        return Answer("up", f"{what} answers ({reply.status})")
    if reply.status < 500:
        text = (
            f"{what} answers, but refuses the question ({reply.status}; path of the guard's upstream): {said}"
        )
        return Answer("unknown", text)
    return Answer("down", f"{what} answers with an error ({reply.status}): {said}")


def probe_job(
    namespace: str, guard: Guard, probe: Probe, deployment: dict[str, Any], asked_by: str
) -> dict[str, Any]:
    """The Job that asks: the command in the image and environment of the guarded container."""
    template = deployment["spec"]["template"]["spec"]
    wanted = guard.containers[0] if guard.containers else ""
    containers = template["containers"]
    source = next((each for each in containers if each["name"] == wanted), containers[0])
    keep = ("image", "imagePullPolicy", "env", "envFrom", "resources", "securityContext", "volumeMounts")
    container = {key: copy.deepcopy(source[key]) for key in keep if key in source}
    container |= {"name": CONTAINER, "command": list(probe.command)}
    alike = (
        "serviceAccountName", "imagePullSecrets", "securityContext", "volumes", "hostAliases", "dnsPolicy",
        "dnsConfig", "nodeSelector", "tolerations", "automountServiceAccountToken",
    )  # fmt: skip
    pod = {key: copy.deepcopy(template[key]) for key in alike if key in template}
    labels = {**MANAGED_BY, LABEL_PROBE: guard.name}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"probe-{guard.name[:40].rstrip('-')}-{short_digest([guard.name, asked_by, probe.command])}",
            "namespace": namespace,
            "labels": labels,
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": START_SECONDS + probe.timeout_seconds,
            "ttlSecondsAfterFinished": KEEP_SECONDS,
            "template": {
                "metadata": {"labels": labels},
                "spec": {**pod, "containers": [container], "restartPolicy": "Never"},
            },
        },
    }


def _ask_job(
    cluster: Cluster,
    namespace: str,
    guard: Guard,
    probe: Probe,
    deployment: dict[str, Any],
    asked_by: str,
    say: Callable[[str], None],
) -> Answer:
    manifest = probe_job(namespace, guard, probe, deployment, asked_by)
    name = manifest["metadata"]["name"]
    if create_once(cluster, manifest, namespace):
        say(f"Job {name} asks the upstream: {' '.join(probe.command)}")
    else:
        made = str(
            ((cluster.get("Job", namespace, name) or {}).get("metadata") or {}).get("creationTimestamp", "")
        )
        if _too_old(made, probe):
            say(f"Job {name} asked at {made}, which is too long ago: asked again")
            return _ask_job(cluster, namespace, guard, probe, deployment, f"{asked_by}/{made}", say)
        say(f"Job {name} asks the upstream already")
    return _answer_of(cluster, namespace, name, probe)


def _answer_of(cluster: Cluster, namespace: str, name: str, probe: Probe) -> Answer:
    """Wait for the end of a Job's probe."""
    deadline = time.monotonic() + START_SECONDS + probe.timeout_seconds + 5
    pods: list[dict[str, Any]] = []
    began: float | None = None
    ran = 0.0
    while True:
        job = cluster.get("Job", namespace, name)
        # A Job that is out of time deletes its pods: what they were last is kept.
        pods = cluster.list("Pod", namespace, labels=f"job-name={name}") or pods
        state = job_state(job) if job is not None else None
        if state is None:
            return Answer("unknown", f"Job {name} was deleted before it had an answer")
        if state.phase == "complete":
            return Answer("up", f"The probe succeeded (Job {name})")
        if (found := next((end for pod in pods if (end := judge_end(pod, probe))), None)) is not None:
            said = "" if found.state == "up" else _said(cluster, namespace, pods)
            return Answer(found.state, f"{found.text} (Job {name}){said}")
        if state.phase == "failed" or time.monotonic() > deadline:
            break
        if any("running" in (_status(pod).get("state") or {}) for pod in pods):
            began = time.monotonic() if began is None else began
            ran = time.monotonic() - began
        time.sleep(POLL_SECONDS)
    if ran >= probe.timeout_seconds:
        return Answer("down", f"{_no_answer(probe)} (Job {name})")
    problem = next(filter(None, map(pod_problem, pods)), state.reason or "out of time")
    return Answer("unknown", f"The probe did not come to its end: {problem} (Job {name})")


def _too_old(made: str, probe: Probe) -> bool:
    """Whether the answer of a Job of that time says nothing about now: the task stood still before it was tried again."""
    at = moment_of(made)
    return at is not None and (datetime.now(UTC) - at).total_seconds() > (
        START_SECONDS + probe.timeout_seconds + ANSWER_SECONDS
    )


def judge_end(pod: dict[str, Any], probe: Probe) -> Answer | None:
    """What the end of the probe's container says; None when it has not ended."""
    ended = (_status(pod).get("state") or {}).get("terminated")
    if not ended:
        return None
    code, reason = int(ended.get("exitCode", 0)), str(ended.get("reason") or "")
    named = f"exit code {code}" + (f" ({reason})" if reason not in ("", "Error", "Completed") else "")
    started, finished = moment_of(ended.get("startedAt")), moment_of(ended.get("finishedAt"))
    if code == 0:
        return Answer("up", "The probe succeeded")
    stopped = str((pod.get("status") or {}).get("reason") or "")
    if started is not None and reason in ("", "Error") and stopped in ("", "DeadlineExceeded"):
        if code <= HIGHEST_OWN and not pod["metadata"].get("deletionTimestamp"):
            return Answer("down", f"The probe failed with {named}")
        if (
            code > SIGNAL
            and finished is not None
            and (finished - started).total_seconds() >= probe.timeout_seconds
        ):
            return Answer("down", _no_answer(probe))
    why = redact(" ".join(str(ended.get("message") or stopped).split()))[:200]
    return Answer("unknown", f"The probe could not ask: {named}{': ' if why else ''}{why}")


def _no_answer(probe: Probe) -> str:
    return f"The probe had no answer in {probe.timeout_seconds} s"


def _status(pod: dict[str, Any]) -> dict[str, Any]:
    """Of the probe's container, not of one that something has put beside it."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return next((each for each in statuses if each.get("name") == CONTAINER), {})


def _said(cluster: Cluster, namespace: str, pods: list[dict[str, Any]]) -> str:
    """The last line that the probe wrote."""
    try:
        text = cluster.log(namespace, pods[0]["metadata"]["name"], CONTAINER, tail=5)
    except (KubeError, IndexError):
        return ""
    line = last_lines(redact(text), 1).strip()
    return f": {line[:300]}" if line else ""
