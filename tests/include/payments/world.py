"""A small world of payments: the real queue and the real gateway's book, with a network between that loses and delays.

Everything happens in one thread, in an order that a seed decides: two senders that may die at any line, calls that
arrive late, twice or never, answers that get lost, and people who hold, roll back and release in between.
"""

from __future__ import annotations

import json
import os
import random
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from include.shop.shop import gateway
from include.shop.shop.common.db import Connection, Database
from include.shop.shop.common.web import HttpError, Request, Response
from include.shop.shop.payments import queue as queue_module
from include.shop.shop.payments.queue import (
    ASK,
    CANCEL,
    CHARGE,
    NOT_SENT,
    UNKNOWN,
    PaymentQueue,
    StateError,
    Try,
)
from include.shop.shop.payments.sender import _said as said

TOO_MUCH = gateway.LIMIT_CENTS + 1


class QuickDatabase(Database):
    """A database that no power cut will hit: nothing waits for the disk."""

    def _open_sqlite(self) -> Connection:
        connection = super()._open_sqlite()
        connection.execute("PRAGMA synchronous = OFF")
        return connection


@dataclass
class Call:
    """One request on its way to the gateway. ``sender`` still waits for its answer while it is not None."""

    one: Try
    sender: int | None


class World:
    """The world, and what must be true of it at every moment."""

    def __init__(self, folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.random = random.Random(seed)
        self.clock = 1000.0
        monkeypatch.setattr(queue_module, "time", SimpleNamespace(time=lambda: self.clock))
        monkeypatch.setattr(gateway, "os", SimpleNamespace(fsync=lambda _: None, path=os.path))
        self.database = QuickDatabase(f"sqlite:///{folder}/queue-{seed}.db")
        self.queue = PaymentQueue(self.database)
        self.queue.create_tables()
        self.book = gateway.Charges(folder / f"charges-{seed}.jsonl")
        self.network: list[Call] = []
        self.working: dict[int, Try] = {}
        """What each sender has claimed and not recorded."""
        self.sent: set[int] = set()
        """The senders whose claim has left them."""
        self.orders = 0
        self.runs = 0

    # What may happen -------------------------------------------------------------------------------------------

    def happen(self) -> None:
        """Let one thing happen."""
        events = {
            self.order: 3,
            self.claim: 6,
            self.deliver: 6,
            self.lose: 1,
            self.refuse: 2,
            self.give_up: 2,
            self.die: 1,
            self.wait: 3,
        }
        self.random.choices(list(events), list(events.values()))[0]()
        self.check()

    def order(self) -> None:
        """A customer orders; now and then for more than the gateway allows."""
        self.orders += 1
        amount = TOO_MUCH if self.random.random() < 0.1 else self.random.randint(1, 5000)
        self.queue.add(f"order-{self.orders}", amount)

    def claim(self) -> None:
        """A sender that is idle takes a payment, and sends it."""
        sender = self.random.choice((1, 2))
        if sender in self.working:
            return
        held = bool(self.queue.summary()["hold"])
        one = self.queue.next_try()
        if one is None:
            return
        assert not (held and one.errand == CHARGE), "a payment is sent while the queue is held"
        self.working[sender] = one
        self.sent.discard(sender)

    def send(self) -> None:
        """What a sender has claimed leaves it."""
        for sender, one in self.working.items():
            if sender not in self.sent:
                self.sent.add(sender)
                self.network.append(Call(one, sender))
                return

    def refuse(self) -> None:
        """Nobody listens: what a sender has claimed does not leave it."""
        for sender, one in list(self.working.items()):
            if sender not in self.sent:
                self.queue.record(one, NOT_SENT, "connection refused")
                del self.working[sender]
                return

    def deliver(self) -> None:
        """A request arrives, after others that were sent later perhaps; its answer is read if anybody waits for it."""
        self.send()
        if not self.network:
            return
        call = self.random.choice(self.network)
        status, answer = self.ask(call.one)
        if self.random.random() < 0.1:
            return  # the answer is late, and the request is still on the line: it arrives twice
        self.network.remove(call)
        if call.sender is None or self.working.get(call.sender) is not call.one:
            return
        outcome = said(status, answer) if self.random.random() < 0.8 else None
        self.queue.record(call.one, *(outcome or (UNKNOWN, f"answered {status}")))
        del self.working[call.sender]

    def lose(self) -> None:
        """A request is lost; who sent it will wait for nothing."""
        self.send()
        if self.network:
            self.network.remove(self.random.choice(self.network))

    def give_up(self) -> None:
        """A sender waits no longer; its request may still arrive."""
        self.send()
        for sender, one in list(self.working.items()):
            self.queue.record(one, UNKNOWN, "timed out")
            del self.working[sender]
            for call in self.network:
                call.sender = None if call.sender == sender else call.sender
            return

    def die(self) -> None:
        """The shop is killed: nothing is recorded, what it has sent may still arrive."""
        if self.random.random() < 0.5:
            self.send()
        self.working.clear()
        for call in self.network:
            call.sender = None
        self.queue = PaymentQueue(self.database)
        self.queue.create_tables()

    def wait(self) -> None:
        """Time passes."""
        self.clock += self.random.choice((0.1, 1, 60))

    def ask(self, one: Try) -> tuple[int, dict[str, Any]]:
        """The gateway itself."""
        key = one.payment["charge_key"]
        body = {"key": key, "amount_cents": one.payment["amount_cents"]}
        request = Request("POST", "/", {}, json.dumps(body).encode(), {"key": key})
        answer = {CHARGE: self.book.charge, CANCEL: self.book.cancel, ASK: self.book.look}[one.errand]
        try:
            found: Response = answer(request)
        except HttpError as error:
            found = error.response
        return found.status, found.content

    # People -------------------------------------------------------------------------------------------

    def hold(self) -> str:
        """A run holds the queue."""
        self.runs += 1
        self.queue.hold("network failure", "guard", f"run-{self.runs}")
        return f"run-{self.runs}"

    def some_run(self) -> str:
        """A run that there is, or was."""
        return f"run-{self.random.randint(1, self.runs + 1)}"

    def roll_back(self) -> None:
        """A run rolls back what waits; again, or too late, it is refused or does nothing."""
        try:
            self.queue.roll_back_all("network failure", self.some_run())
        except StateError:
            return

    def release(self) -> None:
        """A run's hold ends."""
        self.queue.release("guard", self.some_run())

    def roll_back_one(self) -> None:
        """A customer changes their mind."""
        try:
            self.queue.roll_back(self.random.randint(1, self.orders + 1), "customer asked")
        except (KeyError, StateError):
            return

    # What must be true ------------------------------------------------------------------------------------------

    def charged(self) -> set[str]:
        """The keys that the gateway has charged; it holds itself that each is charged once."""
        keys = [each["key"] for each in self.book.all()]
        assert len(keys) == len(set(keys)), "charged twice"
        return set(keys)

    def payments(self) -> list[dict[str, Any]]:
        """All payments."""
        return self.queue.list(None, 10_000)

    def check(self) -> None:
        """Nobody is told that they paid when they did not, or the other way round."""
        charged = self.charged()
        for each in self.payments():
            if each["state"] == "paid":
                assert each["charge_key"] in charged, f"paid, but not charged: {each}"
            if each["state"] in ("rolled_back", "queued", "held"):
                assert each["charge_key"] not in charged, f"charged, but {each['state']}: {each}"

    def calm_down(self) -> None:
        """Nobody holds, the gateway answers, and everybody is patient: each payment has to end."""
        self.queue.release("*")
        while self.working or self.network:
            self.random.choice((self.deliver, self.give_up))()
            self.check()
        for _ in range(10_000):
            self.clock += 60
            one = self.queue.next_try()
            if one is None:
                break
            outcome = said(*self.ask(one))
            assert outcome is not None
            self.queue.record(one, *outcome)
            self.check()
        assert {each["state"] for each in self.payments()} <= {"paid", "rolled_back"}

    def close(self) -> None:
        """Close the database."""
        self.database.close()
