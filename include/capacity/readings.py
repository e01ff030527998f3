"""Ambiguous facts: which reading binds, and every combination of the others."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from include.capacity.plan import AssumptionMade

MOST_COMBINATIONS = 64
"""A table that people read."""


class _Reading(Protocol):
    @property
    def name(self) -> str: ...


R = TypeVar("R", bound=_Reading, covariant=True)


class _Assumption(Protocol[R]):
    @property
    def question(self) -> str: ...
    @property
    def binding(self) -> str: ...
    @property
    def because(self) -> str: ...
    @property
    def readings(self) -> Sequence[R]: ...


def binding(assumptions: Sequence[_Assumption[R]]) -> list[R]:
    """The reading of each assumption that the plan is made with. Raises ValueError when there is none of that name."""
    chosen = []
    for assumption in assumptions:
        found = next((each for each in assumption.readings if each.name == assumption.binding), None)
        if found is None:
            raise ValueError(f"no reading is named {assumption.binding!r}")
        chosen.append(found)
    return chosen


def combinations(assumptions: Sequence[_Assumption[R]]) -> Iterator[list[R]]:
    """Every combination of readings, the binding one first."""
    ordered = [
        sorted(each.readings, key=lambda reading, of=each: reading.name != of.binding)  # type: ignore[misc]
        for each in assumptions
    ]
    for chosen in itertools.product(*ordered):
        yield list(chosen)


def named(assumptions: Sequence[_Assumption[R]], chosen: Sequence[R]) -> str:
    """How a combination reads: what is different from the binding one."""
    others = [each.name for each, of in zip(chosen, assumptions, strict=True) if each.name != of.binding]
    return "; ".join(others) if others else "as planned"


def made(assumptions: Sequence[_Assumption[R]]) -> list[AssumptionMade]:
    """The assumptions as the plan names them."""
    return [
        AssumptionMade(
            question=each.question,
            binding=each.binding,
            because=each.because,
            others=[reading.name for reading in each.readings if reading.name != each.binding],
        )
        for each in assumptions
    ]
