"""What the processor that is live gets done: by orders.yaml, else by the capacity facts of its release."""

from __future__ import annotations

from typing import Any

from include.capacity.facts import Queue
from include.orders.config import Orders
from include.orders.facts import Backlog
from include.orders.sizing import Pace, pace_of
from include.release.applying import spec_name
from include.release.environments import Environment
from include.release.frozen import NOTE_DIGEST, NOTE_RELEASE
from include.release.kube import Cluster
from include.release.loading import Sources
from include.release.problems import Problem, RejectedError
from include.release.saved import stored_release


def live_pace(
    cluster: Cluster,
    environment: Environment,
    orders: Orders,
    deployment: dict[str, Any] | None,
    backlog: Backlog | None,
) -> Pace:
    """The pace of the processor that is live.

    Args:
        cluster: where it runs.
        environment: its environment.
        orders: the configuration; its ``capacity`` wins.
        deployment: the processor's Deployment as it is live; None when there is none.
        backlog: with what was measured of late; None when it is not known.

    Raises:
        RejectedError: nobody says what it gets done.
        KubeError: the cluster does not answer.
    """
    measured = backlog.seconds_per_order if backlog else None
    if orders.capacity is not None:
        return pace_of(orders.capacity, "orders.yaml", measured)
    notes = ((deployment or {}).get("metadata") or {}).get("annotations") or {}
    name, digest = notes.get(NOTE_RELEASE, ""), notes.get(NOTE_DIGEST, "")
    stored = stored_release(cluster, environment, spec_name(name, digest)) if name and digest else None
    facts = _facts(stored.release.capacity if stored else None, orders)
    if facts is None:
        raise RejectedError(
            [_nobody_says(environment, orders, name)],
            subject="what the order processor gets done",
            changed="No batch was started.",
        )
    return pace_of(facts, f"capacity facts of {name}", measured)


def pace_without_cluster(
    sources: Sources, orders: Orders, backlog: Backlog | None, went_out: str = ""
) -> Pace:
    """The pace by orders.yaml, else by the file of a release: for a look that asks no cluster.

    The release that went out last counts; where nobody knows it, or it has no facts, the newest one that has. Files
    that cannot be read are passed over: a draft must not hide what is live.

    Args:
        sources: the releases.
        orders: the configuration; its ``capacity`` wins.
        backlog: with what was measured of late; None when it is not known.
        went_out: name of the release that went out last; empty when nobody knows.

    Raises:
        RejectedError: nobody says what it gets done.
    """
    measured = backlog.seconds_per_order if backlog else None
    if orders.capacity is not None:
        return pace_of(orders.capacity, "orders.yaml", measured)
    found: list[tuple[bool, int, str, Queue]] = []
    for name in sources.release_names():
        try:
            release = sources.read_release(name).release
        except RejectedError:
            continue
        facts = _facts(release.capacity, orders)
        if release.app == orders.app and facts is not None:
            found.append((name == went_out, release.number, name, facts))
    if not found:
        problem = Problem(
            "include/config/orders.yaml",
            "capacity",
            f"absent, and no release of {orders.app} has capacity facts of {orders.workload}",
            "what the processor gets done",
            "add capacity: {processes, at_a_time, seconds_per_order, seconds_per_order_at_most}",
        )
        raise RejectedError([problem], subject="what the order processor gets done")
    _, _, name, facts = max(found, key=lambda each: each[:2])
    return pace_of(facts, f"capacity facts of {name}", measured)


def _facts(capacity: Any, orders: Orders) -> Queue | None:
    queues: list[Queue] = capacity.queues if capacity is not None else []
    return next((each for each in queues if each.workload == orders.workload), None)


def _nobody_says(environment: Environment, orders: Orders, release: str) -> Problem:
    of = f"of {release} " if release else ""
    return Problem(
        f"namespace {environment.namespace}",
        f"Deployment {orders.workload}",
        f"no capacity facts {of}are kept in this namespace",
        "capacity.queues of the release that brought it, or capacity in include/config/orders.yaml",
        "add capacity: {processes, at_a_time, seconds_per_order, seconds_per_order_at_most} to include/config/orders.yaml",
    )
