"""Whether a task that failed is tried again by itself: on-call has nothing to do until its last try has failed, too."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator, get_current_context

from include.release.texts import plural

WHAT_NOW = "What now: "
"""How texts for on-call begin to say what to do."""


def tries_left(ti: Any) -> int:
    """How often Airflow tries a task again after this try; 0 when that is not known."""
    return max(int(getattr(ti, "max_tries", 0) or 0) + 1 - int(getattr(ti, "try_number", 1) or 1), 0)


def with_retry(operator: BaseOperator, text: str) -> str:
    """The text of an error; where the task is tried again by itself, it says so, and that what to do counts only later."""
    try:
        left = tries_left(get_current_context()["ti"])
    except RuntimeError:  # no task runs: a test calls the operator's parts
        return text
    if not left:
        return text
    longest = operator.max_retry_delay or operator.retry_delay
    seconds = int(longest if isinstance(longest, int | float) else longest.total_seconds())
    again = (
        f"This task tries again by itself, within {plural(seconds, 'second')} and up to {plural(left, 'more time')}: nothing has to "
        "be done yet."
    )
    head, found, todo = text.partition(WHAT_NOW)
    return f"{head.rstrip()}\n{again}\nIf its last try fails, too: {todo}" if found else f"{text}\n{again}"
