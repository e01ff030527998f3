"""Cases in files: a recorded death with its label, or a Pod as ``kubectl get pod -o json`` prints it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from include.release.problems import Problem, RejectedError
from include.restarts.cause.classifying import classify
from include.restarts.cause.finding import Finding
from include.restarts.cause.measuring import Judged
from include.restarts.cause.status import culprits

_FORM = "a Pod, a List with one, or {pod, events, logs, label}"


@dataclass(frozen=True)
class Case:
    """One death to explain; ``label`` is empty when nobody said what it was."""

    name: str
    pod: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)
    logs: dict[str, dict[str, Any]] = field(default_factory=dict)
    label: str = ""
    also: tuple[str, ...] = ()

    def judged(self) -> tuple[str, Judged]:
        """The container that is to explain most, and what was found of it."""
        name, finding = self.finding()
        return name, Judged(self.name, self.label, self.also, finding)

    def finding(self) -> tuple[str, Finding]:
        """The container that is to explain most, and why it ended."""
        suspects = culprits(self.pod)
        name = suspects[0].name if suspects else ""
        return name, classify(self.pod, name, self.events, self.logs)


def read_cases(paths: list[Path]) -> Iterator[Case]:
    """The cases in files and folders (their ``*.json``). Raises RejectedError for one that is none."""
    for path in paths:
        files = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not files:
            raise RejectedError(
                [Problem(str(path), "", "no *.json in it", _FORM, "name a folder of cases")], "the cases"
            )
        yield from (_read(each) for each in files)


def _read(path: Path) -> Case:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        problem = Problem(str(path), "", str(error), f"JSON: {_FORM}", "kubectl get pod NAME -o json > FILE")
        raise RejectedError([problem], "the cases", changed="") from None
    if isinstance(value, dict) and value.get("kind") == "List" and value.get("items"):
        value = value["items"][0]
    if isinstance(value, dict) and "pod" not in value and ("spec" in value or "status" in value):
        value = {"pod": value}
    if not isinstance(value, dict) or not isinstance(value.get("pod"), dict):
        raise RejectedError(
            [Problem(str(path), "", "something else", _FORM, "give the file of one pod")], "the cases"
        )
    return Case(
        name=str(value.get("case") or path.stem),
        pod=value["pod"],
        events=value.get("events") or [],
        logs=value.get("logs") or {},
        label=str(value.get("label") or ""),
        also=tuple(value.get("also") or ()),
    )
