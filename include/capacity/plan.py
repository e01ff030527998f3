"""A capacity plan: what runs, what it holds, and how that was worked out. It travels as JSON."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from include.capacity.figures import amount, cpu_text, memory_text
from include.release.texts import plural

MOST_PODS = 5000
"""More of one workload is a slip of the pen: Kubernetes is tested with 5,000 nodes."""


class Part(BaseModel):
    """A part of a plan. Unknown keys are left out, so that a plan of a later version can be read."""

    model_config = ConfigDict(frozen=True)


class Size(Part):
    """Pods of a workload, and what the container of each asks for; None where it asks for nothing."""

    replicas: int
    memory_request: str | None = None
    memory_limit: str | None = None
    cpu_request: str | None = None
    cpu_limit: str | None = None

    @property
    def text(self) -> str:
        """``7 x 320Mi, 250m``."""
        return f"{self.replicas} x {self.memory_request or 'no memory'}, {self.cpu_request or 'no cpu'}"

    def resources(self) -> dict[str, dict[str, str]]:
        """The ``resources`` of a container."""
        pairs = {
            "requests": {"memory": self.memory_request, "cpu": self.cpu_request},
            "limits": {"memory": self.memory_limit, "cpu": self.cpu_limit},
        }
        found = {group: {name: each for name, each in of.items() if each} for group, of in pairs.items()}
        return {group: of for group, of in found.items() if of}


class Held(Part):
    """What a pod has to carry in one case."""

    case: str
    pods: int
    each: str
    memory: str
    cpu: str


class GivesWay(Part):
    """What runs out, and when; the first of a list runs out first."""

    what: str
    at: str
    in_all: str


class AssumptionMade(Part):
    """An ambiguous fact and how it was read."""

    question: str
    binding: str
    because: str
    others: list[str]


class UnderReading(Part):
    """The result if facts are read in another way. ``planned`` of the binding reading is the plan itself."""

    reading: str
    binding: bool
    needs: str
    planned: Size
    runs: str
    """Whether what runs holds it under this reading."""


class Compared(Part):
    """One figure of another answer beside the plan's."""

    figure: str
    documented: str
    planned: str
    same: bool
    words: str


class WorkloadPlan(Part):
    """The plan of one Deployment."""

    workload: str
    container: str
    kind: Literal["serving", "queue", "unmeasured"]
    planned: Size
    """What the facts and the policy give."""
    full: Size
    """The plan's size, with the figures that the spec pins itself; ``holds``, ``gives_way`` and ``readings`` are of it."""
    runs: Size
    """What is deployed: the full size, or in a trial fewer pods of it."""
    differs: list[str] = []
    """Why what runs is not what was planned."""
    facts: list[str] = []
    arithmetic: list[str] = []
    holds: list[Held] = []
    gives_way: list[GivesWay] = []
    assumptions: list[AssumptionMade] = []
    readings: list[UnderReading] = []
    source: str = ""
    """Whose answer ``compared`` is about."""
    compared: list[Compared] = []


class Plan(Part):
    """The plan of a release in an environment."""

    policy: str
    rules: list[str]
    pods_out: int = 0
    """Serving pods that may be out at peak."""
    trial: str = ""
    """Why fewer pods run than planned; empty when as many run."""
    workloads: list[WorkloadPlan]

    def of(self, workload: str) -> WorkloadPlan | None:
        """The plan of one Deployment."""
        return next((each for each in self.workloads if each.workload == workload), None)

    @property
    def in_all(self) -> str:
        """What all pods ask for together, as they are deployed."""
        runs = [each.runs for each in self.workloads]
        memory = sum((amount(each.memory_request or "0") * each.replicas for each in runs), Fraction(0))
        cpu = sum((amount(each.cpu_request or "0") * each.replicas for each in runs), Fraction(0))
        pods = sum(each.replicas for each in runs)
        return f"{plural(pods, 'pod')}, which ask for {memory_text(memory)} memory and {cpu_text(cpu)} CPU"

    def resources(self, workload: str) -> dict[str, dict[str, str]]:
        """``resources`` of a container that does the same work elsewhere, such as a batch in a Job.

        Raises:
            KeyError: the plan has no such workload.
        """
        found = self.of(workload)
        if found is None:
            known = ", ".join(each.workload for each in self.workloads)
            raise KeyError(f"the plan has no workload {workload}, only {known}")
        return found.runs.resources()

    @property
    def digest(self) -> str:
        """SHA-256 of the whole plan."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON-able values."""
        return self.model_dump(mode="json")

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Plan:
        """A plan that ``to_dict`` made. Raises pydantic's ValidationError."""
        return cls.model_validate(value)
