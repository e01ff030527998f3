"""The first step of a release: everything that the files and the request can be told to be wrong by themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from include.capacity.policy import CapacityPolicy
from include.release.asking import OUTSIDE_WINDOW, wrong_exception
from include.release.builds import build_problems
from include.release.environments import Environment, belongs, may_trigger
from include.release.frozen import Frozen, freeze
from include.release.images import ImageLock
from include.release.loading import LoadedRelease, Sources
from include.release.problems import Problem, RejectedError
from include.release.windows import refused_now


@dataclass(frozen=True)
class Request:
    """Who asks for what."""

    release: str
    environment: str
    user: str | None
    dry_run: bool
    problems: tuple[Problem, ...] = ()
    """What is wrong with the request itself."""
    outside_window: str = ""
    """Why it cannot wait for the change window."""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


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
            problems += _window(request, environment)
            lock = sources.image_lock(environment)
            policy = sources.capacity_policy(environment)
    except RejectedError as error:
        problems += error.problems
    try:
        loaded = sources.read_release(request.release)
    except RejectedError as error:
        problems += error.problems
    if environment is not None and loaded is not None:
        foreign = belongs(environment, loaded.release.app)
        problems += [foreign] if foreign else []
    if problems or environment is None or loaded is None or lock is None or policy is None:
        raise RejectedError(problems, subject=f"release {request.release!r} to {request.environment!r}")
    return environment, loaded, lock, policy


def _window(request: Request, environment: Environment) -> list[Problem]:
    """Whether it may start now. A dry run always may."""
    if request.dry_run:
        return []
    wrong = wrong_exception(environment, request.user, OUTSIDE_WINDOW, request.outside_window)
    if wrong is not None:
        return [wrong]
    closed = None if request.outside_window else refused_now(environment, request.at)
    return [closed] if closed else []
