"""What tasks keep for the page of operations; what cannot be kept fails no task."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk import BaseOperator

from include.logs.messages import VolumeRun
from include.orders.alarm import alert_of
from include.release.problems import Problem
from plugins.operators.keeping import keep_backlog, keep_cleanup, keep_unknown
from tests.include.orders.world import backlog, orders, pace, place

LONG_AGO = datetime.now(UTC) - timedelta(days=1)
SPACE = {"free_percent": 40.0, "free": 400, "size": 1000, "ok": True}
AWAY = Problem("connection shop_database", "", "it does not answer", "a database", "bring it back")


@pytest.fixture
def task() -> BaseOperator:
    return BaseOperator(task_id="look")


def runs() -> list[VolumeRun]:
    failed = VolumeRun("web-logs", failure="`measure` failed: no such claim")
    return [VolumeRun("shop-logs", {"space": SPACE, "plan": {"entries": 1}}), failed]


def keep(task: BaseOperator, context: Any) -> None:
    keep_cleanup(task, runs(), context)
    alert = alert_of(backlog(961), pace(), orders(), raised=False)
    keep_backlog(task, place(), backlog(961), alert, pace(), context)


def test_each_volume_and_the_orders_are_kept_once_however_often_a_task_is_cleared(task, context, records):
    for _ in range(2):
        keep(task, context())
    found = {each.subject: each.figures for each in records.looks.since("volume", LONG_AGO)}
    assert {name: each["state"] for name, each in found.items()} == {
        "shop-logs": "cleaned up", "web-logs": "failed",
    }  # fmt: skip
    assert found["shop-logs"]["free_percent"] == 40.0
    assert "free_percent" not in found["web-logs"]
    (look,) = records.looks.since("orders", LONG_AGO)
    assert (look.subject, look.run, look.figures["waiting"]) == ("production", "release/run-1", 961)
    keep_unknown(task, place(), AWAY, context())
    (look,) = records.looks.since("orders", LONG_AGO)
    assert look.figures == {"unknown": "it does not answer", "fix": "bring it back"}


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/records.db", "postgres://shop:geheim@127.0.0.1:1/x", None]
)
def test_without_the_records_a_warning_is_all(task, context, monkeypatch, capsys, url):
    name = "AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS"
    monkeypatch.setenv(name, url) if url else monkeypatch.delenv(name, raising=False)
    keep(task, context())
    keep_unknown(task, place(), AWAY, context())
    said = capsys.readouterr().out
    assert said.count("cannot be kept for the page Operations") == 4
    assert "What was seen of web-logs cannot be kept" in said
    assert "geheim" not in said
