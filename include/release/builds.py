"""Which builds a release may have at all: none for trying only in production, none that another release has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from include.release.environments import Environment
from include.release.images import ImageLock
from include.release.loading import LoadedRelease, Sources, shown_path
from include.release.pods import containers, templates
from include.release.problems import Problem
from include.release.texts import plural
from include.release.yamlfile import Keys, path_text

LABEL_QA_ONLY = "shop.qa-only"
"""The label that the image build gives to a build for trying."""


def build_problems(
    loaded: LoadedRelease, environment: Environment, lock: ImageLock, sources: Sources
) -> list[Problem]:
    """Every image of a release that may not be released here, or that is another release's."""
    problems = []
    others = other_releases(sources, lock, loaded.release.name)
    shared: dict[str, list[tuple[str, Keys]]] = {}
    for image, keys in image_places(loaded.document.value):
        locked = lock.find(image)
        if locked is None:
            continue
        if locked.qa_only and environment.gate.required:
            problems.append(qa_only_problem(image, environment, loaded.document.where(keys), path_text(keys)))
        # Somebody else's image may be in many releases.
        if locked.build is not None and locked.digest in others:
            shared.setdefault(locked.digest, []).append((image, keys))
    problems += [_shared(loaded, digest, places, others[digest]) for digest, places in shared.items()]
    return problems


def _shared(
    loaded: LoadedRelease, digest: str, places: list[tuple[str, Keys]], others: list[tuple[str, str, str]]
) -> Problem:
    """One problem for a build that others have too, wherever the file names it."""
    image, keys = places[0]
    names = []
    for name, its_file, its_image in others:
        as_what = f", as {its_image}" if its_image != image else ""
        names.append(f"{name} ({its_file}{as_what})")
    again = f"; {plural(len(places) - 1, 'more place')} in this file" if len(places) > 1 else ""
    return Problem(
        loaded.document.where(keys),
        path_text(keys),
        f"{image} ({digest[:19]}), which is also in {' and '.join(names)}{again}",
        "a build of its own for each release",
        f"build {loaded.release.name} with its own tag, or remove the "
        f"{'other files' if len(names) > 1 else 'other file'} if it is a draft",
        why="with one build in two releases nobody can say which of them a verdict is about",
    )


def qa_only_problem(image: str, environment: Environment, where: str, field: str) -> Problem:
    """The refusal of a build that was made for trying only."""
    return Problem(
        where,
        field,
        f"{image}, a QA-only build (its label {LABEL_QA_ONLY} is true)",
        f"a build that may go to {environment.name}",
        f"release the build that was made for it ({image.removesuffix('-qa')}?)",
        why="a QA build carries scripts for trying; one of them in production was an outage",
    )


def other_releases(sources: Sources, lock: ImageLock, name: str) -> dict[str, list[tuple[str, str, str]]]:
    """Digest to name, file and image of the other releases that have it. A file that cannot be read has none.

    Whatever else is wrong with another release is said when that one is released, and stops no other.
    """
    found: dict[str, list[tuple[str, str, str]]] = {}
    for other in sources.release_names():
        if other == name:
            continue
        path = sources.releases / f"{other}.yaml"
        has: dict[str, str] = {}
        for image, _ in image_places(_lenient(path)):
            if (locked := lock.find(image)) is not None:
                has.setdefault(locked.digest, image)
        for digest, image in has.items():
            found.setdefault(digest, []).append((other, shown_path(path), image))
    return found


def image_places(value: Any) -> Iterator[tuple[str, Keys]]:
    """The images that a release's file names, and where; whatever else may be wrong with the file."""
    if not isinstance(value, dict):
        return
    objects = value.get("objects")
    for index, manifest in enumerate(objects if isinstance(objects, list) else []):
        for pod, keys in templates(manifest, ("objects", index)) if isinstance(manifest, dict) else ():
            for container, place in containers(pod, keys):
                if isinstance(container.get("image"), str):
                    yield container["image"], (*place, "image")
    migrations = value.get("migrations")
    if isinstance(migrations, dict) and isinstance(migrations.get("image"), str):
        yield migrations["image"], ("migrations", "image")


def _lenient(path: Path) -> Any:
    """Another release's file. What is wrong with it is said when it is released itself."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return None
