"""The first step of a release: everything that the files and the request can be told to be wrong by themselves."""

from __future__ import annotations

from dataclasses import dataclass

from include.capacity.policy import CapacityPolicy
from include.release.builds import build_problems
from include.release.environments import Environment, may_trigger
from include.release.frozen import Frozen, freeze
from include.release.images import ImageLock
from include.release.loading import LoadedRelease, Sources
from include.release.problems import Problem, RejectedError


@dataclass(frozen=True)
class Request:
    """Who asks for what."""

    release: str
    environment: str
    user: str | None
    dry_run: bool
    problems: tuple[Problem, ...] = ()
    """What is wrong with the request itself."""


@dataclass(frozen=True)
class Checked:
    """The frozen release, and what somebody should know about it."""

    frozen: Frozen
    risks: list[Problem]


def check(request: Request, sources: Sources) -> Checked:
    """Read, check and freeze a release. Asks no cluster, changes nothing.

    Raises:
        RejectedError: with every problem.
    """
    environment, loaded, lock, policy = _read(request, sources)
    problems = build_problems(loaded, environment, lock, sources)
    if problems:
        raise RejectedError(problems, subject=f"the builds of {request.release!r} to {request.environment!r}")
    frozen = freeze(loaded, environment, lock, policy)
    return Checked(frozen, loaded.risks)


def _read(request: Request, sources: Sources) -> tuple[Environment, LoadedRelease, ImageLock, CapacityPolicy]:
    """The files, or every problem in all of them together."""
    problems: list[Problem] = [*request.problems]
    environment: Environment | None = None
    loaded: LoadedRelease | None = None
    lock: ImageLock | None = None
    policy: CapacityPolicy | None = None
    try:
        environments = sources.environments()
        environment = environments.find(request.environment)
        if environment is None:
            known = ", ".join(each.name for each in environments.environments)
            found = f"environment {request.environment!r}"
            problems.append(Problem("param environment", "", found, f"one of {known}", "choose one"))
        else:
            refused = may_trigger(environment, request.user)
            problems += [refused] if refused else []
            lock = sources.image_lock(environment)
            policy = sources.capacity_policy(environment)
    except RejectedError as error:
        problems += error.problems
    try:
        loaded = sources.read_release(request.release)
    except RejectedError as error:
        problems += error.problems
    if problems or environment is None or loaded is None or lock is None or policy is None:
        raise RejectedError(problems, subject=f"release {request.release!r} to {request.environment!r}")
    return environment, loaded, lock, policy
