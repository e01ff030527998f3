"""A sign of life to a monitor outside: one that does not come is noticed there, also when all of Airflow is down."""

from __future__ import annotations

import time
from typing import Any

import requests
from airflow.sdk import BaseHook, BaseOperator
from airflow.sdk.exceptions import AirflowNotFoundException

from include.release.problems import Problem, RejectedError
from plugins.operators.base import say

TIMEOUT_SECONDS = 10
TRIES = 3
WAIT_SECONDS = 5.0


def send_heartbeat(operator: BaseOperator, connection: str) -> str:
    """GET the URL that a connection has as its password; it is a secret, so nothing here names it.

    Returns what the monitor answered. Raises RejectedError when it cannot be sent.
    """
    url = _url(connection)
    said = ""
    for attempt in range(1, TRIES + 1):
        said = _ask(url)
        if said.startswith("2"):
            return said
        say(operator, f"Heartbeat (connection {connection}), try {attempt} of {TRIES}: {said}", error=True)
        if attempt < TRIES:
            time.sleep(WAIT_SECONDS)
    raise RejectedError(
        [
            Problem(
                f"connection {connection}",
                "password",
                said,
                "an answer 2xx of the outside monitor",
                "is the monitor up, and the URL still its own? Clear this task to send it again",
            )
        ],
        subject="the heartbeat",
        changed="The run itself is not changed by this; the monitor will raise its own alarm.",
    )


def _url(connection: str) -> str:
    try:
        found: Any = BaseHook.get_connection(connection)
    except AirflowNotFoundException:
        found = None
    url = str(getattr(found, "password", "") or "")
    if url.startswith(("http://", "https://")):
        return url
    problem = Problem(
        f"connection {connection}",
        "password",
        "no such connection" if found is None else "no URL",
        "the URL that the outside monitor waits for, as the connection's password",
        "add it under Admin, Connections, or set heartbeat: null",
    )
    raise RejectedError([problem], subject="the heartbeat", changed="The run itself is not changed by this.")


def _ask(url: str) -> str:
    """The answer's status, or what kept it from coming. An exception's text may have the URL in it, so it is left out."""
    try:
        answer = requests.get(url, timeout=TIMEOUT_SECONDS)
    except requests.RequestException as error:
        return f"no answer ({type(error).__name__})"
    return f"{answer.status_code} {answer.reason}"
