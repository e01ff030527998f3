"""Is the request itself right? What Airflow lets through when a run is triggered over its API."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from include.release.environments import ANYONE, Environment
from include.release.problems import Problem

REASON_LENGTH = 3
STOP, GO_ON = "stop", "go on"
"""What a run does about one that was interrupted before it."""
INTERRUPTED, OUTSIDE_WINDOW, BREAK_LOCK, REASON = "interrupted", "outside_window", "break_lock", "reason"
FORCE, REPLICAS = "force", "replicas"
"""Names of params that lift a guard, and of the one that says why."""
_AIRFLOWS_OWN = "airflow/"


def wrong_request(conf: Mapping[str, Any], reason: str, params: Collection[str]) -> tuple[Problem, ...]:
    """Keys that are no param, and a reason that gives none.

    A key that nobody reads is no small thing: a ``dryrun`` would be a release in earnest.

    Args:
        conf: what the run was triggered with.
        reason: the param.
        params: names of the DAG's params.
    """
    problems = []
    for key in conf:
        if key in params or key.startswith(_AIRFLOWS_OWN):
            continue
        close = difflib.get_close_matches(key.lower(), params, n=1)
        fix = f"write {close[0]} instead" if close else "leave it out"
        problems.append(
            Problem(f"param {key}", "", "a key that is no param", f"one of {', '.join(params)}", fix)
        )
    if not gives_reason(reason):
        problems.append(_no_reason(REASON, reason, "say why now; a ticket will do"))
    return tuple(problems)


def gives_reason(text: str | None) -> bool:
    """Whether a text says something: at least three characters, blanks around them not counted."""
    return len((text or "").strip()) >= REASON_LENGTH


def wrong_exception(
    environment: Environment, user: str | None, param: str, text: str | None
) -> Problem | None:
    """None when a guard may be lifted: its param is empty, or gives a reason and the user may approve there.

    Args:
        environment: where.
        user: who triggered the run.
        param: name of the param that lifts the guard, such as ``break_lock``.
        text: its value, the reason.
    """
    if text is None or text == "":
        return None
    if not gives_reason(text):
        return _no_reason(param, text, "say why this cannot be done the usual way, or leave it empty")
    allowed = environment.may_approve
    if ANYONE in allowed or (user is not None and user in allowed):
        return None
    return Problem(
        f"param {param}",
        f"{environment.name}.may_approve",
        f"asked for by {user or 'nobody'}",
        f"one of {', '.join(allowed)}",
        "leave it empty, or ask one of them to trigger it",
    )


def _no_reason(param: str, text: str, fix: str) -> Problem:
    expected = f"at least {REASON_LENGTH} characters, blanks around them not counted"
    return Problem(f"param {param}", "", repr(text), expected, fix)
