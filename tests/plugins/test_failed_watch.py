"""A watch that fails: people hear of it, once per cooldown, though the run after it tries again by itself."""

from __future__ import annotations


def test_kopf_1276_a_watch_that_fails_in_every_run_is_told_once(guards, chat):
    guards.add()
    for run_id in ("run-1", "run-2"):
        run = guards.begin(run_id=run_id)
        run.states |= {"watch": "failed", "confirm": "upstream_failed"}
        guards.tell(run)
        # Red, so that the run is, and not tried again: people are told.
        assert run.states["tell"] == "failed"
        assert "People are told; this run has failed: `watch` failed" in run.errors["tell"]
    (told,) = chat.told
    assert told.startswith(f"*[failed] web-app in {guards.namespace} (guard web)*")
    assert "The guard could not decide: `watch` failed: its log says why." in told
