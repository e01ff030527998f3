"""A mistake in a guard's entry is no reason to leave its service at zero: it can be re-armed."""

from __future__ import annotations

from include.restarts.press import read_note
from plugins.operators.confirm import ConfirmOperator
from plugins.operators.rearm import (
    CheckRearmOperator,
    LockRearmOperator,
    ProbeUpstreamOperator,
    RestoreOperator,
)
from tests.plugins.guarded import Guards, Run


def test_a_pressed_guard_whose_entry_is_wrong_is_re_armed(guards: Guards) -> None:
    guards.add()
    guards.trip()
    pressing = guards.begin()
    guards.confirm(pressing)
    guards.press(pressing)
    guards.change(threshold=0)
    params = {
        "dry_run": False,
        "reason": "a test",
        "force": "no probe here",
        "replicas": None,
        "break_lock": None,
    }
    run = Run("web_rearm", "run-1", "boss", **params)
    run.execute(CheckRearmOperator(task_id="check", guard="web"))
    run.execute(LockRearmOperator(task_id="lock", guard="web"))
    run.execute(ProbeUpstreamOperator(task_id="probe_upstream", guard="web"))
    run.execute(RestoreOperator(task_id="restore", guard="web"))
    assert set(run.states.values()) == {"success"}
    assert read_note(guards.live()) is None
    assert guards.replicas() > 0
    again = guards.begin(run_id="run-2")
    again.execute(ConfirmOperator(task_id="confirm", guard="web"))
    assert again.states["confirm"] == "failed"  # and only re-armed: nothing presses by a wrong entry
