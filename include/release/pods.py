"""What a pod spec refers to: ConfigMaps, Secrets, claims and images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from include.release.yamlfile import Keys

Kind = Literal["ConfigMap", "Secret", "PersistentVolumeClaim"]
_IN_ENV_FROM: dict[str, Kind] = {"configMapRef": "ConfigMap", "secretRef": "Secret"}
_IN_ENV: dict[str, Kind] = {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}
_IN_VOLUMES: dict[str, Kind] = {
    "configMap": "ConfigMap",
    "secret": "Secret",
    "persistentVolumeClaim": "PersistentVolumeClaim",
}


@dataclass(frozen=True)
class Use:
    """One reference. ``holder[key]`` is the name, so that it can be replaced in a copy."""

    kind: Kind
    name: str
    item: str
    keys: Keys
    optional: bool
    holder: dict[str, Any]
    key: str


def templates(manifest: dict[str, Any], keys: Keys = ()) -> Iterator[tuple[dict[str, Any], Keys]]:
    """The pod specs in a manifest (a Deployment or a Job has one)."""
    spec = manifest.get("spec")
    template = spec.get("template") if isinstance(spec, dict) else None
    pod = template.get("spec") if isinstance(template, dict) else None
    if isinstance(pod, dict):
        yield pod, (*keys, "spec", "template", "spec")


def containers(pod: dict[str, Any], keys: Keys = ()) -> Iterator[tuple[dict[str, Any], Keys]]:
    """All containers of a pod spec, init containers first."""
    for group in ("initContainers", "containers"):
        found = pod.get(group)
        for index, container in enumerate(found if isinstance(found, list) else []):
            if isinstance(container, dict):
                yield container, (*keys, group, index)


def containers_started(pod: dict[str, Any]) -> bool:
    """Whether a container of a live pod runs or has run."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return any({"running", "terminated"} & (each.get("state") or {}).keys() for each in statuses)


def uses(pod: dict[str, Any], keys: Keys = ()) -> Iterator[Use]:
    """Every ConfigMap, Secret and claim that a pod spec refers to."""
    for container, place in containers(pod, keys):
        for index, source in enumerate(container.get("envFrom") or []):
            yield from _references(source, (*place, "envFrom", index), _IN_ENV_FROM)
        for index, variable in enumerate(container.get("env") or []):
            source = variable.get("valueFrom") if isinstance(variable, dict) else None
            at = (*place, "env", index, "valueFrom")
            yield from _references(source, at, _IN_ENV)
    for index, volume in enumerate(pod.get("volumes") or []):
        yield from _volume(volume, (*keys, "volumes", index))


def _volume(volume: Any, keys: Keys) -> Iterator[Use]:
    if not isinstance(volume, dict):
        return
    yield from _references(volume, keys, _IN_VOLUMES)
    projected = volume.get("projected")
    for index, source in enumerate((projected.get("sources") if isinstance(projected, dict) else None) or []):
        yield from _references(source, (*keys, "projected", "sources", index), _IN_VOLUMES)


def _references(source: Any, keys: Keys, fields: dict[str, Kind]) -> Iterator[Use]:
    for field, kind in fields.items():
        reference = source.get(field) if isinstance(source, dict) else None
        if not isinstance(reference, dict):
            continue
        for key in ("name", "secretName", "claimName"):
            if isinstance(reference.get(key), str):
                item, optional = str(reference.get("key") or ""), reference.get("optional") is True
                yield Use(kind, reference[key], item, (*keys, field, key), optional, reference, key)
