"""What is wrong or risky in the Kubernetes manifests of a release, and where.

Everything that a spec can be told without a cluster; the API server's own validation comes after it.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import Any

from include.release import quantity
from include.release.fields import check_fields, shown
from include.release.problems import Problem, Severity
from include.release.refs import FLOATING_TAGS, parse_reference
from include.release.yamlfile import Document, Keys, path_text

KINDS: dict[str, tuple[str, str]] = {
    "ServiceAccount": ("v1", "V1ServiceAccount"),
    "PersistentVolumeClaim": ("v1", "V1PersistentVolumeClaim"),
    "Service": ("v1", "V1Service"),
    "Deployment": ("apps/v1", "V1Deployment"),
}
"""The kinds a release may bring, in the order in which they are applied, with API version and model."""

_ELSEWHERE = {
    "ConfigMap": "list it under configuration.config_maps",
    "Secret": "create it outside the release and name it under configuration.secrets; values do not belong in a spec",
    "Job": "list it under migrations.steps",
    "Namespace": "the environment's namespace exists before a release",
}
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SECRETIVE = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIALS?)$", re.IGNORECASE)


class Findings:
    """Collects findings of one document, with file and line."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def say(
        self,
        keys: Keys,
        found: str,
        expected: str,
        fix: str = "",
        severity: Severity = "error",
        why: str = "",
    ) -> None:
        """Add one finding about the value at ``keys``."""
        problem = Problem(self.document.where(keys), path_text(keys), found, expected, fix, severity, why)
        if problem not in self.problems:
            self.problems.append(problem)


def check_object(manifest: Any, keys: Keys, say: Findings, planned: Container[str] = ()) -> dict[str, Any]:
    """Check one manifest; returns it with misspelt field names put right, so that one slip hides nothing.

    The capacity plan fills in the resources of the ``planned`` containers.
    """
    if not isinstance(manifest, dict):
        say.say(keys, shown(manifest), "a Kubernetes manifest (a mapping)")
        return {}
    kind = manifest.get("kind")
    if kind not in KINDS:
        fix = _ELSEWHERE.get(str(kind), "a release brings these kinds only")
        say.say(
            (*keys, "kind"), "no kind" if kind is None else f"kind {kind}", f"one of {', '.join(KINDS)}", fix
        )
        return manifest
    version, model = KINDS[kind]
    fixed, findings = check_fields(manifest, model, keys)
    for finding in findings:
        say.say(finding.keys, finding.found, finding.expected, finding.fix)
    if fixed.get("apiVersion") != version:
        say.say((*keys, "apiVersion"), shown(fixed.get("apiVersion")), version)
    _check_metadata(fixed, keys, say)
    if kind == "Deployment":
        _check_deployment(fixed, keys, say, planned)
    return fixed  # type: ignore[no-any-return]


def _check_metadata(manifest: dict[str, Any], keys: Keys, say: Findings) -> None:
    metadata = _dict(manifest.get("metadata"))
    name = metadata.get("name")
    if not isinstance(name, str) or not _SUBDOMAIN.fullmatch(name) or len(name) > 253:
        say.say(
            (*keys, "metadata", "name"),
            shown(name),
            "a name of lower-case letters, digits and '-'",
            _dns_fix(name),
        )
    if "namespace" in metadata:
        found = f"namespace {metadata['namespace']}"
        why = "the environment decides where a release goes; qa and production take the same file"
        say.say((*keys, "metadata", "namespace"), found, "no namespace", "remove the line", why=why)


def _check_deployment(manifest: dict[str, Any], keys: Keys, say: Findings, planned: Container[str]) -> None:
    spec = _dict(manifest.get("spec"))
    template = _dict(spec.get("template"))
    labels = _dict(_dict(template.get("metadata")).get("labels"))
    wanted = _dict(_dict(spec.get("selector")).get("matchLabels"))
    if not wanted:
        say.say(
            (*keys, "spec", "selector"), "no spec.selector.matchLabels", "labels that the pod template has"
        )
    elif any(labels.get(key) != value for key, value in wanted.items()):
        place: Keys = (*keys, "spec", "selector", "matchLabels")
        say.say(
            place, f"{_labels(wanted)}", f"labels of the pod template ({_labels(labels) or 'it has none'})"
        )
    _check_strategy(spec, (*keys, "spec"), say)
    pod_keys: Keys = (*keys, "spec", "template", "spec")
    check_pod(_dict(template.get("spec")), pod_keys, say, serving=True, planned=planned)


def _check_strategy(spec: dict[str, Any], keys: Keys, say: Findings) -> None:
    rolling = _dict(_dict(spec.get("strategy")).get("rollingUpdate"))
    if _dict(spec.get("strategy")).get("type") == "Recreate":
        why = "Recreate stops every pod before it starts the first new one"
        say.say((*keys, "strategy", "type"), "Recreate", "RollingUpdate", severity="risk", why=why)
    elif str(rolling.get("maxUnavailable")) not in ("0", "0%"):
        found = (
            "no strategy"
            if "strategy" not in spec
            else f"maxUnavailable {rolling.get('maxUnavailable', '25% (the default)')}"
        )
        why = "an update may take pods away before the new ones are ready"
        say.say(
            (*keys, "strategy"),
            found,
            "rollingUpdate with maxUnavailable: 0, maxSurge: 1",
            severity="risk",
            why=why,
        )


def check_pod(
    pod: dict[str, Any], keys: Keys, say: Findings, *, serving: bool, planned: Container[str] = ()
) -> None:
    """Check a pod spec. ``serving``: it takes traffic, so probes are expected."""
    containers = [each for each in pod.get("containers") or [] if isinstance(each, dict)]
    if not containers:
        say.say((*keys, "containers"), "no containers", "at least one container")
    ports: dict[tuple[int, str], tuple[str, Keys]] = {}
    for container, place in _containers(pod, keys):
        _check_container(container, place, say)
        if serving and place[-2] == "containers":
            _check_serving(container, place, say)
            if container.get("name") not in planned:
                _check_sizes(container, place, say)
            _check_ports(container, place, ports, say)


def _containers(pod: dict[str, Any], keys: Keys) -> Iterator[tuple[dict[str, Any], Keys]]:
    for group in ("initContainers", "containers"):
        for index, container in enumerate(pod.get(group) or []):
            if isinstance(container, dict):
                yield container, (*keys, group, index)


def _check_container(container: dict[str, Any], keys: Keys, say: Findings) -> None:
    name = container.get("name")
    if not isinstance(name, str) or not _LABEL.fullmatch(name) or len(name) > 63:
        say.say(
            (*keys, "name"),
            shown(name),
            "a container name of lower-case letters, digits and '-'",
            _dns_fix(name),
        )
    if "image" in container or keys[-2] == "containers":
        _check_image(container.get("image"), (*keys, "image"), say)
    _check_resources(_dict(container.get("resources")), (*keys, "resources"), say)
    for index, variable in enumerate(container.get("env") or []):
        if (
            isinstance(variable, dict)
            and variable.get("value")
            and _SECRETIVE.search(str(variable.get("name")))
        ):
            fix = "use valueFrom.secretKeyRef and name the Secret under configuration.secrets"
            say.say(
                (*keys, "env", index, "value"),
                f"a value for {variable['name']} (not shown)",
                "a reference to a Secret",
                fix,
            )


def _check_image(image: Any, keys: Keys, say: Findings) -> None:
    reference = parse_reference(image) if isinstance(image, str) else None
    if reference is None:
        say.say(
            keys, shown(image), "an image as name:tag", "see include/config/images for what can be deployed"
        )
    elif not reference.tag or reference.tag in FLOATING_TAGS:
        found = (
            f"{image}, which names no build"
            if reference.tag
            else f"{image}, without a tag (that is latest: it names no build)"
        )
        why = "the same name may be another program tomorrow"
        say.say(keys, found, "an image with a tag of its own for each build, like shop:1.0.0", why=why)


def _check_resources(resources: dict[str, Any], keys: Keys, say: Findings) -> None:
    parsed: dict[tuple[str, str], Any] = {}
    for group in ("requests", "limits"):
        for name, value in _dict(resources.get(group)).items():
            number = quantity.parse(value) if isinstance(value, str | int | float) else None
            place = (*keys, group, name)
            if number is None:
                right = quantity.meant(str(value))
                say.say(
                    place,
                    shown(value),
                    "a quantity like 256Mi, 1Gi or 250m",
                    f"write {right}" if right else "",
                )
            elif name == "memory" and number < 1024 * 1024:
                say.say(
                    place,
                    f"{value} ({number.normalize():f} bytes)",
                    "at least 1Mi",
                    why="m is a thousandth; megabytes are Mi",
                )
            else:
                parsed[group, name] = number
    for (group, name), number in parsed.items():
        if group == "requests" and number > parsed.get(("limits", name), number):
            found = f"request {resources['requests'][name]} above limit {resources['limits'][name]}"
            say.say((*keys, "requests", name), found, "a request of at most the limit")


def _check_serving(container: dict[str, Any], keys: Keys, say: Findings) -> None:
    if "readinessProbe" not in container:
        why = "a pod gets requests before it can answer them"
        say.say(keys, "no readinessProbe", "a readinessProbe", severity="risk", why=why)


def _check_sizes(container: dict[str, Any], keys: Keys, say: Findings) -> None:
    resources = _dict(container.get("resources"))
    if "memory" not in _dict(resources.get("limits")):
        why = "one pod can take the memory of the whole node"
        say.say((*keys, "resources"), "no memory limit", "resources.limits.memory", severity="risk", why=why)
    for name in ("cpu", "memory"):
        if name not in _dict(resources.get("requests")):
            why = "the scheduler cannot tell where the pod fits"
            say.say(
                (*keys, "resources"),
                f"no {name} request",
                f"resources.requests.{name}",
                severity="risk",
                why=why,
            )


def _check_ports(
    container: dict[str, Any], keys: Keys, taken: dict[tuple[int, str], tuple[str, Keys]], say: Findings
) -> None:
    for index, port in enumerate(container.get("ports") or []):
        number = _dict(port).get("containerPort")
        if not isinstance(number, int):
            continue
        key, place = (
            (number, str(_dict(port).get("protocol", "TCP"))),
            (*keys, "ports", index, "containerPort"),
        )
        if key in taken:
            other, first = taken[key]
            found = f"port {number} again (container {other!r} has it, line {say.document.line(first)})"
            why = "Kubernetes accepts it, and the second to start cannot bind the port"
            fix = "give it another port, or a Deployment of its own"
            say.say(place, found, "a port of its own for each container of a pod", fix, why=why)
        else:
            taken[key] = (str(container.get("name")), place)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _labels(labels: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in labels.items())


def _dns_fix(name: Any) -> str:
    if not isinstance(name, str):
        return ""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
    right = re.sub(r"[^a-z0-9]+", "-", apart).strip("-")
    return f"write {right}" if right and right != name else ""
