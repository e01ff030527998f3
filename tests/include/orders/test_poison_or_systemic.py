"""Bad orders, or a processor that fails at everything: the shop's own processor, judged as the DAG does, hour after hour."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.orders.attributing import settled
from include.orders.backlog import Orders
from include.orders.deciding import Decision, Tried, decide
from include.orders.facts import Backlog, BatchEnd, Judgement
from include.orders.job import STOP_AFTER, TRIES
from include.orders.sizing import size_batch
from tests.include.orders.world import judged, known, orders, pace
from tests.include.shop import orderbook
from tests.include.shop.conftest import images, shop  # noqa: F401 - fixtures

GONE = "UPDATE plants SET name = name || ' (gone)'"
BACK = "UPDATE plants SET name = replace(name, ' (gone)', '')"


class Hours:
    """Batches of the real processor, one after the other, with the settings that the DAG gives them."""

    def __init__(self, shop: Any) -> None:  # noqa: F811
        self.shop = shop
        self.rules = orders().errors
        shop.env |= {"ORDER_PROCESSES": "1", "ORDER_CONCURRENCY": "2"}
        self.raw = sqlite3.connect(shop.folder / "shop.db", isolation_level=None)
        self.ask = Orders(lambda sql, values: self.raw.execute(sql, values).fetchall(), "sqlite")
        self.verdict = Judgement(verdict="clean", text="")
        self.restarts = 0

    def batch(self, expect: int = 0, **settings: str) -> Decision:
        """Run one, and decide."""
        began = datetime.now(UTC) - timedelta(milliseconds=1)
        rules = {STOP_AFTER: str(self.rules.systemic_orders), TRIES: str(self.rules.tries), **settings}
        output = self.shop.run("shop:2.0.0", "shop.orders", "--once", expect=expect, **rules)
        found, _, _ = judged(output.splitlines())
        self.verdict = settled(found, self.ask.kept_since(began), self.rules.systemic_orders, known())
        end = BatchEnd(end="failed", exit_code=expect) if expect else BatchEnd(end="complete")
        tried = Tried(restarts=self.restarts)
        decision = decide(self.verdict, end, self.backlog(), tried, orders(), known())
        self.restarts = decision.next == "restart"
        return decision

    def backlog(self) -> Backlog:
        return self.ask.backlog(datetime.now(UTC))

    def come(self, many: int, item: str = "item") -> None:
        """So many new orders, like the first ones; ``item`` is an expression."""
        columns = f"INSERT INTO orders (user_id, item, quantity, status, created_at) SELECT user_id, {item}"
        self.raw.execute(
            f"{columns}, quantity, 'open', created_at FROM orders WHERE id <> 4 ORDER BY id LIMIT ?", (many,)
        )

    def aside(self) -> list[int]:
        return [order for (order,) in self.raw.execute("SELECT id FROM orders WHERE status = 'held'")]

    def now(self) -> dict[str, int]:
        return orderbook.orders(self.shop)


@pytest.fixture
def hours(shop: Any) -> Iterator[Hours]:  # noqa: F811
    shop.prepare(1, 2)
    orderbook.allow_null(shop)
    found = Hours(shop)
    yield found
    found.raw.close()


def test_eight_null_orders_at_the_head_are_set_aside_and_the_others_are_processed(hours):
    hours.raw.execute("UPDATE orders SET item = NULL WHERE id <= 8")
    decision = hours.batch()
    assert hours.aside() == list(range(1, 9))
    assert hours.now() == {"processed": 12, "held": 8, "fulfilled": 12}
    assert (hours.verdict.verdict, hours.verdict.code) == ("poison", "13")
    assert hours.verdict.text.startswith(
        "12 orders processed. Single orders failed, others went on: Error #13"
    )
    assert (decision.next, decision.good, decision.works) == ("done", True, True)


def test_empty_catalogs_cost_no_order_its_tries_and_are_handed_over(hours):
    hours.raw.execute(GONE)
    steps = [hours.batch(expect=4, **{TRIES: "2"}) for _ in range(3)]
    assert hours.now() == {"open": 20, "fulfilled": 0}
    assert [each.next for each in steps] == ["restart", "hand_over", "restart"]
    assert steps[1].tell == "developers"
    hours.raw.execute(BACK)
    assert hours.batch(**{TRIES: "2"}).works
    assert hours.now() == {"processed": 20, "fulfilled": 20}


def test_four_orders_an_hour_that_all_fail_are_everything_in_the_second_hour(hours):
    hours.raw.execute("UPDATE orders SET item = 'Triffid' WHERE id = 4")
    hours.batch()
    assert hours.aside() == [4]
    hours.raw.execute(GONE)
    hours.come(4)
    decision = hours.batch()
    assert hours.aside() == [4, 21, 22, 23, 24]
    assert (hours.verdict.verdict, hours.verdict.processed, decision.works) == ("poison", 0, False)
    assert "no other was there that would say whether others fail, too" in hours.verdict.text
    hours.come(4)
    decision = hours.batch(expect=4)
    assert (hours.verdict.verdict, hours.verdict.code, decision.next) == ("systemic", "12", "restart")
    # What was set aside for it is open again; the order that failed while others were processed is not.
    assert hours.aside() == [4]
    decision = hours.batch(expect=4)
    assert (decision.next, decision.tell) == ("hand_over", "developers")
    assert hours.now() == {"processed": 19, "held": 1, "open": 8, "fulfilled": 19}
    hours.raw.execute(BACK)
    assert hours.batch().works
    assert hours.now() == {"processed": 27, "held": 1, "fulfilled": 27}


def test_a_success_of_another_processor_is_one_between(hours):
    began = datetime.now(UTC) - timedelta(seconds=1)
    hours.raw.execute("UPDATE orders SET item = 'Triffid'")
    hours.batch(**{STOP_AFTER: "0", TRIES: "1"})
    log = (hours.shop.folder / "orders.log").read_text().splitlines()
    found, stop, _ = judged(log)
    assert stop is not None
    assert settled(found, hours.ask.kept_since(began), 5, known()).verdict == "systemic"
    hours.raw.execute("INSERT INTO plants (name, price_cents) VALUES ('Aloe', 900)")
    hours.come(2, item="'Aloe'")
    hours.shop.run("shop:2.0.0", "shop.orders", "--once")
    found = settled(found, hours.ask.kept_since(began), 5, known())
    assert (found.verdict, found.text.endswith("and 2 orders were processed: others go on.")) == (
        "poison",
        True,
    )


def test_where_only_orders_without_a_known_status_wait_a_batch_sets_them_aside(hours):
    hours.raw.execute("UPDATE orders SET status = CASE WHEN id % 2 = 0 THEN 'OPEN' END")
    before = hours.backlog()
    assert (before.waiting, before.without_status, before.left) == (0, 20, 20)
    assert size_batch(before, pace(), orders().schedule, before.at).limit > 0
    decision = hours.batch()
    assert hours.now() == {"held": 20, "fulfilled": 0}
    assert (hours.verdict.verdict, hours.verdict.code, decision.next) == ("poison", "13", "done")
    assert hours.verdict.text.startswith(
        "0 orders processed. Orders failed, each by its own fault: Error #13"
    )
    assert {(each.code, each.of_code) for each in hours.ask.set_aside()} == {("13", 20)}
