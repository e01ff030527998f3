"""Releasing: only what was held for presses that are over, and also by a shop that cannot count."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.payments.shop import ShopError
from include.release.kube import Reply
from tests.include.payments.near import REARM, RUN, NearCluster, keeper_of
from tests.include.payments.world import World

LATER = "swype_guard/run-2"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr("include.payments.over_http.ATTEMPTS", 1)
    world = World(tmp_path, 1, monkeypatch)
    yield world
    world.close()


@pytest.fixture
def near(world: World) -> NearCluster:
    return NearCluster(world.queue)


def cannot_count(near: NearCluster) -> None:
    """From now on the shop answers everything but the question how many there are."""
    ask = near.ask_service

    def answer(*where: Any, **options: Any) -> Reply:
        return Reply(500, "no such table: counts") if options["method"] == "GET" else ask(*where, **options)

    near.ask_service = answer  # type: ignore[method-assign]


def test_what_a_later_press_holds_stays_held(near: NearCluster, world: World) -> None:
    keeper = keeper_of(near)
    keeper.hold("down", RUN)
    presses = keeper.presses()
    keeper_of(near).hold("down again", LATER)
    text = keeper.release("gateway is back", REARM, presses).text
    assert "still held by others: swype swype_guard/run-2: down again" in text
    assert [each["run"] for each in world.queue.summary()["holds"]] == [LATER]
    assert [each.run for each in keeper.store.read().holds] == [LATER]


def test_a_shop_that_cannot_count_is_released(near: NearCluster, world: World) -> None:
    keeper = keeper_of(near)
    keeper.hold("down", RUN)
    cannot_count(near)
    released = keeper.release("gateway is back", REARM)
    assert released.result == "released"
    assert "is released (Service upcommerce-service" in released.summary
    assert "could not be asked how many there are" in released.summary
    assert "no such table: counts" in released.text
    assert world.queue.summary()["holds"] == []
    assert [each.run for each in keeper.store.read().released] == [RUN]
    assert keeper.wait_settled(5, released) == released


def test_without_a_journal_a_shop_that_cannot_count_is_not_taken_for_one_that_holds_nothing(
    near: NearCluster, world: World
) -> None:
    keeper = keeper_of(near)
    keeper.hold("down", RUN)
    del near.objects["payments-swype"]
    cannot_count(near)
    with pytest.raises(ShopError, match="no such table: counts"):
        keeper.release("gateway is back", REARM)
    assert [each["run"] for each in world.queue.summary()["holds"]] == [RUN]
