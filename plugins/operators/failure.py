"""Why a task failed, in one sentence, left where the tasks at the end of the run find it."""

from __future__ import annotations

import contextlib
import logging
from typing import Any, Literal

from airflow.sdk import get_current_context

from include.release.problems import RejectedError, errors

KEY = "failure"
LENGTH = 400
Kind = Literal["refused", "failed", "trouble"]
"""A check said no; a step went wrong; something around it did not work (the cluster, a worker, the program)."""


def remember(reason: str, kind: Kind) -> None:
    """Push the reason as the XCom ``failure`` of the task that runs now. The next try clears it.

    Never raises: a reason that cannot be kept must not hide the failure itself.
    """
    with contextlib.suppress(RuntimeError):  # no task runs: a test calls the operator's parts
        ti: Any = get_current_context()["ti"]
        try:
            ti.xcom_push(key=KEY, value={"reason": one_sentence(reason), "kind": kind})
        except Exception as error:  # (whatever keeps the API server from answering)
            logging.getLogger(__name__).warning("The reason of the failure cannot be kept: %s", error)


def rejection(error: RejectedError) -> str:
    """The first problem in a sentence, and how many more there are."""
    found = errors(error.problems) or list(error.problems)
    if not found:
        return str(error)
    first, more = found[0], len(found) - 1
    also = f" (and {more} more)" if more else ""
    return f"{error.subject}: {f'{first.where} {first.field}'.strip()}: found {first.found}, expected {first.expected}{also}"


def one_sentence(text: str) -> str:
    """The first line of a text, without its end mark, and not too long."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "no reason given").rstrip(".:")
    return line if len(line) <= LENGTH else line[: LENGTH - 1] + "…"
