"""Reading ``guards.yaml``, checked against the environments; every problem at once."""

from __future__ import annotations

from collections import Counter

from include.release.environments import Environment
from include.release.loading import Sources, read_one, shown_path
from include.release.problems import Problem, RejectedError
from include.release.yamlfile import Document
from include.restarts.guards import Guard, Guards


def read_guards(sources: Sources) -> Guards:
    """The guards. Raises RejectedError with every problem in their file."""
    path = sources.config / "guards.yaml"
    places = {each.name: each for each in sources.environments().environments}
    return read_one(Guards, path, shown_path(path), lambda value, document: _check(value, document, places))


def guard_names(sources: Sources) -> list[str]:
    """The guards there are; empty when their file cannot be read (the liveness check says why)."""
    try:
        return [each.name for each in read_guards(sources).guards]
    except RejectedError:
        return []


def read_guard(sources: Sources, name: str) -> tuple[Guard, Environment, Guards]:
    """One guard, where it acts, and what all guards share. Raises RejectedError."""
    guards = read_guards(sources)
    guard = guards.find(name)
    place = sources.environments().find(guard.environment) if guard else None
    if guard is None or place is None:
        known = ", ".join(each.name for each in guards.guards) or "none is configured"
        where = shown_path(sources.config / "guards.yaml")
        raise RejectedError([Problem(where, "guards", f"no guard {name!r}", known, "add it")], subject=where)
    return guard, place, guards


def _check(value: Guards, document: Document, places: dict[str, Environment]) -> list[Problem]:
    problems = []
    names = Counter(each.name for each in value.guards)
    targets = Counter((each.environment, each.deployment) for each in value.guards)
    for index, each in enumerate(value.guards):
        if names[each.name] > 1:
            where = document.where(("guards", index, "name"))
            problems.append(
                Problem(where, "guards", f"{each.name} {names[each.name]} times", "each name once")
            )
        if targets[each.environment, each.deployment] > 1:
            where = document.where(("guards", index, "deployment"))
            found = f"{each.deployment} in {each.environment} has {targets[each.environment, each.deployment]} guards"
            problems.append(
                Problem(where, "guards", found, "one guard for a Deployment", "remove one of them")
            )
        if each.environment not in places:
            where = document.where(("guards", index, "environment"))
            known = f"one of {', '.join(places)}"
            problems.append(
                Problem(where, "environment", each.environment, known, "add it to environments.yaml")
            )
        if each.causes != "any" and not each.causes:
            where = document.where(("guards", index, "causes"))
            problems.append(
                Problem(where, "causes", "no cause", "at least one, or any", "name what should press")
            )
    return problems
