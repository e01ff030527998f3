from __future__ import annotations

from include.logs.program import shortfall
from include.logs.program.listing import outlook
from include.logs.program.request import LogClass
from include.logs.program.shortfall import Ground
from include.logs.program.usage import Usage

GIB = 1 << 30
MIB = 1 << 20


def _class(name: str, **more: object) -> LogClass:
    return LogClass(name=name, globs=("**",), **{"keep_days": 30, "archive": False, **more})  # type: ignore[arg-type]


def _ages(days: int, each: int = GIB) -> dict[int, int]:
    return {day: each for day in range(days)}


def test_the_mildest_setting_that_is_enough_is_computed() -> None:
    (found,) = shortfall.changes([Ground(_class("app"), _ages(30), {})], 10 * GIB, 0.2)
    assert (found.setting, found.now, found.to, found.frees) == ("keep_days", 30, 20, 10 * GIB)


def test_what_is_archived_on_the_volume_frees_less() -> None:
    ground = Ground(_class("app", archive=True), _ages(30), {})
    assert shortfall.changes([ground], 8 * GIB, 0.2)[0].to == 20
    assert shortfall.changes([ground], 8 * GIB, 0.0)[0].to == 22


def test_no_setting_below_the_compliance_minimum_is_named() -> None:
    (found,) = shortfall.changes([Ground(_class("app", minimum_days=25), _ages(30), {})], 10 * GIB, 0.2)
    assert (found.to, found.least, found.frees) == (25, 25, 5 * GIB)
    assert shortfall.changes([Ground(_class("app", minimum_days=30), _ages(30), {})], GIB, 0.2) == []


def test_live_time_may_be_short_where_the_archive_keeps_the_minimum() -> None:
    found = _class("app", archive=True, minimum_days=365, archive_keep_days=360)
    assert shortfall.changes([Ground(found, _ages(30), {})], 100 * GIB, 0)[0].to == 5
    for_ever = _class("app", archive=True, minimum_days=365)
    assert shortfall.changes([Ground(for_ever, _ages(30), {})], 100 * GIB, 0)[0].to == 1


def test_archives_and_sizes_are_settings_too() -> None:
    found = _class(
        "app", archive=True, archive_keep_days=400, minimum_days=90, keep_size=50 * GIB, keep_days=None
    )
    names = {
        c.setting: c
        for c in shortfall.changes([Ground(found, _ages(30), {399: 9 * GIB, 91: GIB})], 2 * GIB, 0.5)
    }
    assert names["archive_keep_days"].to == 399
    assert names["keep_size"].to == 26 * GIB
    assert names["keep_days"].to == 26


def test_a_size_that_is_proposed_is_one_that_people_would_write() -> None:
    found = _class("app", keep_days=None, keep_size=200 * MIB)
    ages = {0: 10 * MIB + 1, 1: 30 * MIB, 2: 160 * MIB}
    (change,) = _sizes(found, ages, 50 * MIB + 12345)
    assert (change.to, change.frees) == (149 * MIB, 51 * MIB + 1)
    # Never less than what was written within a day, however much is missing.
    (change,) = _sizes(found, ages, 1000 * MIB)
    assert (change.to, change.least, change.frees) == (11 * MIB, 11 * MIB, 189 * MIB + 1)


def test_no_size_is_proposed_where_it_helps_nobody() -> None:
    found = _class("app", keep_days=None, keep_size=200 * MIB)
    assert _sizes(found, {0: 25_900, 3: 100}, GIB) == []  # a few bytes: never a keep_size of 1 B
    assert _sizes(found, {0: 180 * MIB}, GIB) == []  # nobody knows what a day brings
    assert (
        _sizes(_class("app", keep_size=5 * MIB), {0: 4 * MIB, 1: 4 * MIB}, 2 * MIB) == []
    )  # no less than now


def _sizes(found: LogClass, ages: dict[int, int], missing: int) -> list[shortfall.Change]:
    every = shortfall.changes([Ground(found, ages, {})], missing, 0.2)
    return [change for change in every if change.setting == "keep_size"]


def test_several_together_where_none_is_enough() -> None:
    grounds = [Ground(_class(name), _ages(30), {}) for name in ("a", "b")]
    found = shortfall.changes(grounds, 40 * GIB, 0.2)
    assert not any(change.frees >= 40 * GIB for change in found)
    chosen, enough = shortfall.together(found, 40 * GIB)
    assert ({change.class_name for change in chosen}, enough) == ({"a", "b"}, True)
    assert shortfall.together(found, 80 * GIB)[1] is False


def test_what_frees_next_to_nothing_is_nothing_to_decide_on() -> None:
    space = Usage(100 * GIB, 95 * GIB, 5 * GIB)
    ground = Ground(_class("app"), {20: GIB // 4}, {20: 9 * GIB // 10})
    facts = shortfall.facts([ground], space, 25, 0.2, 1.0)
    assert facts["settings"] == facts["together"] == []
    assert facts["policy_can"] is False
    assert (facts["archives"], facts["add_storage_days"]) == (9 * GIB // 10, 90)
    assert shortfall.facts([ground], space, 25, 0.0, None)["archives"] == 0


def test_storage_that_reaches_the_target_and_lasts() -> None:
    space = Usage(100 * GIB, 90 * GIB, 10 * GIB)
    added = shortfall.storage(space, 25, None)
    assert added == 20 * GIB
    assert Usage(0, space.used, space.free + added).free_percent >= 25
    assert shortfall.storage(space, 25, GIB) == 140 * GIB
    assert shortfall.storage(Usage(40 * MIB, 36 * MIB, 4 * MIB), 25, None) == 8 * MIB  # not a whole GiB


def test_the_alert_says_what_would_have_to_change_to_what() -> None:
    space = Usage(100 * GIB, 85 * GIB, 15 * GIB)
    facts = shortfall.facts([Ground(_class("app"), _ages(30), {})], space, 25, 0.2, None)
    after = {
        "free_percent": 15.0,
        "free": 15 * GIB,
        "floor_percent": 20,
        "target_percent": 25,
        "to_floor": 5 * GIB,
    }
    assert outlook({"after": after, "shortfall": facts}) == [
        "Free after the clean-up: 15.0 % (15.0 GiB); the floor is 20 %, the target 25 %. 5.0 GiB are missing to the "
        "floor, 10.0 GiB to the target. Retention was not shortened.",
        "Any one of these would reach the target:",
        "  class app: keep_days from 30 days to 20 days frees 10.0 GiB",
        "Or 14.0 GiB more storage: the target is then met; for how long cannot be said yet.",
    ]


def test_nothing_can_be_changed() -> None:
    space = Usage(100 * GIB, 85 * GIB, 15 * GIB)
    facts = shortfall.facts([], space, 25, 0.2, None)
    after = {
        "free_percent": 15.0,
        "free": 15 * GIB,
        "floor_percent": 20,
        "target_percent": 25,
        "to_floor": 5 * GIB,
    }
    text = "\n".join(outlook({"after": after, "shortfall": facts}))
    assert "No retention setting frees more than a twentieth of that within the compliance minimum." in text
    assert "Or 14.0 GiB more storage" in text
