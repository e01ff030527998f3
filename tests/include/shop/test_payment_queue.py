"""The payment queue by itself: whatever is lost, late or killed, each payment ends once, and as the gateway has it."""

from __future__ import annotations

from pathlib import Path

import pytest

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
