"""Does every serving pod run what was released? By the image's digest, and by the id that the program computes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from include.release.frozen import Frozen
from include.release.smoke import serving_pods

Ask = Callable[[str, int, str], tuple[int, str]]
"""Asks a pod: name, port and path to HTTP status and body."""


@dataclass(frozen=True)
class Seen:
    """One container of a serving pod. ``fault`` is empty when it runs what was released."""

    workload: str
    pod: str
    container: str
    digest: str
    build: str
    fault: str


@dataclass(frozen=True)
class BuildQuestion:
    """Where a workload's program tells its build id."""

    port: int
    path: str


def build_question(frozen: Frozen, workload: str) -> BuildQuestion | None:
    """Port and path of the smoke check that asks for the build id; None when none does."""
    for check in frozen.release.smoke_checks:
        if check.workload == workload:
            for request in check.requests:
                if request.build:
                    return BuildQuestion(check.port, request.path)
    return None


def verify_workload(
    frozen: Frozen, deployment: Mapping[str, Any], pods: list[dict[str, Any]], ask: Ask
) -> list[Seen]:
    """What the serving pods of one Deployment run.

    Args:
        frozen: what was released.
        deployment: one of its Deployments.
        pods: the pods that the Deployment's selector matches, of whatever build.
        ask: asks a pod for its build id. Raises KubeError when the API server does not answer.
    """
    name = deployment["metadata"]["name"]
    wanted = deployment["spec"]["template"]["spec"]
    serving = set(serving_pods(pods))
    if not serving and deployment["spec"].get("replicas", 1):
        return [Seen(name, "(none)", "", "", "", "no pod serves")]
    seen = []
    for pod in sorted(pods, key=lambda each: str(each["metadata"]["name"])):
        if pod["metadata"]["name"] in serving:
            seen += _verify_pod(frozen, name, wanted, pod, ask)
    return seen


def strangers(frozen: Frozen, pods: list[dict[str, Any]]) -> list[Seen]:
    """Pods that serve behind a Service of the release, but belong to none of its Deployments."""
    deployments = frozen.deployments()
    serving = set(serving_pods(pods))
    found = []
    for service in (each for each in frozen.objects if each["kind"] == "Service"):
        selector = (service.get("spec") or {}).get("selector") or {}
        for pod in pods:
            labels = pod["metadata"].get("labels") or {}
            name = pod["metadata"]["name"]
            if name not in serving or not selector or not _matches(selector, labels):
                continue
            if any(_matches(each["spec"]["selector"]["matchLabels"], labels) for each in deployments):
                continue
            fault = f"serves behind Service {service['metadata']['name']}, and no Deployment of the release owns it"
            found += [
                Seen("(none)", name, status["name"], image_digest(status), "", fault)
                for status in (pod.get("status") or {}).get("containerStatuses") or []
            ]
    return found


def image_digest(status: Mapping[str, Any]) -> str:
    """The digest in a container status's imageID; empty when it names none."""
    text = str(status.get("imageID") or "")
    tail = text.rpartition("@")[2].rpartition("://")[2]
    return tail if tail.startswith("sha256:") else ""


def failure_text(title: str, seen: list[Seen]) -> str:
    """The error: every pod that does not run what was released."""
    wrong = [each for each in seen if each.fault]
    count = len({each.pod for each in wrong})
    pods = "1 pod that takes traffic does" if count == 1 else f"{count} pods that take traffic do"
    lines = [f"  {each.pod} {each.container}".rstrip() + f": {each.fault}" for each in wrong]
    return "\n".join(
        [
            f"{title}: {pods} not run what was released.",
            *lines,
            "What now: somebody or something else changes these pods (another tool, a hand, an image that is "
            "not what its name says). Find out who before the next release.",
        ]
    )


def _verify_pod(
    frozen: Frozen, workload: str, wanted: Mapping[str, Any], pod: dict[str, Any], ask: Ask
) -> list[Seen]:
    status = pod.get("status") or {}
    running = {
        each["name"]: each
        for each in (*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or []))
    }
    seen = []
    speaker = _speaker(frozen, workload, wanted)
    for container in (*(wanted.get("initContainers") or []), *wanted["containers"]):
        name, image = container["name"], str(container["image"])
        expected = image.rpartition("@")[2]
        if name not in running:
            seen.append(
                Seen(workload, pod["metadata"]["name"], name, "", "", "the pod has no such container")
            )
            continue
        digest = image_digest(running[name])
        fault = _digest_fault(digest, expected, frozen)
        build = ""
        if name == speaker:
            build, said = _ask_build(frozen, workload, pod["metadata"]["name"], image, ask)
            fault = "; ".join(filter(None, (fault, said)))
        seen.append(Seen(workload, pod["metadata"]["name"], name, digest, build, fault))
    # A container that the cluster injects (a mesh's proxy) is its business.
    return seen


def _digest_fault(digest: str, expected: str, frozen: Frozen) -> str:
    if digest == expected:
        return ""
    if not digest:
        return f"its imageID names no digest, so it cannot be compared with {expected[:19]}"
    known = [short for short, image in frozen.images.items() if image.endswith(digest)]
    also = f", which is {known[0]}" if known else ", which is no build of this release"
    return f"image {digest[:19]}{also}, instead of {expected[:19]}"


def _speaker(frozen: Frozen, workload: str, wanted: Mapping[str, Any]) -> str:
    """The container that answers the question for the build id: the one with that port, else the first."""
    question = build_question(frozen, workload)
    if question is None:
        return ""
    for container in wanted["containers"]:
        if any(port.get("containerPort") == question.port for port in container.get("ports") or []):
            return str(container["name"])
    return str(wanted["containers"][0]["name"])


def _ask_build(frozen: Frozen, workload: str, pod: str, image: str, ask: Ask) -> tuple[str, str]:
    """The build id that a pod computes of itself, and what is wrong with it."""
    question, expected = build_question(frozen, workload), frozen.builds.get(image)
    if question is None or expected is None:
        return "", ""
    status, body = ask(pod, question.port, question.path)
    try:
        answer = json.loads(body) if status == 200 else None
    except ValueError:
        answer = None
    build = str(answer.get("build") or "") if isinstance(answer, dict) else ""
    if not build:
        return "", f"{question.path} gives no build id (status {status})"
    return build, "" if build == expected else f"build {build[:12]} instead of {expected[:12]}"


def _matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in selector.items())
