"""What a rollback goes back to is not tidied away."""

from __future__ import annotations

from include.release.frozen import NOTE_DIGEST, NOTE_RELEASE
from include.release.keeping import gone_back_to, live_specs
from include.release.saved import SavedState


def state(number: int, release: str, digest: str, previous: str = "", **more: object) -> SavedState:
    about = {
        "run": f"release/{number}", "app": "shop", "release": release, "digest": digest, "previous_release": previous,
        "previous_digest": f"{previous}-digest" if previous else "",
        "previous_spec": f"{previous}-spec-x" if previous else "", "objects": [], "absent": [], "applied": [],
        "taken_at": f"2026-11-21T00:00:{number:02}+00:00",
    }  # fmt: skip
    return SavedState.model_validate(about | more)


def test_the_way_back_stays_however_often_a_release_is_repeated():
    repeats = [state(n, "r2", "r2-digest", "r2") for n in range(9, 2, -1)]
    way = state(2, "r2", "r2-digest", "r1")
    kept = gone_back_to([*repeats, way, state(1, "r1", "r1-digest")], 2, repeats[0].name)
    assert {repeats[0].name, repeats[1].name, way.name, "r1-spec-x", "r2-spec-r2-digest"} <= kept
    assert repeats[-1].name not in kept


def test_only_the_last_steps_are_kept_and_always_that_of_this_run():
    steps = [state(n, f"r{n}", f"r{n}-digest", f"r{n - 1}") for n in range(9, 1, -1)]
    kept = gone_back_to(steps, 2, steps[-1].name)
    assert {each.name for each in steps} & kept == {steps[0].name, steps[1].name, steps[-1].name}


def test_config_maps_of_saved_objects_are_kept():
    pod = {"containers": [{"name": "a", "envFrom": [{"configMapRef": {"name": "settings-1"}}]}]}
    saved = {"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": pod}}}
    assert "settings-1" in gone_back_to([state(1, "r1", "d", objects=[saved])], 1, "")


def test_what_is_live_is_kept():
    notes = {NOTE_RELEASE: "r1", NOTE_DIGEST: "0123456789abcdef"}
    assert live_specs([{"metadata": {"annotations": notes}}, {"metadata": {}}]) == {"r1-spec-0123456789"}
