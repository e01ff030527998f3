"""How to get back is decided from facts: one test per rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.release.environments import Environment
from include.release.frozen import LABEL_APP, Frozen, freeze
from include.release.images import ImageLock, LockedImage
from include.release.loading import PROJECT, load_release
from include.release.pressed import NOTE_PRESSED
from include.release.rollback_plan import Facts, Layer, RollbackPlan, plan_rollback
from include.release.saved import SavedState
from include.release.spec import Migration

SMALL = PROJECT / "tests" / "data" / "releases" / "small.yaml"
NONE = {"t": 0}


@pytest.fixture
def frozen() -> Callable[..., Frozen]:
    """Makes a frozen release of that name with these migrations."""
    environment = Environment(
        name="test", title="t", connection="c", namespace="n", image_lock="none", may_trigger=["*"],
        may_approve=["*"], documents="d",
    )  # fmt: skip
    lock = ImageLock(registry="r", images={"python:3": LockedImage(digest="sha256:" + "0" * 64)})
    loaded = load_release(SMALL)
    base = freeze(loaded, environment, lock)

    def make(name: str, *steps: Migration, objects: list[dict[str, Any]] | None = None) -> Frozen:
        migrations = base.release.migrations
        assert migrations is not None
        release = base.release.model_copy(
            update={"name": name, "migrations": migrations.model_copy(update={"steps": list(steps)})}
        )
        return base.model_copy(
            update={
                "release": release,
                "digest": (name * 64)[:64],
                "objects": base.objects if objects is None else objects,
            }
        )

    return make


def step(name: str, **more: Any) -> Migration:
    """A migration that can be taken back, loses nothing, and with which the old build works."""
    about: dict[str, Any] = {
        "id": name, "title": name, "up": ["up"], "down": ["down"], "drops_data": None, "old_build_compatible": True,
    }  # fmt: skip
    return Migration(**(about | more))


def decide(new: Frozen, old: Frozen | None = None, **more: Any) -> RollbackPlan:
    """The plan to go back from ``new``, of which all migrations are applied."""
    steps = new.release.migrations.steps if new.release.migrations else []
    about: dict[str, Any] = {
        "layers": [Layer(new, frozenset())], "target": old, "before": None, "live": [],
        "applied": [each.id for each in steps],
    }  # fmt: skip
    return plan_rollback(Facts(**(about | more)))


def test_migrations_are_taken_back_newest_first_after_the_pods(frozen):
    plan = decide(frozen("new", step("a"), step("b"), step("c")), frozen("old"))
    assert [each.id for each in plan.undo] == ["c", "b", "a"]
    assert (plan.order, plan.kept, plan.stop) == ("pods first", [], "")
    assert "old works with every migration that is taken back, and new does not work without them" in plan.why
    assert plan.undo[0].spec == f"new-spec-{('new' * 4)[:10]}"


def test_only_what_this_release_brought_is_taken_back(frozen):
    new = frozen("new", step("a"), step("b"), step("c"))
    plan = decide(new, layers=[Layer(new, frozenset({"a"}))], applied=["a", "b"])
    assert [each.id for each in plan.undo] == ["b"]


def test_what_was_applied_before_the_undone_release_is_named_with_what_to_do(frozen):
    new, old = frozen("new", step("z"), step("a"), step("b", drops_data="plants")), frozen("old", step("z"))
    before = SavedState(
        run="release/x", app="small", release="new", digest="d", objects=[], absent=[], applied=["z", "a", "b"],
        taken_at="2026-11-21T00:00:00+00:00",
    )  # fmt: skip
    layers = [Layer(new, frozenset({"z", "a", "b"}))]
    plan = decide(new, old, layers=layers, before=before, drop_data=True)
    assert (plan.undo, plan.kept, plan.why) == ([], [], "no migration is taken back")
    lines = plan.text.splitlines()
    told = f"it was applied already before new came (saved state {before.name})"
    unreached = "drop_data (form: Drop data) does not reach it"
    assert lines[1:3] == [f"  migration {each} stays: {told}; {unreached}" for each in ("b", "a")]
    assert lines[3].startswith("    If it may not stay: trigger rollback with the target 'before <run>'")
    assert "migration z" not in plan.text  # the target's own
    assert plan.sentence.endswith(" Applied before, so not taken back: b, a.")
    assert "stays" not in decide(new, old, layers=layers, before=before, applied=["z"]).text


def test_what_an_undone_release_brought_is_not_called_applied_before_a_later_one(frozen):
    third, second = frozen("third", step("b"), step("c")), frozen("second", step("b"))
    layers = [Layer(third, frozenset({"b"})), Layer(second, frozenset())]
    assert decide(third, frozen("first"), layers=layers).stood == []


def test_rows_that_would_be_lost_keep_a_migration_and_all_older_ones(frozen):
    new = frozen("new", step("a"), step("b", drops_data="plants", lost=["count"]), step("c"))
    plan = decide(new, rows={"b": {"plants": 2, "pots": 0}})
    assert [each.id for each in plan.undo] == ["c"]
    assert [(each.id, each.reason) for each in plan.kept] == [
        ("b", "taking it back would destroy 2 rows of plants, and Drop data was not ticked"),
        ("a", "b, which is newer, stays"),
    ]
    assert plan.stop == ""


def test_with_drop_data_the_rows_are_shown_and_dropped(frozen):
    new = frozen("new", step("a", drops_data="plants", lost=["count"]))
    plan = decide(new, rows={"a": {"plants": 1}}, drop_data=True)
    assert [(each.id, each.keep_rows) for each in plan.undo] == [("a", False)]
    assert "  take back migration a (a), destroys 1 row of plants" in plan.text


def test_no_rows_are_no_loss_but_the_program_is_asked_to_keep_what_comes_meanwhile(frozen):
    plan = decide(frozen("new", step("a", drops_data="plants", lost=["count"])), rows={"a": NONE})
    assert [(each.id, each.keep_rows) for each in plan.undo] == [("a", True)]


def test_rows_that_nobody_can_count_are_not_dropped(frozen):
    new = frozen("new", step("a", drops_data="plants"))
    plan = decide(new)
    assert plan.kept[0].reason == "taking it back destroys plants, and how many was not counted"
    assert decide(new, drop_data=True).undo[0].id == "a"


@pytest.mark.parametrize(
    ("more", "rows", "reason"),
    [
        ({"down": None}, {}, "it has no way back (down is null)"),
        ({"drops_data": "x", "lost": ["count"]}, {"a": {"t": 3}}, "taking it back would destroy 3 rows of t"),
    ],
)
def test_what_can_neither_be_taken_back_nor_lived_with_stops_with_the_choices(frozen, more, rows, reason):
    plan = decide(frozen("new", step("a", old_build_compatible=False, **more)), frozen("old"), rows=rows)
    assert reason in plan.stop
    assert "the build before it does not work with it" in plan.stop
    assert (plan.restore, plan.delete, plan.undo) == ([], [], [])
    assert plan.text.startswith(
        "The rollback to old stops here; it has changed nothing. Migration a cannot be"
    )
    assert any("Drop data" in each for each in plan.choices) == bool(rows)
    assert "  1. " in plan.text
    assert "Go forward" in plan.text


def test_an_older_migration_that_cannot_be_lived_with_stops_it_behind_one_that_stays(frozen):
    new = frozen("new", step("a", old_build_compatible=False), step("b", down=None))
    assert "Migration a cannot be taken back (b, which is newer, stays)" in decide(new).stop


def test_migrations_go_first_when_the_old_build_cannot_live_with_one(frozen):
    plan = decide(frozen("new", step("a", old_build_compatible=False), step("b")), frozen("old"))
    assert plan.order == "migrations first"
    assert "old does not work with a. From taking it back until the old pods are ready" in plan.why


def test_a_ledger_that_cannot_be_asked_keeps_what_can_be_lived_with(frozen):
    plan = decide(frozen("new", step("a")), applied=None)
    assert [each.id for each in plan.kept] == ["a"]
    assert "no migrations.status" in plan.kept[0].reason
    assert decide(frozen("new", step("a", old_build_compatible=False)), applied=None).stop


def test_a_target_that_lacks_its_own_migrations_is_refused(frozen):
    old = frozen("old", step("z"))
    plan = decide(frozen("new", step("a")), old, applied=["a"])
    assert plan.stop == "old needs migrations that are not applied (z)."
    assert plan.choices[0].startswith("Trigger release of old")


def test_two_releases_are_undone_each_by_its_own_build(frozen):
    third, second = frozen("third", step("c")), frozen("second", step("b"))
    layers = [Layer(third, frozenset({"a", "b"})), Layer(second, frozenset({"a"}))]
    plan = decide(third, frozen("first"), layers=layers, applied=["a", "b", "c"])
    assert [(each.id, each.spec.partition("-")[0]) for each in plan.undo] == [("c", "third"), ("b", "second")]


def test_what_is_declared_of_the_build_right_before_says_nothing_of_one_farther_back(frozen):
    # second uses the column no more, third drops it: each right before it works. first still needs the column.
    third, second = frozen("third", step("drop")), frozen("second", step("b"))
    layers = [Layer(third, frozenset({"b"})), Layer(second, frozenset())]
    plan = decide(third, frozen("first"), layers=layers, applied=["b", "drop"])
    assert plan.order == "migrations first"
    assert plan.why.startswith("first is not known to work with drop. From")
    assert [(each.id, each.old_build_compatible) for each in plan.undo] == [("drop", False), ("b", True)]
    stays = frozen("third", step("drop", down=None))
    layers = [Layer(stays, frozenset({"b"})), Layer(second, frozenset())]
    plan = decide(stays, frozen("first"), layers=layers, applied=["b", "drop"])
    assert "that first works with it is not known: it is not the release right before" in plan.stop
    assert decide(third, second, applied=["b", "drop"]).order == "pods first"


def test_where_no_pods_ran_before_the_first_release_nothing_can_trouble_them(frozen):
    new = frozen("new", step("a", down=None, old_build_compatible=False))
    before = SavedState(
        run="release/x", app="small", release="new", digest="d", objects=[thing("Service", "web")], absent=[],
        applied=[], taken_at="2026-11-21T00:00:00+00:00",
    )  # fmt: skip
    plan = decide(new, before=before)
    assert (plan.stop, plan.order, [each.id for each in plan.kept]) == ("", "pods first", ["a"])
    ran = before.model_copy(update={"objects": [thing("Deployment", "web")]})
    assert "the build before it does not work with it" in decide(new, before=ran).stop


def test_an_applied_migration_that_nobody_here_knows_stops_it_by_name_with_the_choices(frozen):
    # third's `drop` was kept when it was gone back from: second can live with it. Nobody has asked for first.
    second, first = frozen("second", step("b")), frozen("first", step("z"))
    plan = decide(second, first, applied=["z", "b", "drop"])
    assert plan.stop.startswith("It is not known whether first works with what the ledger has besides: drop.")
    assert (plan.undo, plan.restore, plan.delete) == ([], [], [])
    for n, words in enumerate(
        ("Take drop back by hand, with the build that applied it", "trigger release of first", "Go forward"),
        1,
    ):
        assert f"  {n}. " in plan.text and words in plan.choices[n - 1]
    # It was there already when first ran: the target has worked with it.
    assert decide(second, first, applied=["b", "z", "y"], layers=[Layer(second, frozenset({"y"}))]).stop == ""
    # What a release between brought, seen from the newer one only, says nothing of the target either.
    third = frozen("third", step("drop"))
    layers = [Layer(third, frozenset({"b", "drop"})), Layer(second, frozenset())]
    assert "besides: drop" in decide(third, first, layers=layers, applied=["z", "b", "drop"]).stop


@pytest.mark.parametrize("way_back", [["down"], None])
def test_a_migration_that_an_earlier_rollback_kept_is_taken_back_or_stops_it(frozen, way_back):
    second, first = frozen("second", step("b")), frozen("first")
    third = frozen("third", step("drop", down=way_back), objects=[thing("Service", "third")])
    layers = [Layer(third, frozenset({"b"}), aside=True), Layer(second, frozenset())]
    live = [thing("Service", "third")]
    plan = decide(second, first, layers=layers, applied=["b", "drop"], live=live)
    assert plan.undoing == "second"
    if way_back:
        assert [each.id for each in plan.undo] == ["drop", "b"]
        assert (plan.order, plan.delete) == ("migrations first", [])
    else:
        assert plan.stop.startswith("Migration drop cannot be taken back (it has no way back (down is null))")
        assert "that first works with it is not known" in plan.stop


def thing(kind: str, name: str, app: str = "small", **notes: str) -> dict[str, Any]:
    metadata = {"name": name, "labels": {LABEL_APP: app}, "annotations": notes}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": {}}


def test_objects_are_restored_deleted_or_left_alone(frozen):
    mine = [thing("PersistentVolumeClaim", "data"), thing("Service", "shared"), thing("Service", "new"),
            thing("Deployment", "worker"), thing("Deployment", "taken")]  # fmt: skip
    old = frozen("old")
    new = frozen("new", objects=[*old.objects, *mine])
    live = [
        *mine[:-1],
        thing("Deployment", "taken", app="other"),
        thing("Deployment", "web", **{NOTE_PRESSED: "x"}),
    ]
    before = SavedState(
        run="release/x", app="small", release="new", digest="d", objects=[thing("Service", "shared")],
        absent=[], applied=[], taken_at="2026-11-21T00:00:00+00:00",
    )  # fmt: skip
    plan = decide(new, old, before=before, live=live)
    assert plan.restore == [("Deployment", "web")]
    assert plan.restore_saved == [("Service", "shared")]
    assert plan.delete == [("Deployment", "worker"), ("Service", "new")]
    assert {each.name: each.reason for each in plan.stays} == {
        "web": "its red button is pressed: it stays at zero pods",
        "data": "it holds data; delete it by hand if that may go",
        "taken": "it is not of small any more",
    }
    text = plan.text
    for line in (
        "restore Deployment web",
        "delete Deployment worker: this change created it",
        "leave PersistentVolume",
    ):
        assert line in text
    assert RollbackPlan.model_validate_json(plan.model_dump_json()) == plan


def test_two_releases_of_one_name_are_told_apart_by_their_digests(frozen):
    new, old = frozen("same", step("a")), frozen("same")
    new = new.model_copy(update={"digest": "f" * 64})
    assert decide(new, old).sentence == "Rollback from same (ffffffffff) to same (samesamesa), pods first."
    assert decide(new, frozen("old")).sentence.startswith("Rollback from same to old,")


def test_over_no_release_at_all_the_objects_are_restored(frozen):
    old = frozen("old", step("a"))
    plan = plan_rollback(Facts([], old, None, [], applied=None))
    assert (plan.undo, plan.delete, plan.restore, plan.stop) == ([], [], [("Deployment", "web")], "")
