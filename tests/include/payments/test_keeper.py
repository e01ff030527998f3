"""Holding, settling and releasing: each once per run, whatever is killed in between, with the real queue behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.payments.keeper import PaymentKeeper
from include.payments.shop import ShopError
from include.release.problems import RejectedError
from include.shop.shop.payments.queue import UNKNOWN
from tests.include.payments.near import REARM, RUN, Killed, NearCluster, keeper_of
from tests.include.payments.world import World

WHY = "Swype restarted 4 times by network failure"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path, 1, monkeypatch)
    yield world
    world.close()


@pytest.fixture
def near(world: World) -> NearCluster:
    fill(world)
    return NearCluster(world.queue)


def fill(world: World) -> None:
    """One payment in flight that was charged, one in flight that was not, three queued."""
    for number in range(5):
        world.queue.add(f"order-{number}", 100 * (number + 1))
    for charged in (True, False):
        one = world.queue.next_try()
        assert one is not None
        if charged:
            world.ask(one)
        world.queue.record(one, UNKNOWN, "timed out")


def states(world: World) -> dict[str, str]:
    return {each["order_name"]: each["state"] for each in world.payments()}


def journal(near: NearCluster) -> Any:
    return json.loads(near.objects["payments-swype"]["data"]["payments"])


def test_queued_payments_are_rolled_back_when_the_button_is_pressed(near: NearCluster, world: World) -> None:
    # The complaint of the customers: their queued payments did not roll back.
    keeper = keeper_of(near)
    held = keeper.hold(WHY, RUN)
    assert held.result == "held"
    assert held.counts["held"] == {"payments": 3, "cents": 1200}
    settled = keeper.settle("roll_back", RUN)
    assert settled.counts["rolled_back"] == {"payments": 3, "cents": 1200}
    assert settled.undecided == 2
    assert settled.text.splitlines()[1] == (
        "Of these payments: 3 rolled back (1200 cents), 2 rolling back (300 cents)."
    )
    assert "2 payments may have reached the gateway before the button was pressed." in settled.text
    assert {each["reason"] for each in world.payments() if each["state"] == "rolled_back"} == {WHY}
    assert (
        held.summary
        == "Payments are held. Waiting when they were held: 2 in flight (300 cents), 3 held (1200 cents)."
    )
    assert settled.summary.startswith(
        "What waited is rolled back; of the same payments now: 3 rolled back (1200 cents), 2 rolling back (300 cents). 2 payments may have"
    )
    late, _ = world.queue.add("late", 700)
    assert late["state"] == "held"
    released = keeper.release("gateway is back", REARM)
    assert released.result == "released"
    assert released.summary == (
        "Payments flow again. 2 payments may have reached the gateway: the shop asks it now, and goes on by itself until "
        "it has an answer."
    )
    assert (released.counts["queued"], released.undecided) == ({"payments": 1, "cents": 700}, 2)
    world.calm_down()
    assert states(world) == {
        "order-0": "paid",  # it had been charged before the button was pressed
        "order-1": "rolled_back",
        "order-2": "rolled_back",
        "order-3": "rolled_back",
        "order-4": "rolled_back",
        "late": "paid",
    }
    assert keeper.state().undecided == 0
    assert keeper.wait_settled(5, released).summary == (
        "Payments flow again. What was rolled back when it was pressed: 1 paid (100 cents), 4 rolled back (1400 cents)."
    )
    settled_as = journal(near)["settlements"][0]["states"]
    assert settled_as == {
        "paid": {"payments": 1, "cents": 100},
        "rolled_back": {"payments": 4, "cents": 1400},
    }


def test_kept_payments_are_sent_after_the_release(near: NearCluster, world: World) -> None:
    keeper = keeper_of(near)
    keeper.hold(WHY, RUN)
    text = keeper.settle("keep", RUN).text
    assert text.splitlines()[0].endswith("what waits is kept, and sent after the release.")
    assert sorted(states(world).values()) == ["held", "held", "held", "in_flight", "in_flight"]
    keeper.release("gateway is back", REARM)
    world.calm_down()
    assert set(states(world).values()) == {"paid"}
    assert len(world.charged()) == 5


def procedure(keeper: PaymentKeeper) -> None:
    keeper.hold(WHY, RUN)
    keeper.settle("roll_back", RUN)
    keeper.release("gateway is back", REARM)


def end(near: NearCluster, world: World) -> Any:
    """All that is left, without times."""
    kept = journal(near)
    for each in (*kept["settlements"], *kept["released"]):
        each["at"] = ""
    world.calm_down()
    return kept, states(world), world.queue.summary()["holds"]


def test_a_worker_killed_at_any_call_leads_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(kill_at: float) -> tuple[Any, int]:
        folder = tmp_path / str(kill_at)
        folder.mkdir()
        world = World(folder, 1, monkeypatch)
        fill(world)
        near = NearCluster(world.queue)
        near.kill_at = kill_at
        for step in (
            lambda keeper: keeper.hold(WHY, RUN),
            lambda keeper: keeper.settle("roll_back", RUN),
            lambda keeper: keeper.release("gateway is back", REARM),
        ):
            for _ in range(2):  # once, and once more: somebody cleared the task
                try:
                    step(keeper_of(near))
                except Killed:
                    step(keeper_of(near))  # the retry, with nothing in its memory
        calls = near.calls
        result = end(near, world)
        world.close()
        return result, calls

    expected, calls = run(0)
    assert calls > 20
    assert expected[2] == []
    for number in range(1, calls + 1):
        assert run(number)[0] == expected, number
        assert run(number + 0.5)[0] == expected, number


def test_an_old_task_that_is_cleared_after_the_release_changes_nothing(
    near: NearCluster, world: World
) -> None:
    keeper = keeper_of(near)
    procedure(keeper)
    world.queue.add("new", 900)
    before = states(world)
    assert keeper.hold(WHY, RUN).result == "nothing"
    again = keeper.settle("roll_back", RUN)
    assert again.text.startswith("Settled at ")
    assert "payments flow again, and are held once for a press. Nothing has been changed." in again.text
    assert states(world) == before
    assert world.queue.summary()["hold"] is None
    # Also when the journal is lost: the shop knows the run.
    del near.objects["payments-swype"]
    assert keeper.hold(WHY, RUN).result == "nothing"
    assert world.queue.summary()["hold"] is None


def test_a_settlement_that_did_not_happen_before_the_release_does_not_happen_after_it(
    near: NearCluster, world: World
) -> None:
    keeper = keeper_of(near)
    keeper.hold(WHY, RUN)
    keeper.release("gateway is back", REARM)
    outcome = keeper.settle("roll_back", RUN)
    assert (outcome.result, outcome.text[:20]) == ("nothing", "Nothing is settled. ")
    with pytest.raises(ShopError, match="the hold of swype_guard/run-1 has ended"):
        keeper.shop.roll_back(WHY, RUN)
    assert "rolled_back" not in states(world).values()


def test_a_release_while_a_hold_is_on_its_way_wins(near: NearCluster, world: World) -> None:
    # The shop has held, and is released before the task that asked for it has written that down.
    keeper, other, hold = keeper_of(near), keeper_of(near), near.ask_service

    def released_meanwhile(*where: Any, **options: Any) -> Any:
        answer = hold(*where, **options)
        near.ask_service = hold  # type: ignore[method-assign]
        other.release("gateway is back", REARM)
        return answer

    near.ask_service = released_meanwhile  # type: ignore[method-assign]
    assert keeper.hold(WHY, RUN).result == "nothing"
    assert (journal(near)["holds"], world.queue.summary()["hold"]) == ([], None)


def test_a_long_reason_is_cut_to_what_a_shop_takes(near: NearCluster, world: World) -> None:
    keeper = keeper_of(near)
    assert keeper.hold("network failure\n" * 100, RUN).result == "held"
    assert len(world.queue.summary()["hold"]) == 300


def test_settling_needs_a_hold(near: NearCluster) -> None:
    with pytest.raises(RejectedError, match="held for no press"):
        keeper_of(near).settle("roll_back", RUN)


def test_a_hold_of_somebody_else_stays(near: NearCluster, world: World) -> None:
    world.queue.hold("stocktaking")
    keeper = keeper_of(near)
    keeper.hold(WHY, RUN)
    text = keeper.release("gateway is back", REARM).text
    assert text.splitlines()[0] == (
        "The hold for the press of run swype_guard/run-1 is ended, but the queue is still held by others: "
        "hand: stocktaking."
    )
    assert world.queue.summary()["hold"] == "stocktaking"
    assert "queued" not in states(world).values()


def test_a_hold_is_ended_although_its_journal_was_deleted(near: NearCluster, world: World) -> None:
    keeper = keeper_of(near)
    keeper.hold(WHY, RUN)
    del near.objects["payments-swype"]
    assert keeper.release("gateway is back", REARM).result == "released"
    assert world.queue.summary()["hold"] is None
    assert keeper.release("gateway is back", REARM).result == "nothing"


def test_an_unreadable_journal_is_not_taken_for_an_empty_one(near: NearCluster) -> None:
    keeper = keeper_of(near)
    keeper.hold(WHY, RUN)
    near.objects["payments-swype"]["data"]["payments"] = '{"holds": [{"run": 3}]}'
    with pytest.raises(RejectedError, match="ConfigMap payments-swype in namespace sre") as caught:
        keeper.release("gateway is back", REARM)
    assert "kubectl -n sre get cm payments-swype" in str(caught.value)


def test_two_that_write_at_once_both_count(near: NearCluster) -> None:
    keeper, other = keeper_of(near), keeper_of(near)
    store = keeper.store
    write, wrote = near.replace, []

    def late(manifest: dict[str, Any], namespace: str) -> Any:
        if not wrote:
            wrote.append(True)
            other.hold(WHY, "swype_guard/run-2")
        return write(manifest, namespace)

    keeper.hold(WHY, RUN)
    near.replace = late  # type: ignore[method-assign]
    keeper.settle("keep", RUN)
    assert [each.run for each in store.read().holds] == [RUN, "swype_guard/run-2"]
    assert [each.run for each in store.read().settlements] == [RUN]
    keeper.release("gateway is back", REARM)
    assert store.read().holds == []


def test_a_configuration_that_changes_half_way_does_not_settle_twice(near: NearCluster, world: World) -> None:
    keeper = keeper_of(near)
    keeper.hold(WHY, RUN)
    keeper.settle("keep", RUN)
    text = keeper.settle("roll_back", RUN).text
    assert "The configuration says roll_back now; it had begun to be settled before, and that stands." in text
    assert "rolled_back" not in states(world).values()


def test_a_dry_run_asks_and_says(near: NearCluster, world: World) -> None:
    keeper, before = keeper_of(near), states(world)
    texts = [
        keeper.plan("hold").text,
        keeper.plan("settle", "roll_back").text,
        keeper.plan("release").text,
    ]
    assert [text.splitlines()[0].partition(" (")[0] for text in texts] == [
        "Dry run: payments would be held: those that wait, and new ones",
        "Dry run: payments that wait would be rolled back",
        "Dry run: holds of this guard would be ended, and kept payments sent",
    ]
    assert texts[0].splitlines()[1:4] == [
        "state      payments  cents",
        "queued     3         1200",
        "in flight  2         300",
    ]
    assert set(near.asked) == {"GET /queue"}
    assert (states(world), near.objects) == (before, {})


def test_any_order_of_things_with_procedures_that_are_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: dict[str, int] = {}
    for seed in range(60):
        world = World(tmp_path, seed, monkeypatch)
        near = NearCluster(world.queue)
        runs = [f"swype_guard/run-{number}" for number in range(3)]
        for _ in range(90):
            world.happen()
            near.serve(world.queue)
            if world.random.random() < 0.2:
                some_step(keeper_of(near), near, world, runs)
                world.check()
        near.kill_at = 0
        keeper_of(near).release("the end", REARM)
        assert world.queue.summary()["holds"] == []
        world.calm_down()
        keeper_of(near).state()
        for each in journal(near)["settlements"]:
            there = [one for one in world.payments() if one["settlement"] == each["run"]]
            assert (
                sum(one["payments"] for one in each["states"].values()) == len(there) or each["how"] == "keep"
            )
        for each in world.payments():
            ends[each["state"]] = ends.get(each["state"], 0) + 1
        world.close()
    assert min(ends["paid"], ends["rolled_back"]) > 200, ends


def some_step(keeper: PaymentKeeper, near: NearCluster, world: World, runs: list[str]) -> None:
    """Hold, settle or release, killed somewhere half of the time."""
    run = world.random.choice(runs)
    how = world.random.choice(("roll_back", "keep"))
    near.kill_at = near.calls + world.random.choice(
        (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4.5, 5.5, 99, 99, 99, 99)
    )
    try:
        if world.random.random() < 0.2:
            keeper.release("gateway is back", REARM)
        else:
            keeper.hold(WHY, run)
            keeper.settle(how, run)
    except (Killed, RejectedError):
        return
