"""docs/orders.md names what there is: every verdict, every kind of message, and settings that exist."""

from __future__ import annotations

import re
from typing import get_args

from include.orders.config import Errors, Messages, Orders, Schedule
from include.orders.facts import Verdict
from include.release.loading import PROJECT

TEXT = (PROJECT / "docs" / "orders.md").read_text()


def test_every_verdict_that_needs_somebody_has_a_row():
    rows = set(re.findall(r"^\| (\w+) \|", TEXT, re.MULTILINE))
    assert rows >= set(get_args(Verdict)) - {"clean"}


def test_every_kind_of_message_has_a_row():
    for kind in ("alert", "handed over", "set aside", "proposal", "refused", "resolved"):
        assert f"| **{kind}**" in TEXT


def test_every_setting_that_is_named_exists():
    known = {name for model in (Orders, Schedule, Errors, Messages) for name in model.model_fields}
    named = set(re.findall(r"`([a-z]+_[a-z_]+)`", TEXT)) - {
        "order_processor",
        "order_backlog",
        "restart_helps",
        # tables, and the connection to them
        "order_claims",
        "order_problems",
        "shop_database",
        # of a release's file, and an Airflow Variable
        "old_build_compatible",
        "plan_reduce_repeat_orders_told",
    }
    assert named <= known
    assert {"systemic_orders", "update_minutes", "remind_hours", "silent_minutes"} <= named
