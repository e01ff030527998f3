"""Reading ``guards.yaml``, checked against the environments; every problem at once."""

from __future__ import annotations

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


def placed_guards(sources: Sources) -> list[tuple[Guard, Environment, Guards]]:
    """Every guard with where it acts, for the DAG files. Raises RejectedError."""
    guards, places = read_guards(sources), sources.environments()
    return [
        (guard, place, guards)
        for guard in guards.guards
        if (place := places.find(guard.environment)) is not None
    ]


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
    names: dict[str, int] = {}
    targets: dict[tuple[str, str, str], str] = {}
    for index, each in enumerate(value.guards):
        line = document.line(("guards", index, "name"))
        if each.name in names:
            where = document.where(("guards", index, "name"))
            found = f"{each.name} again (first on line {names[each.name]})"
            expected = "each name once: its DAGs and its counts are kept under it"
            problems.append(Problem(where, "name", found, expected, "choose another"))
        names.setdefault(each.name, line)
        place = places.get(each.environment)
        if place is None:
            where = document.where(("guards", index, "environment"))
            known = f"one of {', '.join(places)}"
            problems.append(
                Problem(where, "environment", each.environment, known, "add it to environments.yaml")
            )
            continue
        target = (place.connection, place.namespace, each.deployment)
        if target in targets:
            where = document.where(("guards", index, "deployment"))
            found = f"{each.deployment} in namespace {place.namespace}, which {targets[target]} has already"
            expected = "one guard for a Deployment: two would press and re-arm against each other"
            problems.append(Problem(where, "deployment", found, expected, "remove one of them"))
        targets.setdefault(target, f"the guard {each.name} (line {line})")
    return problems
