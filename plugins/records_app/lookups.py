"""The records and clusters that the page and the calls ask: those of the environments' Airflow connections."""

from __future__ import annotations

from dataclasses import dataclass

from include.records.overview import Place, overview
from include.records.store import Records
from include.release.environments import Environment, Environments
from include.release.kube import Cluster
from include.release.loading import Sources
from include.release.problems import Problem, RejectedError
from plugins.hooks.cluster import ClusterHook
from plugins.hooks.records import RecordsHook


@dataclass(frozen=True)
class Lookup:
    """The environments, and the records that they name."""

    sources: Sources
    environments: Environments
    records: dict[str, Records]

    def of(self, environment: str | None) -> list[tuple[Records, str | None]]:
        """The records to ask for one environment, or for all: each database once."""
        if environment is not None:
            found = self.environments.find(environment)
            if found is None:
                known = ", ".join(each.name for each in self.environments.environments)
                problem = Problem("environment", "", environment, f"one of {known}", "choose one of these")
                raise RejectedError([problem], subject="the question", changed="Nothing was looked up.")
            return [(self.records[found.records], environment)]
        return [(records, None) for records in self.records.values()]

    def places(self, environment: str | None) -> list[Place]:
        """What runs where."""
        return [
            place
            for records, only in self.of(environment)
            for place in overview(records, self.environments, connect, environment=only)
        ]


def look() -> Lookup:
    """The configuration of now. Raises RejectedError."""
    sources = Sources.from_environment()
    environments = sources.environments()
    names = dict.fromkeys(each.records for each in environments.environments)
    return Lookup(sources, environments, {name: RecordsHook(name).get_conn() for name in names})


def connect(environment: Environment) -> Cluster:
    """The cluster of an environment, asked once: a page does not wait for one that is silent."""
    return ClusterHook(environment.connection).get_conn(attempts=1)
