"""Asking the upstream from inside the cluster: does the service that the guarded one needs answer?"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from include.release.frozen import FIELD_MANAGER, MANAGED_BY
from include.release.jobs import exit_text, job_state, pod_problem, short_digest
from include.release.kube import Cluster, KubeError
from include.release.texts import last_lines
from include.restarts.guards import Guard, Probe
from include.restarts.redact import redact

State = Literal["up", "down", "unknown"]
LABEL_PROBE = f"{FIELD_MANAGER}/probe"
CONTAINER = "probe"
KEEP_SECONDS = 3600
START_SECONDS = 30
"""What a Job's pod gets to start in, beyond the probe's own time."""
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Answer:
    """Whether the upstream answers; ``unknown`` when it could not be asked. ``text`` is a sentence."""

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
        asked_by: the run and the try; a Job of the same is taken up again.
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
    if reply.by_server and reply.status in (401, 403, 404, 405, 429):
        return Answer("unknown", f"{what} could not be asked: {said} ({reply.status})")
    if reply.by_server:
        return Answer("down", f"{what} does not answer: {said}")
    if 200 <= reply.status < 400:
        return Answer("up", f"{what} answers ({reply.status})")
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
    try:
        cluster.create(manifest, namespace)
        say(f"Job {name} asks the upstream: {' '.join(probe.command)}")
    except KubeError as error:
        if error.reason != "AlreadyExists":
            raise
        say(f"Job {name} asks the upstream already")
    deadline = time.monotonic() + START_SECONDS + probe.timeout_seconds + 5
    while True:
        job = cluster.get("Job", namespace, name)
        pods = cluster.list("Pod", namespace, labels=f"job-name={name}")
        state = job_state(job) if job is not None else None
        if state is None:
            return Answer("unknown", f"Job {name} was deleted before it had an answer")
        if state.phase == "complete":
            return Answer("up", f"The probe succeeded (Job {name})")
        problem = next((found for pod in pods if (found := pod_problem(pod))), "")
        if state.phase == "failed" or time.monotonic() > deadline:
            break
        time.sleep(POLL_SECONDS)
    ended = next((found for pod in pods if (found := exit_text(pod))), "")
    if ended:
        return Answer("down", f"The probe failed with {ended} (Job {name}){_said(cluster, namespace, pods)}")
    if problem:
        return Answer("unknown", f"The probe's pod does not start: {problem} (Job {name})")
    return Answer(
        "down", f"The probe had no answer in {probe.timeout_seconds} s (Job {name}: {state.reason})"
    )


def _said(cluster: Cluster, namespace: str, pods: list[dict[str, Any]]) -> str:
    """The last line that the probe wrote."""
    try:
        text = cluster.log(namespace, pods[0]["metadata"]["name"], CONTAINER, tail=5)
    except (KubeError, IndexError):
        return ""
    line = last_lines(redact(text), 1).strip()
    return f": {line[:300]}" if line else ""
