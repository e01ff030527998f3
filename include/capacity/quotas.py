"""The ResourceQuotas of a namespace, and the most that a change uses of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from include.capacity.figures import amount
from include.capacity.requests import Amounts, asked_of_quota


@dataclass
class Quota:
    """One quota: what it allows, what is used, and the most that was used in between."""

    name: str
    hard: Amounts
    used: Amounts
    scopes: tuple[str, ...] = ()
    most: Amounts = field(default_factory=dict)

    def counts(self, spec: dict[str, Any], *, ends: bool) -> bool:
        """Whether the quota counts a pod of this spec. ``ends``: it has a deadline."""
        best_effort = not any(
            (each.get("resources") or {}).get(group)
            for each in (*(spec.get("containers") or []), *(spec.get("initContainers") or []))
            for group in ("requests", "limits")
        )
        holds = {
            "BestEffort": best_effort,
            "NotBestEffort": not best_effort,
            "Terminating": ends,
            "NotTerminating": not ends,
        }
        return all(holds.get(scope, True) for scope in self.scopes)

    def take(self, spec: dict[str, Any], times: int = 1) -> None:
        """Count a pod; with -1 give it back."""
        for name, value in asked_of_quota(spec).items():
            if name in self.hard:
                self.used[name] = self.used.get(name, Fraction(0)) + value * times
                self.most[name] = max(self.most.get(name, Fraction(0)), self.used[name])

    def over(self) -> Iterator[tuple[str, Fraction, Fraction]]:
        """What was used beyond the quota: name, most used, allowed."""
        for name, most in sorted(self.most.items()):
            if most > self.hard[name]:
                yield name, most, self.hard[name]


def quota_of(manifest: dict[str, Any]) -> Quota:
    """A quota as the cluster has it."""
    status, spec = manifest.get("status") or {}, manifest.get("spec") or {}
    hard = status.get("hard") or spec.get("hard") or {}
    used = status.get("used") or {}
    return Quota(
        name=manifest["metadata"]["name"],
        hard={name: amount(str(value)) for name, value in hard.items()},
        used={name: amount(str(value)) for name, value in used.items()},
        scopes=tuple(spec.get("scopes") or ()),
    )


def selects_more(manifest: dict[str, Any]) -> bool:
    """Whether a quota is for some pods only by rules that are not evaluated here (priority classes)."""
    return bool((manifest.get("spec") or {}).get("scopeSelector"))
