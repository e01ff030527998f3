"""A demo that is killed with -9 half-way: nothing is left of it, and the next one goes on where it was."""

from __future__ import annotations

import shutil
import signal

import pytest

from tests.dagtasks import tasks
from tests.e2e.demo import HOME, Demo

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.mark.parametrize("when", ["migrate: running", "approve: awaiting_input"])
def test_killed_half_way_leaves_nothing_and_the_next_run_goes_on(when: str) -> None:
    assert when.partition(":")[0] in tasks()
    home = HOME.with_name("e2e-killed")
    shutil.rmtree(home, ignore_errors=True)
    demo = Demo(home)
    demo.start(ONCE="1")
    try:
        demo.wait_for(when)
        demo.signal(signal.SIGKILL)
        demo.status(10)
        assert demo.left(20) == []
        demo.start(ONCE="1", KEEP="1")
        assert demo.status(600) == 0, demo.text
        for step in ("release-1 to qa", "release-2 to production"):
            assert f"{step} is out" in demo.text
        assert "has a run of an earlier demo (running), going on with it" in demo.text
        assert demo.left(0) == []
    finally:
        demo.end()
