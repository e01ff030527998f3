"""Is the request itself right? What Airflow lets through when a run is triggered over its API."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from include.release.problems import Problem

PARAMS = ("release", "environment", "dry_run", "reason")
REASON_LENGTH = 3
_AIRFLOWS_OWN = "airflow/"


def wrong_request(conf: Mapping[str, Any], reason: str) -> tuple[Problem, ...]:
    """Keys that are no param, and a reason that gives none.

    A key that nobody reads is no small thing: a ``dryrun`` would be a release in earnest.

    Args:
        conf: what the run was triggered with.
        reason: the param.
    """
    problems = []
    for key in conf:
        if key in PARAMS or key.startswith(_AIRFLOWS_OWN):
            continue
        close = difflib.get_close_matches(key.lower(), PARAMS, n=1)
        fix = f"write {close[0]} instead" if close else "leave it out"
        problems.append(
            Problem(f"param {key}", "", "a key that is no param", f"one of {', '.join(PARAMS)}", fix)
        )
    if len(reason.strip()) < REASON_LENGTH:
        expected = f"at least {REASON_LENGTH} characters, blanks around them not counted"
        problems.append(Problem("param reason", "", repr(reason), expected, "say why now; a ticket will do"))
    return tuple(problems)
