"""Where guards stand, when not all of ``environments.yaml`` is right: a mistake in one place disarms no guard of another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from include.release.environments import Environment, Environments
from include.release.loading import Sources, shown_path
from include.release.problems import Problem, RejectedError
from include.release.yamlfile import Document, parse, read_text

KEY = "environments"


@dataclass(frozen=True)
class Places:
    """The environments that are right, and of each other one the first thing that is wrong with it, by name."""

    environments: Environments
    wrong: Mapping[str, Problem] = field(default_factory=dict)


def read_places(sources: Sources) -> Places:
    """The environments that guards can stand in.

    What releases ask of the whole file (windows, whose verdict counts) is no reason that a guard does not guard.

    Raises:
        RejectedError: the file cannot be read, or it is not to be told which of its environments are right.
    """
    try:
        return Places(sources.environments())
    except RejectedError as error:
        found = _salvaged(sources, error)
        if found is None:
            raise error from None
        return found


def _salvaged(sources: Sources, error: RejectedError) -> Places | None:
    path = sources.config / "environments.yaml"
    documents, problems = parse(read_text(path, shown_path(path)), shown_path(path))
    document = documents[0] if len(documents) == 1 else Document("")
    listed = document.value.get(KEY) if isinstance(document.value, dict) else None
    if problems or not isinstance(listed, list):
        return None  # a mistake in the YAML itself may be anywhere
    counts = Counter(_name(each) for each in listed)
    right, wrong = [], {}
    for index, each in enumerate(listed):
        place = _environment(each)
        if place is not None and counts[place.name] == 1:
            right.append(place)
        elif name := _name(each):
            wrong[name] = _problem(document, index, error)
    return Places(Environments(environments=right), wrong) if right else None


def _environment(raw: Any) -> Environment | None:
    try:
        return Environment.model_validate(raw)
    except ValidationError:
        return None


def _name(raw: Any) -> str:
    name = raw.get("name") if isinstance(raw, dict) else None
    return name if isinstance(name, str) else ""


def _problem(document: Document, index: int, error: RejectedError) -> Problem:
    """The first of the problems that is in this environment."""
    first, after = document.line((KEY, index)), document.lines.get((KEY, index + 1))
    here = [each for each in error.problems if first <= each.line and (after is None or each.line < after)]
    return here[0] if here else error.problems[0]
