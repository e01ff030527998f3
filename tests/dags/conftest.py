"""Whole runs by ``dag.test()``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest

from include.jobs import waiting

POLL_SECONDS = 0.05


@pytest.fixture(scope="module", autouse=True)
def _no_second_between_tasks() -> Iterator[None]:
    """``dag.test()`` sleeps a second each time that a state only has to be handed on, as from a failed task to its successors.

    Jobs that end at once are looked at sooner too.
    """
    with pytest.MonkeyPatch.context() as patch:
        sleep = time.sleep

        def shorter(seconds: float) -> None:
            caller = sys._getframe(1).f_globals.get("__name__")
            sleep(POLL_SECONDS if caller == "airflow.sdk.definitions.dag" else seconds)

        patch.setattr(time, "sleep", shorter)
        patch.setattr(waiting, "POLL_SECONDS", 0.2)
        yield
