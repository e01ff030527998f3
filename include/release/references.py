"""Does a release hang together: do the names that its parts use of each other exist?"""

from __future__ import annotations

from collections import Counter
from typing import Any

from include.release.manifests import Findings, check_pod
from include.release.pods import containers, templates, uses
from include.release.refs import parse_reference
from include.release.spec import Migrations, Release
from include.release.yamlfile import Keys


def check_references(release: Release, stem: str, say: Findings) -> None:
    """Add to ``say`` what does not fit together. ``stem`` is the file's name without its ending."""
    if release.name != stem:
        say.say(("name",), release.name, f"{stem}, the name of the file", f"write {stem}, or rename the file")
    _check_objects(release, say)
    for index, manifest in enumerate(release.objects):
        for pod, keys in templates(manifest, ("objects", index)):
            _check_uses(release, pod, keys, say)
            _check_images(pod, keys, say)
    if release.migrations is not None:
        _check_migrations(release, release.migrations, say)
    _check_smoke(release, say)
    _check_services(release, say)


def _check_objects(release: Release, say: Findings) -> None:
    counts = Counter(_identity(manifest) for manifest in release.objects)
    for index, manifest in enumerate(release.objects):
        kind, name = _identity(manifest)
        if counts[kind, name] > 1:
            say.say(("objects", index), f"{kind} {name} {counts[kind, name]} times", "each object once")
    for group in ("config_maps", "secrets"):
        names = Counter(each.name for each in getattr(release.configuration, group))
        for index, each in enumerate(getattr(release.configuration, group)):
            if names[each.name] > 1:
                say.say(
                    ("configuration", group, index, "name"),
                    f"{each.name} {names[each.name]} times",
                    "each name once",
                )


def _check_uses(release: Release, pod: dict[str, Any], keys: Keys, say: Findings) -> None:
    config_maps = {each.name: each.data for each in release.configuration.config_maps}
    secrets = {each.name: each.keys for each in release.configuration.secrets}
    claims = {
        *release.configuration.claims,
        *(name for kind, name in map(_identity, release.objects) if _is_claim(kind)),
    }
    for use in uses(pod, keys):
        if use.kind == "PersistentVolumeClaim":
            if use.name not in claims:
                fix = (
                    "list it under configuration.claims (it exists already) or objects (the release makes it)"
                )
                say.say(
                    use.keys,
                    f"claim {use.name}",
                    f"one of {', '.join(sorted(claims)) or 'none is declared'}",
                    fix,
                )
            continue
        known: dict[str, Any] = config_maps if use.kind == "ConfigMap" else secrets
        place = "configuration.config_maps" if use.kind == "ConfigMap" else "configuration.secrets"
        if use.name not in known:
            if not use.optional:
                expected = f"one of {', '.join(known) or 'none is declared'}"
                say.say(use.keys, f"{use.kind} {use.name}", expected, f"declare it under {place}")
        elif use.item and use.item not in known[use.name] and not use.optional:
            fix = f"declare the key under {place}"
            say.say(
                use.keys,
                f"key {use.item} of {use.kind} {use.name}",
                f"one of {', '.join(known[use.name])}",
                fix,
            )


def _check_images(pod: dict[str, Any], keys: Keys, say: Findings) -> None:
    for container, place in containers(pod, keys):
        _check_image(container.get("image"), (*place, "image"), say)


def _check_image(image: Any, keys: Keys, say: Findings) -> None:
    reference = parse_reference(image) if isinstance(image, str) else None
    if reference is not None and (reference.registry or reference.digest):
        why = "registry and digest come from the lock file of the environment, so that qa and production run the same build"
        say.say(keys, str(image), f"{reference.short.rstrip(':')}", "leave registry and digest out", why=why)


def _check_migrations(release: Release, migrations: Migrations, say: Findings) -> None:
    counts = Counter(step.id for step in migrations.steps)
    for index, step in enumerate(migrations.steps):
        keys: Keys = ("migrations", "steps", index)
        if counts[step.id] > 1:
            say.say((*keys, "id"), f"{step.id} {counts[step.id]} times", "each id once")
        if step.down is None and step.drops_data is not None:
            say.say(
                (*keys, "drops_data"), repr(step.drops_data), "null, as there is no way back (down is null)"
            )
        if step.down is None and step.lost is not None:
            say.say((*keys, "lost"), "a command", "none, as there is no way back (down is null)")
    for key in ("name", "image", "command", "args"):
        if key in migrations.container:
            say.say(
                ("migrations", "container", key),
                f"{key}:",
                "a container without it",
                "the release fills it in for each step",
            )
    container = {"name": "migrate", **migrations.container, "image": migrations.image}
    pod = {**migrations.pod, "containers": [container]}
    # The pod is put together from two places of the file: its findings are shown at the one they come from.
    gathered = Findings(say.document)
    check_pod(pod, (), gathered, serving=False)
    _check_image(migrations.image, ("image",), gathered)
    _check_uses(release, pod, (), gathered)
    for problem in gathered.problems:
        part = "container" if problem.field.startswith("containers[0]") else "pod"
        rest = problem.field.removeprefix("containers[0].")
        keys = ("migrations", "image") if rest == "image" else ("migrations", part, *_top(rest))
        fix = problem.fix
        say.say(keys, problem.found, problem.expected, fix, problem.severity, problem.why)


def _top(field: str) -> Keys:
    """The first part of a field's path; findings inside of it are shown there."""
    return (field.split(".")[0].split("[")[0],) if field else ()


def _check_smoke(release: Release, say: Findings) -> None:
    ports = {
        name: {port.get("containerPort") for pod, _ in templates(manifest) for each, _ in containers(pod)
               for port in each.get("ports") or [] if isinstance(port, dict)}
        for manifest in release.objects
        for kind, name in [_identity(manifest)] if kind == "Deployment"
    }  # fmt: skip
    for index, check in enumerate(release.smoke_checks):
        if check.workload not in ports:
            say.say(
                ("smoke_checks", index, "workload"),
                check.workload,
                f"a Deployment of this release: {', '.join(ports)}",
            )
        elif check.port not in ports[check.workload]:
            known = ", ".join(str(port) for port in sorted(filter(None, ports[check.workload])))
            say.say(
                ("smoke_checks", index, "port"),
                str(check.port),
                f"a port of {check.workload}: {known or 'it has none'}",
            )
    missing = set(ports) - {check.workload for check in release.smoke_checks}
    for name in sorted(missing):
        say.say(
            ("smoke_checks",),
            f"no check of {name}",
            f"a check of {name}",
            severity="risk",
            why="nobody asks whether it works",
        )


def _check_services(release: Release, say: Findings) -> None:
    labels = [
        manifest["spec"]["template"].get("metadata", {}).get("labels") or {}
        for manifest in release.objects
        for _ in templates(manifest)
    ]
    for index, manifest in enumerate(release.objects):
        selector = (manifest.get("spec") or {}).get("selector") if manifest.get("kind") == "Service" else None
        if selector and not any(selector.items() <= each.items() for each in labels):
            found = ", ".join(f"{key}={value}" for key, value in selector.items())
            why = "the Service would have no pod to send requests to"
            say.say(
                ("objects", index, "spec", "selector"),
                found,
                "labels of a pod of this release",
                severity="risk",
                why=why,
            )


def _identity(manifest: dict[str, Any]) -> tuple[str, str]:
    metadata = manifest.get("metadata")
    return str(manifest.get("kind")), str(metadata.get("name") if isinstance(metadata, dict) else None)


def _is_claim(kind: str) -> bool:
    return kind == "PersistentVolumeClaim"
