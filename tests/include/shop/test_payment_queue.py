"""The payment queue by itself: whatever is lost, late or killed, each payment ends once, and as the gateway has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from include.shop.shop.common.db import Database
from include.shop.shop.payments import queue as queue_module
from include.shop.shop.payments.queue import UNKNOWN, PaymentQueue, StateError
from tests.include.payments.world import World

SEEDS = 200
STEPS = 80


def test_any_order_of_things_settles_each_payment_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: dict[str, int] = {}
    for seed in range(SEEDS):
        world = World(tmp_path, seed, monkeypatch)
        for _ in range(STEPS):
            world.happen()
            if world.random.random() < 0.15:
                people = (world.hold, world.roll_back, world.release, world.roll_back_one)
                world.random.choice(people)()
                world.check()
        world.calm_down()
        for each in world.payments():
            ends[each["state"]] = ends.get(each["state"], 0) + 1
        world.close()
    # Both ends have to be common, or the test says little.
    assert min(ends["paid"], ends["rolled_back"]) > 500, ends


OLD_TABLES = (
    "CREATE TABLE payments ({identity}, order_name TEXT NOT NULL UNIQUE, amount_cents BIGINT NOT NULL, "
    "state TEXT NOT NULL, reason TEXT, charge_key TEXT NOT NULL UNIQUE, attempts INTEGER NOT NULL DEFAULT 0, "
    "next_try DOUBLE PRECISION NOT NULL DEFAULT 0, created_at TEXT NOT NULL, changed_at TEXT NOT NULL)",
    "CREATE TABLE queue_hold (reason TEXT NOT NULL, since TEXT NOT NULL)",
)
OLD_PAYMENTS = [
    # state, tries: what the program before this one had written, and what has to become of it
    ("queued", 0, "queued"),
    ("queued", 1, "queued"),
    ("queued", 2, "in_flight"),
    ("held", 0, "held"),
    ("held", 7, "in_flight"),
    ("in_flight", 1, "in_flight"),
    ("paid", 3, "paid"),
    ("rolled_back", 2, "rolled_back"),
]


def test_an_existing_database_is_brought_up_to_date_once(both: Any) -> None:
    database = Database(both.env["DATABASE_URL"])
    with database.transaction() as connection:
        for statement in OLD_TABLES:
            connection.execute(statement.format(identity=connection.identity()))
        connection.execute("INSERT INTO queue_hold (reason, since) VALUES ('gateway is down', '2026-11-20')")
        for number, (state, attempts, _) in enumerate(OLD_PAYMENTS):
            connection.insert(
                "INSERT INTO payments (order_name, amount_cents, state, charge_key, attempts, created_at, changed_at) "
                "VALUES (?, 100, ?, ?, ?, '', '')",
                (f"o-{number}", state, f"key-{number}", attempts),
            )
    for _ in range(2):
        queue = PaymentQueue(database)
        queue.create_tables()
        # A payment that was queued again after its second try may have arrived with the first.
        assert [each["state"] for each in queue.list(None)] == [state for _, _, state in OLD_PAYMENTS]
        assert queue.summary()["holds"] == [
            {"by": "hand", "run": "", "reason": "gateway is down", "since": "2026-11-20"}
        ]
    assert queue.release() == 1
    # Only the first start distrusts: what is queued by now was surely not sent.
    with database.transaction() as connection:
        connection.execute("UPDATE payments SET attempts = 9 WHERE state = 'queued'")
    queue.create_tables()
    assert queue.summary()["states"]["queued"]["payments"] == 3
    # The program before this one works on with it: it writes no new column.
    with database.transaction() as connection:
        connection.execute("INSERT INTO queue_hold (reason, since) VALUES ('by the old one', '2026-11-21')")
    assert queue.summary()["holds"][0]["by"] == "hand"
    assert queue.release() == 0
    assert queue.summary()["hold"] is None
    database.close()


@pytest.fixture
def queue(both: Any) -> Iterator[PaymentQueue]:
    database = Database(both.env["DATABASE_URL"])
    queue = PaymentQueue(database)
    queue.create_tables()
    yield queue
    database.close()


def test_the_queue_flows_again_when_the_last_holder_has_released_it(queue: PaymentQueue) -> None:
    queue.add("o-1", 100)
    assert queue.hold("stocktaking") == (1, True)
    assert queue.hold("network failure", "swype", "run-1") == (0, True)
    assert queue.hold("network failure", "swype", "run-1") == (0, True)
    assert [(each["by"], each["run"]) for each in queue.summary()["holds"]] == [
        ("hand", ""),
        ("swype", "run-1"),
    ]
    assert queue.release() == 0
    assert queue.summary()["hold"] == "network failure"
    assert queue.release("somebody else") == 0
    assert queue.release("swype", "run-2") == 0
    assert queue.release("swype", "run-1") == 1
    assert queue.summary()["hold"] is None


def test_a_run_holds_once(queue: PaymentQueue) -> None:
    queue.hold("network failure", "swype", "run-1")
    queue.release("swype", "run-1")
    assert queue.hold("network failure", "swype", "run-1") == (0, False)
    # A hold that is still on its way when it is released has come too late as well.
    queue.release("swype", "run-2")
    assert queue.hold("network failure", "swype", "run-2") == (0, False)
    with pytest.raises(StateError, match="the hold of run-2 has ended"):
        queue.roll_back_all("network failure", "run-2")
    assert queue.hold("by hand", "swype") == (0, True)
    queue.release("*")
    assert queue.hold("by hand", "swype") == (0, True)


def test_a_clock_that_jumped_ahead_delays_nothing_for_long(
    queue: PaymentQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.add("o-1", 100)
    clock = [5_000_000.0]
    monkeypatch.setattr(queue_module, "time", SimpleNamespace(time=lambda: clock[0]))
    one = queue.next_try()
    assert one is not None
    queue.record(one, UNKNOWN, "timed out")
    assert queue.next_try() is None
    clock[0] -= 86_400
    assert queue.next_try() is not None


def test_a_run_rolls_back_once(queue: PaymentQueue) -> None:
    queue.hold("network failure", "swype", "run-1")
    queue.add("o-1", 100)
    assert queue.roll_back_all("network failure", "run-1") == 1
    queue.add("o-2", 200)
    assert queue.roll_back_all("network failure", "run-1") == 0
    settlement = queue.summary()["settlements"][0]
    assert (settlement["run"], settlement["states"]) == (
        "run-1",
        {"rolled_back": {"payments": 1, "cents": 100}},
    )
    assert queue.summary()["states"]["held"] == {"payments": 1, "cents": 200}
