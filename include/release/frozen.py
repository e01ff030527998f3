"""The frozen release: everything that the tasks after the first one act on. None of them reads a file again."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict

from include.capacity.checks import check_pins
from include.capacity.plan import Plan
from include.capacity.planning import make_plan, planned_objects
from include.capacity.policy import CapacityPolicy
from include.release.environments import Environment
from include.release.images import ImageLock
from include.release.loading import LoadedRelease
from include.release.manifests import KINDS, Findings
from include.release.pods import containers, templates, uses
from include.release.problems import Problem, RejectedError
from include.release.spec import ConfigMapSpec, Release
from include.release.yamlfile import path_text

FIELD_MANAGER = "plan-reduce-repeat"
MANAGED_BY = {"app.kubernetes.io/managed-by": FIELD_MANAGER}
LABEL_APP = f"{FIELD_MANAGER}/app"
LABEL_BASE = f"{FIELD_MANAGER}/base-name"
NOTE_RELEASE = f"{FIELD_MANAGER}/release"
NOTE_DIGEST = f"{FIELD_MANAGER}/spec-digest"
NOTE_RUN = f"{FIELD_MANAGER}/run"
NOTE_REQUESTED = f"{FIELD_MANAGER}/requested-at"
NOTE_NUMBER = f"{FIELD_MANAGER}/release-number"
CHANGE_CAUSE = "kubernetes.io/change-cause"
SEAL = "seal"


class Frozen(BaseModel):
    """A release as it will be applied in one environment: images as digests, names filled in.

    ``digest`` covers the release, the environment's name and everything that is applied; not who asked.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    release: Release
    environment: Environment
    config_maps: list[dict[str, Any]]
    objects: list[dict[str, Any]]
    images: dict[str, str]
    builds: dict[str, str]
    qa_only: list[str] = []
    digest: str
    source: str
    plan: dict[str, Any] | None = None
    """The capacity plan; None when the release has no facts."""

    def to_json(self) -> str:
        """The text that travels between tasks and is kept in the namespace.

        Its seal covers what the digest does not: the environment's rules, and which builds are for trying only.
        """
        content = self.model_dump(mode="json")
        return _text({**content, SEAL: _seal(content)})

    @classmethod
    def from_json(cls, text: str) -> Frozen:
        """The frozen release of a text that ``to_json`` made. Raises ValueError when it was changed since."""
        content = json.loads(text)
        # A text that was stored by an earlier version has no seal.
        seal = content.pop(SEAL, None) if isinstance(content, dict) else None
        frozen = cls.model_validate_json(_text(content))
        if frozen.digest != _digest(
            frozen.release,
            frozen.environment,
            frozen.images,
            frozen.config_maps,
            frozen.objects,
            frozen.plan,
        ):
            raise ValueError(
                f"the frozen release says digest {frozen.digest[:12]}, but its content has another"
            )
        if seal not in (None, _seal(content)):
            raise ValueError("its environment or its builds were changed since: its seal is that of another")
        return frozen

    @property
    def title(self) -> str:
        """How texts name it: ``release-2 (shop) in production``."""
        return f"{self.release.name} ({self.release.app}) in {self.environment.name}"

    def deployments(self) -> list[dict[str, Any]]:
        """The Deployments among the objects."""
        return [manifest for manifest in self.objects if manifest["kind"] == "Deployment"]

    def capacity(self) -> Plan | None:
        """The capacity plan; None when the release has no facts."""
        return Plan.from_dict(self.plan) if self.plan is not None else None


def freeze(
    loaded: LoadedRelease, environment: Environment, lock: ImageLock, policy: CapacityPolicy | None = None
) -> Frozen:
    """Resolve a release for an environment.

    Args:
        loaded: the release.
        environment: where it goes.
        lock: the builds of that environment.
        policy: the rules that size its workloads; the default ones if not given.

    Raises:
        RejectedError: an image is not locked, or a figure is below the capacity plan without a reason.
    """
    release = loaded.release
    plan, sized = _sized(loaded, policy or CapacityPolicy())
    config_maps = {each.name: config_map(each, release.app) for each in release.configuration.config_maps}
    images: dict[str, str] = {}
    problems: list[Problem] = []
    objects = []
    for index, manifest in enumerate(sized):
        frozen = copy.deepcopy(manifest)
        for pod, keys in templates(frozen, ("objects", index)):
            name_configuration(pod, {name: each["metadata"]["name"] for name, each in config_maps.items()})
            for container, place in containers(pod, keys):
                at = (loaded.document.where((*place, "image")), path_text((*place, "image")))
                container["image"] = _resolve(container["image"], lock, environment, images, problems, at)
        objects.append(frozen)
    if release.migrations is not None:
        at = (loaded.document.where(("migrations", "image")), "migrations.image")
        _resolve(release.migrations.image, lock, environment, images, problems, at)
    if problems:
        raise RejectedError(problems, subject=f"the images of {release.name}")
    order = list(KINDS)
    objects.sort(key=lambda manifest: order.index(manifest["kind"]))
    maps = list(config_maps.values())
    objects = [_noted(each, release, environment) for each in objects]
    builds = {resolved: build for short, resolved in images.items() if (build := lock.build_of(short))}
    return Frozen(
        release=release,
        environment=environment,
        config_maps=maps,
        objects=objects,
        images=images,
        builds=builds,
        qa_only=[short for short in images if (locked := lock.find(short)) and locked.qa_only],
        digest=_digest(release, environment, images, maps, objects, plan),
        source=loaded.document.name,
        plan=plan,
    )


def _sized(
    loaded: LoadedRelease, policy: CapacityPolicy
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The capacity plan, and the objects with its figures. Raises RejectedError."""
    release = loaded.release
    if release.capacity is None:
        return None, release.objects
    plan = make_plan(release.capacity, policy, release.objects)
    found = Findings(loaded.document)
    check_pins(release.capacity, plan, release.objects, found)
    if found.problems:
        raise RejectedError(found.problems, subject=f"the capacity of {release.name}")
    return plan.to_dict(), planned_objects(plan, release.capacity, policy, release.objects)


def config_map(spec: ConfigMapSpec, app: str) -> dict[str, Any]:
    """The immutable ConfigMap for a release's configuration; its name ends with the digest of its data."""
    digest = hashlib.sha256(json.dumps(spec.data, sort_keys=True).encode()).hexdigest()[:10]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"{spec.name}-{digest}",
            "labels": {**MANAGED_BY, LABEL_APP: app, LABEL_BASE: spec.name},
        },
        "data": dict(spec.data),
        "immutable": True,
    }


def name_configuration(pod: dict[str, Any], names: dict[str, str]) -> None:
    """Put the digest names in place of the spec's names of ConfigMaps, in ``pod`` itself."""
    for use in list(uses(pod)):
        if use.kind == "ConfigMap" and use.name in names:
            use.holder[use.key] = names[use.name]


def _noted(manifest: dict[str, Any], release: Release, environment: Environment) -> dict[str, Any]:
    """The manifest with namespace, labels and the note of the release that brought it."""
    metadata = dict(manifest["metadata"])
    metadata["namespace"] = environment.namespace
    metadata["labels"] = {**metadata.get("labels", {}), **MANAGED_BY, LABEL_APP: release.app}
    metadata["annotations"] = {**metadata.get("annotations", {}), NOTE_RELEASE: release.name}
    return {**manifest, "metadata": metadata}


def _resolve(
    image: str,
    lock: ImageLock,
    environment: Environment,
    images: dict[str, str],
    problems: list[Problem],
    at: tuple[str, str],
) -> str:
    resolved = lock.resolve(image)
    if resolved is None:
        expected = f"one of {', '.join(sorted(lock.images)) or 'none is locked'}"
        fix = f"build it (make images), or correct the tag; the builds of {environment.name} are in {environment.image_lock}"
        problems.append(Problem(*at, f"{image}, which is not in the lock file", expected, fix))
        return image
    images[image] = resolved
    return resolved


def _text(content: Any) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def _seal(content: Any) -> str:
    return hashlib.sha256(_text(content).encode()).hexdigest()


def _digest(
    release: Release,
    environment: Environment,
    images: dict[str, str],
    config_maps: list[dict[str, Any]],
    objects: list[dict[str, Any]],
    plan: dict[str, Any] | None,
) -> str:
    content = [
        # Without defaults: a field that is added to the model later changes no digest of what was stored before.
        release.model_dump(mode="json", exclude_defaults=True),
        environment.name,
        environment.namespace,
        images,
        config_maps,
        objects,
        *([plan] if plan is not None else []),
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
