from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from include.cluster import controllers
from include.cluster.controllers.base import Controller, Key
from include.cluster.controllers.expiry import EventExpiry
from include.cluster.store import Change
from tests.include.cluster.controllers.kit import World


class Clumsy(Controller):
    """Fails three times, then works."""

    name = "clumsy"
    tries: list[Key] = []

    def observe(self, change: Change) -> None:
        if change.key[2] == "poison":
            raise RuntimeError("cannot even look")
        self.enqueue((change.key[1], change.key[2]))

    async def reconcile(self, key: Key) -> float | None:
        self.tries.append(key)
        if len(self.tries) < 4:
            raise RuntimeError("not yet")
        return None


async def test_a_failure_is_tried_again_and_never_ends_the_controller(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path)
    Clumsy.tries = []
    running = controllers.start(world.registry, world.settings, (Clumsy,))
    for name in ("poison", "a"):
        world.registry.create("namespaces", "", {"metadata": {"name": name}})
    async with asyncio.timeout(5):
        while len(Clumsy.tries) < 4:
            await asyncio.sleep(0.01)
    await running.stop()
    world.store.close()
    assert Clumsy.tries == [("", "a")] * 4
    assert "cannot even look" in caplog.text
    assert "not yet" in caplog.text


async def test_changes_in_a_row_are_one_piece_of_work(tmp_path: Path) -> None:
    world = World(tmp_path)
    Clumsy.tries = [("", "")] * 4
    running = controllers.start(world.registry, world.settings, (Clumsy,))
    for number in range(5):
        labels: dict[str, Any] = {"metadata": {"name": "a", "labels": {"n": str(number)}}}
        if number:
            world.registry.replace("namespaces", "", "a", labels)
        else:
            world.registry.create("namespaces", "", labels)
    await asyncio.sleep(0.01)
    await running.stop()
    world.store.close()
    assert len(Clumsy.tries) == 5


async def test_controllers_take_up_what_they_find_at_the_start(tmp_path: Path) -> None:
    world = await World(tmp_path).start()
    from tests.include.cluster.controllers.kit import deployment

    assert world.running is not None
    await world.running.stop()
    world.create("deployments", deployment(replicas=2))
    world.running = controllers.start(world.registry, world.settings)
    await world.run()
    assert world.get("deployments", "web")["status"]["availableReplicas"] == 2
    await world.stop()


async def test_events_go_after_their_time(tmp_path: Path) -> None:
    world = World(tmp_path, event_ttl=0.0)
    namespace = world.registry.create("namespaces", "", {"metadata": {"name": "default"}})
    world.registry.event(namespace, "Normal", "Seen", "seen", component="test")
    assert world.registry.list("events")
    world.running = controllers.start(world.registry, world.settings, (EventExpiry,))
    await world.settle()
    assert world.registry.list("events") == []
    await world.stop()
