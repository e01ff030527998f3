"""The harness's own scheduler decides as Airflow's does."""

from __future__ import annotations

import pytest

from tests.chaos.dagrun import decide


@pytest.mark.parametrize(
    ("rule", "states", "setups", "wanted"),
    [
        ("all_success", ["success", None], [], "wait"),
        ("all_success", ["success", "success"], [], "run"),
        ("all_success", ["failed", None], [], "upstream_failed"),
        ("all_success", ["skipped", "success"], [], "skipped"),
        ("one_failed", ["success", None], [], "wait"),
        ("one_failed", ["upstream_failed", None], [], "run"),
        ("one_failed", ["success", "skipped"], [], "skipped"),
        ("all_done", ["failed", "skipped"], [], "run"),
        ("all_done", ["failed", None], [], "wait"),
        ("all_done_setup_success", ["failed", "success"], ["success"], "run"),
        ("all_done_setup_success", ["success", "failed"], ["failed"], "upstream_failed"),
        ("all_done_setup_success", ["success", "skipped"], ["skipped"], "skipped"),
        ("none_failed", ["skipped", "success"], [], "run"),
        ("none_failed_min_one_success", ["skipped", "skipped"], [], "skipped"),
    ],
)
def test_trigger_rules(rule, states, setups, wanted):
    assert decide(rule, states, setups) == wanted
