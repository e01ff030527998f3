"""Reading ``guards.yaml``, checked against the environments; every problem at once."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from include.release.environments import Environment
from include.release.loading import Sources, read_one, shown_path
from include.release.problems import Problem, RejectedError
from include.release.yamlfile import Document, parse, read_text
from include.restarts.guards import Guard, Guards
from include.restarts.places import Places, read_places
from include.restarts.salvaging import Salvaged, salvage


def read_guards(sources: Sources) -> Guards:
    """The guards. Raises RejectedError with every problem in their file."""
    path = sources.config / "guards.yaml"
    places = read_places(sources)
    return read_one(Guards, path, shown_path(path), lambda value, document: _check(value, document, places))


def read_right_guards(sources: Sources, *, to_rearm: bool = False) -> Salvaged:
    """The guards that are right, and what is wrong with the others.

    Args:
        sources: where the file is.
        to_rearm: those that can be re-armed will do.

    Raises:
        RejectedError: the file cannot be read, or none of its guards will do.
    """
    texts = [_text(sources.config / name) for name in ("environments.yaml", "guards.yaml")]
    return _right_guards(sources, to_rearm, *texts)


@lru_cache(maxsize=2)
def _right_guards(sources: Sources, to_rearm: bool, *_texts: bytes) -> Salvaged:
    """Of files with these texts. A task reads them for its DAG and for its step: with a thousand guards 0.1 s each."""
    try:
        return Salvaged(read_guards(sources))
    except RejectedError as error:
        found = _salvaged(sources)
        if found is None or not (found.guards.guards or (to_rearm and only_to_rearm(found, sources))):
            raise error from None
        return found


def _text(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # whoever reads it says why


def only_to_rearm(found: Salvaged, sources: Sources) -> list[Guard]:
    """The guards whose entry is wrong, and of which enough is right to re-arm them."""
    places = {each.name: each for each in read_places(sources).environments.environments}

    def target(guard: Guard) -> tuple[str, str, str]:
        place = places[guard.environment]
        return place.connection, place.namespace, guard.deployment

    names = {each.name for each in found.guards.guards}
    targets = {target(each) for each in found.guards.guards}
    result = []
    for guard in (each.guard for each in found.wrong):
        if guard is None or guard.environment not in places:
            continue
        # One that is another's copy has no DAG of its own.
        if guard.name not in names and target(guard) not in targets:
            result.append(guard)
        names.add(guard.name)
        targets.add(target(guard))
    return result


def placed_guards(sources: Sources, *, to_rearm: bool = False) -> list[tuple[Guard, Environment, Guards]]:
    """Every guard that is right, with where it acts, for the DAG files. Raises RejectedError when none is.

    With ``to_rearm`` also those that are only right enough to be re-armed.
    """
    guards, places = _guards(sources, to_rearm)[0], read_places(sources).environments
    return [
        (guard, place, guards)
        for guard in guards.guards
        if (place := places.find(guard.environment)) is not None
    ]


def read_guard(sources: Sources, name: str, *, to_rearm: bool = False) -> tuple[Guard, Environment, Guards]:
    """One guard, where it acts, and what all guards share. Raises RejectedError when this guard is not right.

    With ``to_rearm`` it need only be right enough to be re-armed.
    """
    guards, found = _guards(sources, to_rearm)
    guard = guards.find(name)
    place = read_places(sources).environments.find(guard.environment) if guard else None
    if guard is None or place is None:
        where = shown_path(sources.config / "guards.yaml")
        if problems := [problem for each in found.wrong for problem in each.problems]:
            raise RejectedError(problems, subject=where)
        known = ", ".join(each.name for each in guards.guards) or "none is configured"
        raise RejectedError([Problem(where, "guards", f"no guard {name!r}", known, "add it")], subject=where)
    return guard, place, guards


def _guards(sources: Sources, to_rearm: bool) -> tuple[Guards, Salvaged]:
    found = read_right_guards(sources, to_rearm=to_rearm)
    if not to_rearm:
        return found.guards, found
    every = [*found.guards.guards, *only_to_rearm(found, sources)]
    return found.guards.model_copy(update={"guards": every}), found


def _salvaged(sources: Sources) -> Salvaged | None:
    path, places = sources.config / "guards.yaml", read_places(sources)
    documents, problems = parse(read_text(path, shown_path(path)), shown_path(path))
    if len(documents) != 1:
        return None
    return salvage(documents[0], problems, lambda value, document: _check(value, document, places))


def _check(value: Guards, document: Document, places: Places) -> list[Problem]:
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
        place = places.environments.find(each.environment)
        if place is None and each.environment in places.wrong:
            wrong, where = places.wrong[each.environment], document.where(("guards", index, "environment"))
            found = f"{each.environment}, which is wrong itself: {wrong.where} {wrong.field}: {wrong.found}"
            problems.append(Problem(where, "environment", found, wrong.expected, wrong.fix))
            continue
        if place is None:
            where = document.where(("guards", index, "environment"))
            known = f"one of {', '.join(known.name for known in places.environments.environments)}"
            problems.append(
                Problem(
                    where,
                    "environment",
                    each.environment,
                    known,
                    "correct it, or add it to environments.yaml",
                )
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
