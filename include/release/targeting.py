"""From where to where a rollback goes: read from what earlier runs kept in the namespace, never from files."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from include.release.applying import spec_name
from include.release.environments import Environment
from include.release.frozen import LABEL_APP, LABEL_BASE, NOTE_DIGEST, NOTE_RUN, Frozen
from include.release.jobs import LABEL_DIRECTION, LABEL_MIGRATION
from include.release.kube import Cluster
from include.release.lease import Journal
from include.release.lock import Lock
from include.release.problems import Problem, RejectedError
from include.release.saved import (
    SavedState,
    all_saved,
    key_of,
    live_objects,
    read_saved,
    running_release,
    saved_name,
    stored_release,
)

PREVIOUS = "previous"
BEFORE = "before "


class Undone(BaseModel):
    """A release that is undone: the ConfigMap that keeps it, and the migrations that were applied before it.

    ``came`` is when it first came on this way; releases are undone the newest first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    spec: str
    applied: list[str] | None
    came: str = ""


class Route(BaseModel):
    """From what to what, as names of ConfigMaps. ``layers`` are undone newest first; ``target`` may be empty.

    ``aside`` are releases that came meanwhile and were gone back from: migrations of theirs may have been kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    layers: list[Undone]
    target: str
    before: str
    aside: list[Undone] = []


@dataclass(frozen=True)
class Found:
    """The target of a rollback, and the way there."""

    target: Frozen
    route: Route
    undoing: list[str]


def own_route(cluster: Cluster, frozen: Frozen, run: str) -> Route | None:
    """Back over what a run did itself, and over interrupted runs that it went on from. None before it saved a state.

    Never farther than to the release that ran as a whole: an interrupted run counts when it found the same one
    (it only migrated), or when this run found a half-released state, which is nothing to go back to.

    Raises:
        KubeError: the cluster does not answer.
    """
    environment, app = frozen.environment, frozen.release.app
    mine = read_saved(cluster, environment.namespace, saved_name(app, run))
    if mine is None:
        return None
    state = Lock(cluster, environment.namespace, app).read()
    # Once a step has seen where this run led, the lock has forgotten them; a run that is cleared then has not.
    left = [each.saved_state for each in state.left if each.run != run] or mine.over
    passed = [mine]
    for name in reversed(left):
        found = read_saved(cluster, environment.namespace, name)
        if found is None or passed[-1].previous_spec not in ("", found.previous_spec):
            break
        passed.append(found)
    return _over(passed)


def begun(cluster: Cluster, frozen: Frozen, run: str, route: Route) -> bool:
    """Whether a run, or an interrupted one that it went on from, has changed what runs or the database.

    Raises:
        KubeError: the cluster does not answer.
    """
    if len(route.layers) > 1 or route.before != saved_name(frozen.release.app, run):
        return True
    namespace = frozen.environment.namespace
    journal = Lock(cluster, namespace, frozen.release.app).read().journal
    if journal.run == run and journal.stage not in ("", "configure") and frozen.release.steps:
        return True  # it came as far as its migrations, whatever became of their Jobs
    before = read_saved(cluster, namespace, route.before)
    labels = f"{LABEL_APP}={frozen.release.app},{LABEL_MIGRATION},{LABEL_DIRECTION}=up"
    jobs = cluster.list("Job", namespace, labels=labels)
    if any(_notes(job).get(NOTE_RUN, "").startswith(f"{run}/") for job in jobs):
        return True
    return any(
        _notes(each).get(NOTE_DIGEST) == frozen.digest
        and _notes((before.find(key_of(each)) if before else None) or {}).get(NOTE_DIGEST) != frozen.digest
        for each in live_objects(cluster, frozen)
    )


def passed_by(cluster: Cluster, frozen: Frozen, run: str, route: Route) -> list[Journal]:
    """Interrupted releases that a route leaves where they are: what they migrated would be forgotten.

    One that only migrated leaves the release before it running as a whole, so ``previous`` would go one too far.

    Raises:
        KubeError: the cluster does not answer.
    """
    state = Lock(cluster, frozen.environment.namespace, frozen.release.app).read()
    gone_over = {route.target, *(each.spec for each in route.layers)}
    ended = [state.journal] if not state.holder else []  # of a holder the task `lock` speaks
    return [
        each
        for each in (*state.left, *ended)
        if each.unfinished
        and each.run != run
        and each.kind == "release"
        and each.stage != "configure"
        and spec_name(each.release, each.spec_digest) not in gone_over
    ]


def refuse_passing_by(left: Sequence[Journal], app: str, environment: Environment) -> RejectedError:
    """The refusal of a route that does not go over these interrupted runs."""
    found = ", ".join(f"{each.run} ({each.release}, interrupted at `{each.stage}`)" for each in left)
    problem = Problem(
        "param target",
        f"{app} in {environment.name}",
        f"a target that does not lead back over {found}",
        f"one that does: '{BEFORE}{left[0].run}'",
        f"trigger the DAG rollback with the target '{BEFORE}{left[0].run}'; from there go farther back if need be",
        why="what an interrupted run has migrated would be left behind and forgotten",
    )
    return RejectedError([problem], subject="the target of the rollback")


def find_target(cluster: Cluster, environment: Environment, app: str, wanted: str) -> Found:
    """What to go back to, and over which releases.

    Args:
        cluster: where.
        environment: under whose rules.
        app: what.
        wanted: a release's name, ``previous``, or ``before <run>``.

    Raises:
        RejectedError: there is no such target, with those that there are.
        KubeError: the cluster does not answer.
    """
    states = all_saved(cluster, environment.namespace, app)
    wanted = " ".join(wanted.split())
    if wanted.startswith(BEFORE):
        route = _before_run(states, wanted.removeprefix(BEFORE))
    else:
        route = _from_live(cluster, environment, app, wanted, states)
    if route is None:
        raise _no_target(environment, app, wanted, states)
    target = stored_release(cluster, environment, route.target)
    if target is None:
        raise _not_kept(environment, app, wanted, route, states)
    # What was refused before it changed anything was not kept: nothing of it is there.
    refused = _changed_nothing(states)
    stored = {
        each.spec: cluster.get("ConfigMap", environment.namespace, each.spec) is not None
        for each in (*route.layers, *route.aside)
    }
    layers = [each for each in route.layers if stored[each.spec] or each.spec not in refused]
    route = route.model_copy(
        update={"layers": layers, "aside": [each for each in route.aside if stored[each.spec]]}
    )
    return Found(target, route, [each.spec for each in layers])


def _changed_nothing(states: Sequence[SavedState]) -> set[str]:
    """The releases whose runs have, as far as saved states tell, changed nothing; of the newest run they do not tell."""
    changed: set[str] = set()
    unchanged: set[str] = set()
    for newer, each in zip((None, *states), states, strict=False):
        found = unchanged if newer is None or _same(newer, each) else changed
        found.add(spec_name(each.release, each.digest))
    return unchanged - changed


def _before_run(states: Sequence[SavedState], run: str) -> Route | None:
    """Over this run and all later ones. The run may be named without its DAG."""
    mine = next((each for each in states if each.run == run or each.run.partition("/")[2] == run), None)
    return _over([each for each in states if each.taken_at >= mine.taken_at]) if mine else None


def _from_live(
    cluster: Cluster, environment: Environment, app: str, wanted: str, states: Sequence[SavedState]
) -> Route | None:
    """Along the chain of what each release found, from the one that is live. None when it does not lead there."""
    stored = _any_stored(cluster, environment, app)
    if stored is None:
        return None
    release, digest = running_release(cluster, stored, live_objects(cluster, stored))
    if digest and release == wanted:
        return Route(layers=[], target=spec_name(release, digest), before="")
    passed: list[SavedState] = []
    used: set[str] = set()
    while digest and release != wanted:
        seen = {each.digest for each in passed}
        step = next(
            (
                each
                for each in states
                if each.kind == "release"
                and each.digest == digest
                and each.previous_digest not in (digest, *seen)
            ),
            None,
        )
        if step is None:
            return None
        # A second try found migrations of the first: what was there before is what every try found.
        tries = _tries(states, step)
        used |= {each.name for each in tries}
        passed.append(step.model_copy(update={"applied": _common([each.applied for each in tries])}))
        release, digest = step.previous_release, step.previous_digest
        if wanted == PREVIOUS:
            break
    reached = wanted in (PREVIOUS, release)
    if not passed or not reached:
        return None
    since = [
        each
        for each in states
        if each.kind == "release" and each.taken_at > passed[-1].taken_at and each.name not in used
    ]
    return _over(passed).model_copy(update={"aside": _undone(since)})


def _tries(states: Sequence[SavedState], last: SavedState) -> list[SavedState]:
    """The tries of one release, newest first, between which nothing else changed anything.

    What was tried, gone back from and tried again later found what had been kept on purpose.
    """
    found = [last]
    older = states[states.index(last) :]
    for newer, each in itertools.pairwise(older):
        if (each.kind, each.digest, each.previous_digest) == ("release", last.digest, last.previous_digest):
            found.append(each)
        elif not _same(newer, each):
            break
    return found


def _over(states: Sequence[SavedState]) -> Route:
    """The route over these runs, newest first, to what the oldest of them found."""
    oldest = states[-1]
    layers = [each for each in _undone(states) if each.spec != oldest.previous_spec]
    return Route(layers=layers, target=oldest.previous_spec, before=oldest.name)


def _undone(states: Sequence[SavedState]) -> list[Undone]:
    """The releases that these runs brought, in the order in which they first came, newest first."""
    found: dict[str, list[SavedState]] = {}
    for each in reversed(states):
        found.setdefault(spec_name(each.release, each.digest), []).append(each)
    return [
        Undone(spec=spec, applied=_common([each.applied for each in runs]), came=runs[0].taken_at)
        for spec, runs in reversed(found.items())
    ]


def _common(found: Sequence[list[str] | None]) -> list[str] | None:
    """What every run found applied; None when one does not know."""
    known = [each for each in found if each is not None]
    if len(known) < len(found):
        return None
    return [name for name in known[0] if all(name in each for each in known)]


def _any_stored(cluster: Cluster, environment: Environment, app: str) -> Frozen | None:
    """Some stored release of the app: it tells which objects are the app's."""
    labels = f"{LABEL_BASE}={app}-spec"
    found = cluster.list("ConfigMap", environment.namespace, labels=labels)
    newest = sorted(found, key=lambda each: str(each["metadata"].get("creationTimestamp", "")), reverse=True)
    return stored_release(cluster, environment, newest[0]["metadata"]["name"]) if newest else None


def _notes(thing: dict[str, Any]) -> dict[str, str]:
    return (thing.get("metadata") or {}).get("annotations") or {}


def _no_target(
    environment: Environment, app: str, wanted: str, states: Sequence[SavedState]
) -> RejectedError:
    problem = Problem(
        "param target",
        f"{app} in {environment.name}",
        f"{wanted!r}, to which nothing that was kept leads from what is live",
        f"{PREVIOUS}, the name of a release that was live before, or '{BEFORE}<run>'",
        f"choose one of these, or trigger a release:\n{_choices(states)}",
    )
    return RejectedError([problem], subject="the target of the rollback")


def _not_kept(
    environment: Environment, app: str, wanted: str, route: Route, states: Sequence[SavedState]
) -> RejectedError:
    if route.target:
        found = f"{wanted!r}, whose ConfigMap {route.target} is gone"
    else:
        found = f"{wanted!r}, where what ran had not, as a whole, been brought by a release"
    kept = (
        f"; the objects that were there are in ConfigMap {route.before}, key state.json"
        if route.before
        else ""
    )
    problem = Problem(
        "param target",
        f"{app} in {environment.name}",
        found,
        "a state that a release had brought and that is kept",
        f"choose another of these, or trigger a release{kept}:\n{_choices(states)}",
    )
    return RejectedError([problem], subject="the target of the rollback")


def _choices(states: Sequence[SavedState]) -> str:
    useful = [each for newer, each in zip((None, *states), states, strict=False) if not _same(newer, each)]
    lines = [f"    {BEFORE}{each.run}: {each.previous}, as found at {each.taken_at}" for each in useful]
    return "\n".join(lines) or "    (no run has kept anything here yet)"


def _same(newer: SavedState | None, older: SavedState) -> bool:
    """The next run found what this one had found: it changed nothing, or what it changed was taken back."""
    return (
        newer is not None
        and older.applied is not None
        and (newer.previous_spec, newer.objects, newer.applied)
        == (older.previous_spec, older.objects, older.applied)
    )
