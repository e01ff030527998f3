"""UpCommerce, Swype and the gateway as processes: payments arrive once, whatever breaks in between."""

from __future__ import annotations

import re
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from include.shop.shop.common import settings

NETWORK_BREAKS = ["refuse", "reset", "timeout", "tls"]


class Payments:
    """The three programs, and what is asked of them again and again."""

    def __init__(self, shop: Any) -> None:
        self.shop = shop
        self.start_gateway()

    def start_gateway(self) -> None:
        ledger = str(self.shop.folder / "charges.jsonl")
        self.gateway = self.shop.start("gateway:1.0.0", "shop.gateway", GATEWAY_LEDGER=ledger).serving()
        place = re.search(r"charging on (\S+)", self.gateway.output())
        assert place
        self.gateway_url = f"http://{place[1]}"

    def restart_gateway(self) -> None:
        self.gateway.end(signal.SIGKILL)
        self.start_gateway()

    def mode(self, mode: str, seconds: float = 0) -> None:
        assert self.gateway.call("POST", "/mode", {"mode": mode, "seconds": seconds})[0] == 200

    def charges(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.gateway.get("/charges")[1]["charges"]
        return found

    def swype(self, check_seconds: float = 0.3) -> Any:
        return self.shop.start(
            "swype:1.0.0",
            "shop.swype",
            GATEWAY_URL=self.gateway_url,
            GATEWAY_TIMEOUT_SECONDS="0.4",
            GATEWAY_CHECK_SECONDS=str(check_seconds),
            GATEWAY_START_SECONDS="0.6",
            TERMINATION_LOG=str(self.shop.folder / "termination-log"),
        )

    def upcommerce(self, swype: str) -> Any:
        return self.shop.start(
            "upcommerce:1.0.0",
            "shop.upcommerce",
            SWYPE_URL=swype,
            SWYPE_TIMEOUT_SECONDS="1",
            DATABASE_URL=f"sqlite:///{self.shop.folder / 'upcommerce.db'}",
        ).serving()


@pytest.fixture
def payments(shop: Any) -> Payments:
    return Payments(shop)


def read_payments(shop: Any, order: str) -> dict[str, Any]:
    """A payment, read while no program runs."""
    with closing(sqlite3.connect(shop.folder / "upcommerce.db")) as database:
        database.row_factory = sqlite3.Row
        return dict(database.execute("SELECT * FROM payments WHERE order_name = ?", (order,)).fetchone())


def states(upcommerce: Any) -> dict[str, int]:
    counts = upcommerce.get("/queue")[1]["states"]
    return {state: count["payments"] for state, count in counts.items() if count["payments"]}


def test_a_payment_is_charged(payments: Payments, until: Callable[..., Any]) -> None:
    upcommerce = payments.upcommerce(payments.swype().serving().url)
    status, payment = upcommerce.call("POST", "/payments", {"order": "o-1", "amount_cents": 4500})
    assert (status, payment["state"]) == (201, "queued")
    until(lambda: states(upcommerce) == {"paid": 1}, "it is paid")
    assert [charge["amount_cents"] for charge in payments.charges()] == [4500]
    status, again = upcommerce.call("POST", "/payments", {"order": "o-1", "amount_cents": 4500})
    assert (status, again["id"]) == (200, payment["id"])
    assert upcommerce.call("POST", "/payments", {"order": "o-1", "amount_cents": 1})[0] == 409
    upcommerce.call("POST", "/payments", {"order": "o-2", "amount_cents": 2_000_000})
    until(lambda: states(upcommerce) == {"paid": 1, "rolled_back": 1}, "a declined one is rolled back")


@pytest.mark.parametrize("mode", NETWORK_BREAKS)
def test_swype_dies_of_a_network_failure_and_says_so(
    payments: Payments, mode: str, until: Callable[..., Any]
) -> None:
    swype = payments.swype().serving()
    payments.mode(mode)
    status = swype.process.wait(10)
    assert status == 1
    message = (payments.shop.folder / "termination-log").read_text()
    assert message.startswith("network failure: cannot talk to the payment gateway: ")
    assert message.strip() in swype.output()
    # As it is restarted: it dies again until the gateway is back.
    assert payments.swype().process.wait(10) == 1
    payments.mode("ok")
    assert payments.swype().serving().get("/readyz")[0] == 200


def test_swype_waits_a_moment_for_a_gateway_that_starts(payments: Payments) -> None:
    payments.mode("refuse", 0.4)
    assert payments.swype().serving().get("/readyz")[0] == 200


def test_swype_survives_a_gateway_that_answers_with_an_error(payments: Payments) -> None:
    swype = payments.swype().serving()
    payments.mode("500")
    status, answer = swype.call("POST", "/charge", {"key": "k", "amount_cents": 1})
    assert (status, answer) == (502, {"error": "broken on demand"})
    assert swype.get("/healthz")[0] == 200
    assert swype.end() == 0


def test_a_payment_whose_answer_was_lost_is_charged_once(
    payments: Payments, until: Callable[..., Any]
) -> None:
    # Somebody cuts the line after the charge: what the queue sees is a swype that does not answer.
    swype = payments.swype().serving()
    upcommerce = payments.upcommerce(swype.url)
    payments.mode("500")
    upcommerce.call("POST", "/payments", {"order": "o-1", "amount_cents": 700})
    until(lambda: states(upcommerce) == {"in_flight": 1}, "its outcome is unknown")
    payment = upcommerce.get("/payments/1")[1]
    charge = {"key": payment["charge_key"], "order": "o-1", "amount_cents": 700}
    payments.mode("ok")
    assert swype.call("POST", "/charge", charge)[0] == 200
    until(lambda: states(upcommerce) == {"paid": 1}, "it is asked for again")
    assert len(payments.charges()) == 1


def test_queued_payments_wait_for_swype_and_are_held_and_rolled_back(
    payments: Payments, until: Callable[..., Any]
) -> None:
    upcommerce = payments.upcommerce("http://127.0.0.61:9")
    for number in range(3):
        upcommerce.call("POST", "/payments", {"order": f"o-{number}", "amount_cents": 100})
    until(lambda: states(upcommerce) == {"queued": 3}, "nothing was sent")
    until(lambda: "Connection refused" in upcommerce.output(), "the reason is told")
    assert upcommerce.call("POST", "/queue/hold", {})[0] == 422
    assert upcommerce.call("POST", "/queue/hold", {"reason": "gateway is down"})[0] == 200
    until(lambda: states(upcommerce) == {"held": 3}, "all are held")
    upcommerce.call("POST", "/payments", {"order": "late", "amount_cents": 100})
    assert states(upcommerce) == {"held": 4}
    assert (
        upcommerce.call("POST", "/payments/1/rollback", {"reason": "customer asked"})[1]["state"]
        == "rolled_back"
    )
    assert upcommerce.call("POST", "/queue/release", {})[1]["queued"] == 3
    answer = upcommerce.call("POST", "/queue/rollback", {"reason": "gateway is down"})[1]
    assert answer["rolled_back"] in (2, 3)  # one may be in flight at that moment
    until(lambda: states(upcommerce) == {"rolled_back": 4}, "nothing of it was ever sent")
    assert payments.charges() == []


def test_a_payment_in_flight_is_rolled_back_when_the_gateway_has_cancelled_it(
    payments: Payments, until: Callable[..., Any]
) -> None:
    swype = payments.swype().serving()
    upcommerce = payments.upcommerce(swype.url)
    payments.mode("500")
    upcommerce.call("POST", "/payments", {"order": "o-1", "amount_cents": 100})
    until(lambda: states(upcommerce) == {"in_flight": 1}, "it is in flight")
    status, payment = upcommerce.call("POST", "/payments/1/rollback", {"reason": "customer asked"})
    assert (status, payment["state"]) == (202, "rolling_back")
    assert states(upcommerce) == {"rolling_back": 1}
    payments.mode("ok")
    until(lambda: states(upcommerce) == {"rolled_back": 1}, "the gateway has cancelled it")
    payment = upcommerce.get("/payments/1")[1]
    assert payment["reason"] == "customer asked (cancelled at the gateway, which has not charged it)"
    # The first try arrives late, as from a line that was stuck: it is not charged any more.
    charge = {"key": payment["charge_key"], "order": "o-1", "amount_cents": 100}
    assert swype.call("POST", "/charge", charge)[0] == 409
    assert payments.charges() == []


def test_a_payment_that_was_charged_is_not_rolled_back(payments: Payments, until: Callable[..., Any]) -> None:
    upcommerce = payments.upcommerce(payments.swype(check_seconds=60).serving().url)
    payments.mode("lost")
    upcommerce.call("POST", "/payments", {"order": "o-1", "amount_cents": 100})
    until(payments.charges, "it is charged")
    until(lambda: states(upcommerce) == {"in_flight": 1}, "the answer is lost")
    # Swype has died of it: the next try is refused, which says nothing about the first.
    until(lambda: "Connection refused" in upcommerce.output(), "the next try is refused")
    assert states(upcommerce) == {"in_flight": 1}
    assert upcommerce.call("POST", "/queue/hold", {"reason": "gateway is down"})[1]["held"] == 0
    answer = upcommerce.call("POST", "/queue/rollback", {"reason": "gateway is down"})[1]
    assert answer["rolled_back"] == 0
    assert states(upcommerce) == {"rolling_back": 1}


def test_a_payment_that_the_gateway_refused_to_take_was_surely_not_sent(
    payments: Payments, until: Callable[..., Any]
) -> None:
    upcommerce = payments.upcommerce(payments.swype(check_seconds=60).serving().url)
    payments.mode("refuse")
    upcommerce.call("POST", "/payments", {"order": "o-1", "amount_cents": 100})
    until(lambda: "payment service answered 502: network failure" in upcommerce.output(), "swype dies of it")
    assert states(upcommerce) == {"queued": 1}
    upcommerce.call("POST", "/queue/hold", {"reason": "gateway is down"})
    # Swype is gone: nobody could be asked, and nobody has to be.
    assert upcommerce.call("POST", "/queue/rollback", {"reason": "gateway is down"})[1]["rolled_back"] == 1


def test_a_hold_outlives_the_shop_and_unknown_outcomes_are_asked_for(
    payments: Payments, until: Callable[..., Any]
) -> None:
    swype = payments.swype().serving()
    upcommerce = payments.upcommerce(swype.url)
    payments.mode("500")
    for number in range(2):
        upcommerce.call("POST", "/payments", {"order": f"o-{number}", "amount_cents": 100})
    until(lambda: states(upcommerce) == {"in_flight": 2}, "their outcome is unknown")
    hold = {"reason": "gateway is down", "by": "swype", "run": "swype_guard/run-1"}
    assert upcommerce.call("POST", "/queue/hold", hold)[1]["holding"] is True
    upcommerce.call("POST", "/payments", {"order": "held", "amount_cents": 100})
    upcommerce.end(signal.SIGKILL)
    # One of them was charged after all, as somebody finds out while the queue is held.
    first = read_payments(payments.shop, "o-0")
    payments.mode("ok")
    assert swype.call("POST", "/charge", {"key": first["charge_key"], "amount_cents": 100})[0] == 200
    upcommerce = payments.upcommerce(swype.url)
    until(lambda: states(upcommerce) == {"paid": 1, "in_flight": 1, "held": 1}, "it is asked for")
    until(
        lambda: "ask): in_flight: payment service answered 200: unknown" in upcommerce.output(),
        "so is the other",
    )
    assert len(payments.charges()) == 1
    assert upcommerce.get("/queue")[1]["hold"] == "gateway is down"
    late = upcommerce.call("POST", "/queue/rollback", {"reason": "too late", "run": "swype_guard/run-0"})[1]
    assert (late["rolled_back"], late["settlements"][0]["states"]) == (
        1,
        {"rolled_back": {"payments": 1, "cents": 100}, "rolling_back": {"payments": 1, "cents": 100}},
    )
    until(lambda: states(upcommerce) == {"paid": 1, "rolled_back": 2}, "all have ended")
    assert len(payments.charges()) == 1


def test_a_payment_service_at_zero_is_not_called_in_a_hot_loop(
    payments: Payments, until: Callable[..., Any]
) -> None:
    upcommerce = payments.upcommerce("http://127.0.0.61:9")
    for number in range(40):
        upcommerce.call("POST", "/payments", {"order": f"o-{number}", "amount_cents": 100})
    until(lambda: "refused" in upcommerce.output(), "it is tried")
    time.sleep(2)
    # With a pause that grows after each: about 5 in the time in which 40 payments could be sent 40 times.
    tries = upcommerce.output().count("Connection refused")
    assert 2 <= tries <= 10, upcommerce.output()
    # Somebody who releases the queue does not wait for the end of the pause.
    upcommerce.call("POST", "/queue/hold", {"reason": "a test"})
    upcommerce.call("POST", "/queue/release", {})
    until(lambda: upcommerce.output().count("Connection refused") > tries, "it is tried at once", 1)


def test_a_cancelled_key_is_never_charged_also_after_a_restart(payments: Payments) -> None:
    swype = payments.swype().serving()
    assert swype.get("/charges/key-1")[1]["state"] == "unknown"
    assert swype.call("POST", "/cancel", {"key": "key-1"})[1]["state"] == "cancelled"
    charge = {"key": "key-1", "amount_cents": 5}
    assert swype.call("POST", "/charge", charge)[0] == 409
    assert swype.call("POST", "/charge", {"key": "key-2", "amount_cents": 5})[1]["charge"] == "ch-1"
    assert swype.call("POST", "/cancel", {"key": "key-2"})[1]["charge"] == "ch-1"
    assert [swype.call("POST", path, {})[0] for path in ("/charge", "/cancel")] == [422, 422]
    swype.end()
    payments.restart_gateway()
    swype = payments.swype().serving()
    assert swype.call("POST", "/charge", charge)[0] == 409
    assert swype.get("/charges/key-1")[1]["state"] == "cancelled"
    assert swype.get("/charges/key-2")[1]["charge"] == "ch-1"
    assert [each["key"] for each in payments.charges()] == ["key-2"]


def test_a_break_ends_by_itself(payments: Payments, until: Callable[..., Any]) -> None:
    payments.mode("refuse", 0.3)
    assert payments.gateway.get("/mode")[1]["mode"] == "refuse"
    until(lambda: payments.gateway.get("/mode")[1]["mode"] == "ok", "it works again")
    assert payments.gateway.call("POST", "/mode", {"mode": "fire"})[0] == 422


def test_services_are_found_by_the_cluster_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    def swype() -> str:
        return settings.service_url("SWYPE_URL", "swype-service", 5003)

    assert swype() == "http://swype-service:5003"
    monkeypatch.setenv("SWYPE_SERVICE_SERVICE_HOST", "10.0.0.7")
    monkeypatch.setenv("SWYPE_SERVICE_SERVICE_PORT", "5004")
    assert swype() == "http://10.0.0.7:5004"
    monkeypatch.setenv("SWYPE_URL", "http://elsewhere/")
    assert swype() == "http://elsewhere"
