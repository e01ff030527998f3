"""Reading what a release is made of, from the files a team edits; every problem at once."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.capacity.checks import check_facts, check_policies, planned_containers
from include.capacity.policy import CapacityPolicies, CapacityPolicy
from include.release.environments import Environment, Environments
from include.release.images import ImageLock
from include.release.manifests import Findings, check_object
from include.release.models import M, validated
from include.release.problems import Problem, RejectedError
from include.release.references import check_references
from include.release.spec import Release
from include.release.verdict_config import verdict_problems
from include.release.windows import window_problems
from include.release.yamlfile import Document, parse, read_text

PROJECT = Path(__file__).resolve().parents[2]
RELEASES_SETTING = "PLAN_REDUCE_REPEAT_RELEASES"
CONFIG_SETTING = "PLAN_REDUCE_REPEAT_CONFIG"
_APP = re.compile(r"^app: *[\"']?([a-z0-9-]+)[\"']? *(?:#.*)?$", re.MULTILINE)


@dataclass(frozen=True)
class Sources:
    """The directories a release is read from. The defaults are those of the project."""

    releases: Path
    config: Path

    @classmethod
    def from_environment(cls) -> Sources:
        """As the settings PLAN_REDUCE_REPEAT_RELEASES and PLAN_REDUCE_REPEAT_CONFIG say."""
        releases = os.environ.get(RELEASES_SETTING) or PROJECT / "include" / "releases"
        config = os.environ.get(CONFIG_SETTING) or PROJECT / "include" / "config"
        return cls(Path(releases), Path(config))

    def release_names(self) -> list[str]:
        """The releases there are. Looks at file names only: cheap enough for a DAG file."""
        return sorted(path.stem for path in self.releases.glob("*.yaml"))

    def app_names(self) -> list[str]:
        """The apps of these releases, for a form; read by eye, as no release has to be right for that."""
        found = set()
        for path in self.releases.glob("*.yaml"):
            # What cannot be read is told when it is released; the form of the others needs no such file.
            with contextlib.suppress(OSError):
                if app := _APP.search(path.read_text(errors="replace")):
                    found.add(app[1])
        return sorted(found)

    def wrong_app(self, app: str) -> Problem | None:
        """What is wrong with the app that was asked for; nothing when the files name no app at all."""
        known = self.app_names()
        if not known or app in known:
            return None
        return Problem("param app", "", repr(app), f"one of {', '.join(known)}", "choose one")

    def environment_names(self) -> list[str]:
        """The environments there are; empty when their file cannot be read (the first task says why)."""
        try:
            return [each.name for each in self.environments().environments]
        except RejectedError:
            return []

    def release_environment_names(self) -> list[str]:
        """Those of them to which one of the releases there are can go, for a form."""
        try:
            environments = self.environments().environments
        except RejectedError:
            return []
        apps = set(self.app_names())
        return [each.name for each in environments if not each.apps or apps.intersection(each.apps)]

    def environments(self) -> Environments:
        """The environments file. Raises RejectedError."""
        path = self.config / "environments.yaml"
        return read_one(Environments, path, shown_path(path), _check_environments)

    def image_lock(self, environment: Environment) -> ImageLock:
        """The lock file of an environment's registry. Raises RejectedError."""
        path = self.config / "images" / environment.image_lock
        return read_one(ImageLock, path, shown_path(path))

    def capacity_policy(self, environment: Environment) -> CapacityPolicy:
        """The rules that size an environment's workloads. Raises RejectedError."""
        path = self.config / "capacity.yaml"
        policies = read_one(CapacityPolicies, path, shown_path(path), _check_policies)
        found = policies.find(environment.capacity)
        if found is None:
            known = ", ".join(each.name for each in policies.policies)
            expected, fix = f"one of {known}", f"correct capacity: of {environment.name} in environments.yaml"
            problem = Problem(
                shown_path(path), "policies", f"no policy {environment.capacity!r}", expected, fix
            )
            raise RejectedError([problem], subject=shown_path(path))
        return found

    def read_release(self, name: str) -> LoadedRelease:
        """A release's file, checked by itself. Raises RejectedError."""
        path = self.releases / f"{name}.yaml"
        known = self.release_names()
        if name not in known:
            found = f"release {name!r}"
            if name.removesuffix(".yaml") in known:
                fix = f"write {name.removesuffix('.yaml')}, without .yaml"
            elif name.isprintable() and "/" not in name:
                fix = f"choose one, or add {shown_path(path)}"
            else:
                fix = "choose one"
            raise RejectedError(
                [Problem("param release", "", found, f"one of {', '.join(known)}", fix)], subject="the params"
            )
        return load_release(path)


@dataclass(frozen=True)
class LoadedRelease:
    """A release that is right by itself, with what it was read from and the risks found in it."""

    release: Release
    document: Document
    text: str
    risks: list[Problem]


def choice(names: list[str]) -> dict[str, Any]:
    """What a form offers: these names, as suggestions.

    Not as an ``enum``: a file that is newer than the last parse of the DAG can be released at once, and a name
    that does not exist is answered by the first task, with all that is there.
    """
    return {"examples": names} if names else {}


def shown_path(path: Path) -> str:
    """A path as a reader knows it: below the project if it is there."""
    return str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else str(path)


def load_release(path: Path) -> LoadedRelease:
    """Read and check one release file. Raises RejectedError with every problem in it."""
    name = shown_path(path)
    text = read_text(path, name)
    documents, problems = parse(text, name)
    if any(_is_manifest(document) for document in documents):
        raise RejectedError(_by_line([*problems, *_manifest_problems(documents)]), subject=name)
    document = _only(documents, problems, name)
    release, findings = validated(Release, document)
    problems.extend(findings)
    say = Findings(document)
    raw_objects = document.value.get("objects") if isinstance(document.value, dict) else None
    facts = document.value.get("capacity") if isinstance(document.value, dict) else None
    for index, manifest in enumerate(raw_objects if isinstance(raw_objects, list) else []):
        planned = planned_containers(facts, manifest) if isinstance(manifest, dict) else set()
        check_object(manifest, ("objects", index), say, planned)
    problems.extend(say.problems)
    if release is not None:
        check = Findings(document)
        check_references(release, path.stem, check)
        if release.capacity is not None:
            check_facts(release.capacity, release.objects, check)
        problems.extend(check.problems)
    stopping = [problem for problem in problems if problem.severity == "error"]
    if stopping or release is None:
        raise RejectedError(_by_line(problems), subject=name)
    return LoadedRelease(release, document, text, _by_line(problems))


def _is_manifest(document: Document) -> bool:
    value = document.value
    return isinstance(value, dict) and "kind" in value and "objects" not in value


def _manifest_problems(documents: list[Document]) -> Iterable[Problem]:
    first = documents[0]
    yield Problem(
        first.where(),
        "",
        f"a Kubernetes manifest (kind {first.value.get('kind') if isinstance(first.value, dict) else '?'})",
        "a release (name, stakeholders, code_changes, objects, smoke_checks, ...)",
        "put the manifest under objects: of a release; release-1.yaml shows one. What else is wrong with it:",
    )
    for document in documents:
        say = Findings(document)
        check_object(document.value, (), say)
        yield from say.problems


def _by_line(problems: Iterable[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: problem.line)


def _only(documents: list[Document], problems: list[Problem], name: str) -> Document:
    if len(documents) > 1:
        found = f"{len(documents)} YAML documents"
        problems.append(
            Problem(documents[1].where(), "", found, "one document", "remove what follows the line '---'")
        )
    return documents[0] if documents else Document(name)


def read_one(
    model: type[M], path: Path, name: str, check: Callable[[M, Document], list[Problem]] | None = None
) -> M:
    """One configuration file as its model, ``check``ed. Raises RejectedError with every problem in it."""
    documents, problems = parse(read_text(path, name), name)
    if problems and not documents:  # what cannot be read at all lacks nothing
        raise RejectedError(_by_line(problems), subject=name)
    document = _only(documents, problems, name)
    value, findings = validated(model, document)
    problems.extend(findings)
    if value is not None and check is not None:
        problems.extend(check(value, document))
    if problems or value is None:
        raise RejectedError(_by_line(problems), subject=name)
    return value


def _check_policies(value: CapacityPolicies, document: Document) -> list[Problem]:
    found = Findings(document)
    check_policies(value, found)
    return found.problems


def _check_environments(value: Environments, document: Document) -> list[Problem]:
    counts = Counter(each.name for each in value.environments)
    problems = []
    for index, each in enumerate(value.environments):
        if counts[each.name] > 1:
            where = document.where(("environments", index, "name"))
            problems.append(
                Problem(where, "environments", f"{each.name} {counts[each.name]} times", "each name once")
            )
        problems += window_problems(each.window, document, ("environments", index, "window"))
    return [*problems, *verdict_problems(value, document)]
