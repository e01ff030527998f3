"""The benchmark of the order processor: its arithmetic, its audit, and a short run of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from include.shop.shop.release_2.processing.pace import Pace
from tools.bench_orders import theory
from tools.bench_orders.drain import audit
from tools.bench_orders.figures import Claims, Drain, line, misses, overheads
from tools.bench_orders.options import read
from tools.demo.options import DemoError

ROOT = Path(__file__).resolve().parents[2]


def test_the_theoretical_drain_time_cannot_be_beaten_by_any_order_of_work():
    durations = [3.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert theory.lower_bound(durations, 2) == 4.0
    assert theory.listed(durations, 2) == 4.0
    assert theory.listed([*durations[1:], 3.0], 2) == 5.0
    assert theory.lower_bound([9.0, 1.0], 2) == 9.0
    assert theory.lower_bound([]) == 0


def test_an_order_takes_as_long_as_in_the_processor(monkeypatch):
    monkeypatch.setenv("ORDER_TIME_SCALE", "0.05")
    pace = Pace.from_settings()
    for quantity in (1, 4, 10):
        assert theory.seconds(quantity, 0.05) == pytest.approx(pace.seconds(quantity))
    assert theory.quantities(400) == theory.quantities(400)
    assert set(theory.quantities(400)) == set(range(1, 11))


def test_orders_that_are_lost_or_done_twice_are_found():
    said = "\n".join(
        ("Processing Order 1 [a/1]", "Processing Order 2 [b/1]", "Order Processed [a/1]", "Order Processed [b/1]",
         "Processing Order 2 [a/1]", "Order Processed [a/1]", "Processing Order 3 [a/1]")
    )  # fmt: skip
    assert audit([1, 2, 3], [1, 2, 3], said, [1, 2, 3]) == (0, 1, 1)
    assert audit([1, 2], [1, 2, 3], "", [1, 2, 3]) == (1, 0, 0)
    assert audit([1, 2, 3], [2, 3, 3], "", [1, 2, 3]) == (1, 1, 0)


def test_the_last_line_has_the_worst_of_both_databases():
    drains = [
        Drain("sqlite", 400, 50.0, 49.0, 49.2),
        Drain("sqlite", 400, 55.0, 49.0, 49.2, kills=9, again=18),
        Drain("postgresql", 400, 49.5, 49.0, 49.2),
        Drain("postgresql", 400, 59.4, 49.0, 49.2, kills=9, lost=1, twice=2),
    ]
    claims = [Claims("sqlite", 700.04, 2), Claims("postgresql", 500.0, 2, twice=3)]
    assert json.loads(line(drains, claims)) == {
        "efficiency": 0.98,
        "orders": 400,
        "lost": 1,
        "twice": 5,
        "kill_overhead": 0.2,
        "claims_per_s_sqlite": 700.0,
        "claims_per_s_postgres": 500.0,
    }
    assert overheads(drains) == pytest.approx([0.1, 0.2])
    found = misses(drains, claims)
    assert found == [
        "on postgresql with 9 kills: 1 orders lost, 2 done twice",
        "3 orders were claimed twice on postgresql",
    ]
    slow = [Drain("sqlite", 400, 60.0, 49.0, 49.2)]
    assert misses(slow, []) == ["efficiency on sqlite is 81.7%, less than 97%"]
    missing = json.loads(line(slow, [Claims("postgresql", reason="not installed")]))
    assert (missing["kill_overhead"], missing["claims_per_s_postgres"]) == (None, None)


def test_a_setting_out_of_range_is_named():
    assert (read({}).orders, read({"ORDERS": "12", "SCALE": "0.01"}).orders) == (400, 12)
    for name, value in (("ORDERS", "2.5"), ("ORDERS", "many"), ("SCALE", "7"), ("KILL_SECONDS", "0")):
        with pytest.raises(DemoError, match=f"{name}={value}: expected"):
            read({name: value})


@pytest.mark.long
def test_a_short_run():
    env = {**os.environ, "ORDERS": "40", "SCALE": "0.02", "KILL_SECONDS": "1", "BACKLOG": "2000"}
    done = subprocess.run(
        [sys.executable, "-m", "tools.bench_orders"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["orders"], found["lost"], found["twice"]) == (40, 0, 0)
    assert found["claims_per_s_sqlite"] > 10
