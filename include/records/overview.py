"""When was the last deploy, of what, by whom, and is that what runs now? For every app and environment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from include.records.models import Change
from include.records.store import Records
from include.release.environments import Environment, Environments
from include.release.kube import Cluster, KubeError
from include.release.problems import Problem, RejectedError, errors
from include.release.running import Live, compare, observe, settled, unsettled

Connect = Callable[[Environment], Cluster]
DEPTH = 50
"""Changes of one app and environment that are looked at for the last one that went out."""


@dataclass(frozen=True)
class Place:
    """One app in one environment: its last change, the last one that went out, and what runs."""

    app: str
    environment: str
    last: Change
    settled: Change | None
    live: Live

    def to_json(self) -> dict[str, Any]:
        """As data."""
        return {
            "app": self.app,
            "environment": self.environment,
            "last": self.last.model_dump(mode="json"),
            "went_out": self.settled.model_dump(mode="json") if self.settled else None,
            "live": asdict(self.live),
        }


def overview(
    records: Records,
    environments: Environments,
    connect: Connect,
    *,
    app: str | None = None,
    environment: str | None = None,
) -> list[Place]:
    """The places that have a change, in the order of the environments' file. Raises RecordsError."""
    order = [each.name for each in environments.environments]
    wanted = [
        (its_app, its_environment)
        for its_app, its_environment in records.places()
        if app in (None, its_app) and environment in (None, its_environment)
    ]
    wanted.sort(key=lambda each: (each[0], order.index(each[1]) if each[1] in order else len(order), each[1]))

    def place(each: tuple[str, str]) -> Place:
        history = records.changes(*each, limit=DEPTH)
        where = environments.find(each[1])
        return Place(*each, history[0], settled(history), live_state(history, where, connect))

    if not wanted:
        return []
    with ThreadPoolExecutor(
        max_workers=min(8, len(wanted))
    ) as pool:  # a cluster may take its time to be silent
        return list(pool.map(place, wanted))


def live_state(history: list[Change], environment: Environment | None, connect: Connect) -> Live:
    """What runs, compared; an unknown answer with its reason when the cluster does not tell."""
    if environment is None:
        return Live("unknown", f"{history[0].environment} is not in environments.yaml any more")
    try:
        running = observe(connect(environment), environment.namespace, history[0].app)
    except KubeError as error:
        reason = "cluster not reachable" if error.unreachable else "the cluster refuses"
        return Live(
            "unknown", f"{reason}: {error.message.splitlines()[0] if error.message else error.request}"
        )
    except RejectedError as error:
        first = next(iter(errors(error.problems)), None)
        found = f"{first.found} ({first.where})" if first else str(error)
        return Live("unknown", f"cluster not reachable: {found}")
    live = compare(history, running)
    since = unsettled(history)
    if not since:
        return live
    newest = since[0]
    state = "goes on" if newest.outcome == "running" else newest.outcome
    return Live(live.answer, f"{live.text} ({newest.kind} {newest.release} {state} since: {newest.run})")


def check_names(
    records: Records, environments: Environments, app: str | None, environment: str | None
) -> None:
    """Refuse a filter that can match nothing. Raises RejectedError, RecordsError."""
    places = records.places()
    apps = sorted({each for each, _ in places})
    known = list(
        dict.fromkeys([*(each.name for each in environments.environments), *(name for _, name in places)])
    )
    problems = []
    if environment is not None and environment not in known:
        problems.append(
            Problem("--environment", "", environment, f"one of {', '.join(known)}", "choose one of these")
        )
    if app is not None and apps and app not in apps:
        problems.append(Problem("--app", "", app, f"one of {', '.join(apps)}", "choose one of these"))
    if problems:
        raise RejectedError(problems, subject="the question", changed="Nothing was looked up.")
