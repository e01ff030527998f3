"""Where a rollback goes, from what earlier runs kept."""

from __future__ import annotations

from typing import Any

import pytest

from include.release.applying import noted, spec_name, stored_spec
from include.release.environments import Environment
from include.release.frozen import LABEL_APP, LABEL_BASE, NOTE_RUN, Frozen, freeze
from include.release.images import ImageLock, LockedImage
from include.release.loading import PROJECT, load_release
from include.release.problems import RejectedError
from include.release.saved import SavedState, base_of_saved, live_objects, running_release
from include.release.targeting import begun, find_target, own_route, passed_by

PLACE = Environment(
    name="test", title="t", connection="c", namespace="n", image_lock="none", may_trigger=["*"], may_approve=["*"],
    documents="d",
)  # fmt: skip


class Memory:
    """A cluster that only answers what is in it."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}

    def put(self, manifest: dict[str, Any]) -> None:
        self.objects[manifest["kind"], manifest["metadata"]["name"]] = manifest

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        return self.objects.get((kind, name))

    def list(self, kind: str, namespace: str, labels: str = "") -> list[dict[str, Any]]:
        wanted = [pair.partition("=") for pair in labels.split(",") if pair]
        return [
            each
            for (its, _), each in self.objects.items()
            if its == kind
            and all(
                key in each["metadata"].get("labels", {})
                and (not equals or each["metadata"]["labels"][key] == value)
                for key, equals, value in wanted
            )
        ]

    # What a shop's history is made of.

    def live(self, frozen: Frozen) -> None:
        """This release runs, as a whole."""
        self.put(stored_spec(frozen))
        for manifest in frozen.objects:
            self.put(noted(manifest, None, frozen, "release/x"))

    def saved(
        self, number: int, new: Frozen, old: Frozen | None, applied: list[str] | None = None, **more: Any
    ) -> str:
        """What a run found before it brought ``new``."""
        self.put(stored_spec(new))
        state = SavedState(
            run=more.get("run", f"release/{number}"), kind=more.get("kind", "release"), app="small",
            release=new.release.name, digest=new.digest, previous_release=old.release.name if old else "",
            previous_digest=old.digest if old else "",
            previous_spec=spec_name(old.release.name, old.digest) if old else "", objects=[], absent=[],
            applied=[] if applied is None else applied, taken_at=f"2026-11-21T00:00:{number:02}+00:00",
            over=more.get("over", []),
        )  # fmt: skip
        labels = {LABEL_APP: "small", LABEL_BASE: base_of_saved("small")}
        data = {"state.json": state.model_dump_json()}
        self.put({"kind": "ConfigMap", "metadata": {"name": state.name, "labels": labels}, "data": data})
        return state.name


@pytest.fixture
def releases(tmp_path: Any) -> list[Frozen]:
    """Three releases of the small app."""
    lock = ImageLock(registry="r", images={"python:3": LockedImage(digest="sha256:" + "0" * 64)})
    text = (PROJECT / "tests" / "data" / "releases" / "small.yaml").read_text()
    found = []
    for number in (1, 2, 3):
        path = tmp_path / f"r{number}.yaml"
        path.write_text(
            text.replace("name: small\n", f"name: r{number}\n").replace("number: 1", f"number: {number}")
        )
        found.append(freeze(load_release(path), PLACE, lock))
    return found


@pytest.fixture
def memory(releases: list[Frozen]) -> Memory:
    """r1, then r2 in two tries, then r3, which is live."""
    first, second, third = releases
    made = Memory()
    made.saved(1, first, None)
    made.saved(2, second, first, ["a"])
    made.saved(3, second, first, ["a", "b"])
    made.saved(4, third, second, ["a", "b", "c"])
    made.live(third)
    return made


def target(memory: Memory, wanted: str) -> Any:
    return find_target(memory, PLACE, "small", wanted)  # type: ignore[arg-type]


def test_previous_is_what_the_live_release_found(memory, releases):
    found = target(memory, "previous")
    assert found.target.release.name == "r2"
    assert [each.spec for each in found.route.layers] == [spec_name("r3", releases[2].digest)]
    assert found.route.layers[0].applied == ["a", "b", "c"]


def test_a_release_farther_back_is_reached_over_those_between_and_all_their_tries(memory):
    found = target(memory, "r1")
    assert [(each.spec[:2], each.applied) for each in found.route.layers] == [
        ("r3", ["a", "b", "c"]),
        ("r2", ["a"]),
    ]


def test_after_a_rollback_previous_goes_on_back_and_not_forward_again(memory, releases):
    _, second, third = releases
    memory.saved(5, second, third, ["a"], kind="rollback")
    memory.live(second)
    assert target(memory, "previous").target.release.name == "r1"
    assert target(memory, "before release/5").target.release.name == "r3"


def test_what_is_live_is_reached_over_nothing(memory):
    assert target(memory, "r3").route.layers == []


def test_before_a_run_goes_over_all_later_ones(memory):
    found = target(memory, "before  3")
    assert found.target.release.name == "r1"
    assert [each.spec[:2] for each in found.route.layers] == ["r3", "r2"]


@pytest.mark.parametrize("wanted", ["r7", "before release/77", "r3x"])
def test_a_target_that_there_is_not_is_answered_with_those_that_there_are(memory, wanted):
    with pytest.raises(RejectedError) as raised:
        target(memory, wanted)
    text = str(raised.value)
    assert f"{wanted!r}, to which nothing that was kept leads from what is live" in text
    assert "before release/4: r2, as found at 2026-11-21T00:00:04+00:00" in text


def test_before_the_run_that_applied_them_reaches_migrations_that_a_rollback_kept(releases):
    first, second, third = releases
    made = Memory()
    made.saved(2, second, first, [])
    made.saved(3, first, second, ["a"], kind="rollback")
    made.saved(4, third, first, ["a"])
    made.live(third)
    assert [(each.spec[:2], each.applied) for each in target(made, "previous").route.layers] == [
        ("r3", ["a"])
    ]
    layers = target(made, "before release/2").route.layers
    assert [(each.spec[:2], each.applied) for each in layers] == [("r3", ["a"]), ("r2", [])]


def test_what_came_meanwhile_and_was_gone_back_from_is_aside_of_the_way(releases):
    first, second, third = releases
    made = Memory()
    made.put(stored_spec(first))
    made.saved(2, second, first, ["a"])
    made.saved(3, third, second, ["a", "b"])
    made.saved(4, second, third, ["a", "b", "c"], kind="rollback")
    made.live(second)
    route = target(made, "previous").route
    assert [each.spec[:2] for each in route.layers] == ["r2"]
    assert [(each.spec[:2], each.applied) for each in route.aside] == [("r3", ["a", "b"])]
    assert route.aside[0].came > route.layers[0].came
    # Over all runs since, the releases go back in the order in which they came, whatever was live again meanwhile.
    over = target(made, "before release/2").route
    assert [each.spec[:2] for each in over.layers] == ["r3", "r2"]


def test_what_was_refused_before_it_changed_anything_is_no_part_of_the_way(memory, releases):
    _, second, third = releases
    before = {wanted: target(memory, wanted).route for wanted in ("previous", "before release/3")}
    for number in (5, 6):
        refused = second.model_copy(update={"digest": str(number) * 64})
        memory.saved(number, refused, third, ["a", "b", "c", "d"])
        del memory.objects["ConfigMap", spec_name("r2", refused.digest)]
        assert {wanted: target(memory, wanted).route for wanted in before} == before
    assert target(memory, "before release/6").route.layers == []
    # One that has changed something and is not kept stays on the way: what it migrated is not left out in silence.
    memory.saved(7, second, third, ["a"])
    over = target(memory, "before release/6").route
    assert spec_name("r2", "6" * 64) in [each.spec for each in over.layers]


def test_what_was_kept_on_purpose_is_not_taken_for_the_next_try_of_it(releases):
    first, second, third = releases
    made = Memory()
    made.put(stored_spec(first))
    made.saved(2, second, first, [])
    made.saved(3, first, second, ["a"], kind="rollback")
    made.saved(4, third, first, ["a"])  # refused: it has changed nothing
    made.saved(5, second, first, ["a"])
    made.saved(6, second, first, ["a", "b"])
    made.live(second)
    route = target(made, "previous").route
    assert [(each.spec[:2], each.applied) for each in route.layers] == [("r2", ["a"])]


def test_runs_that_changed_nothing_are_not_among_the_targets(memory, releases):
    _, second, third = releases
    for number in (5, 6):
        memory.saved(number, second, third, ["a", "b", "c"])
    with pytest.raises(RejectedError) as raised:
        target(memory, "r7")
    text = str(raised.value)
    assert "before release/6: r3" in text
    assert "before release/5" not in text
    assert "before release/4: r2" in text
    assert target(memory, "before release/5").target.release.name == "r3"


def test_what_no_release_had_brought_is_no_target_here(memory):
    with pytest.raises(RejectedError, match="had not, as a whole, been brought by a release"):
        target(memory, "before release/1")


def test_a_stored_release_that_is_gone_is_named(memory, releases):
    del memory.objects["ConfigMap", spec_name("r2", releases[1].digest)]
    with pytest.raises(RejectedError, match=r"whose ConfigMap r2-spec-.* is gone"):
        target(memory, "previous")


def test_a_half_released_state_has_no_previous(memory, releases):
    (deployment,) = releases[1].deployments()
    other = releases[1].model_copy(update={"digest": "f" * 64})
    memory.put(noted(deployment, None, other, "release/5"))
    with pytest.raises(RejectedError, match="leads from what is live"):
        target(memory, "previous")


def test_a_stored_release_that_cannot_be_read_is_no_release_that_runs(memory, releases):
    name = spec_name("r3", releases[2].digest)
    live = live_objects(memory, releases[2])  # type: ignore[arg-type]
    assert running_release(memory, releases[2], live) == ("r3", releases[2].digest)  # type: ignore[arg-type]
    memory.objects["ConfigMap", name]["data"]["release.json"] = "{}"
    assert running_release(memory, releases[2], live) == ("", "")  # type: ignore[arg-type]


def lease(*left: str) -> dict[str, Any]:
    import json

    runs = [{"run": f"release/{n}", "stage": "migrate", "saved_state": name} for n, name in enumerate(left)]
    notes = {"plan-reduce-repeat/left": json.dumps(runs)}
    return {"kind": "Lease", "metadata": {"name": "release-lock-small", "annotations": notes}, "spec": {}}


def test_a_run_goes_back_to_what_it_found_itself(memory, releases):
    memory.put(lease(memory.saved(1, releases[0], None)))
    name = memory.saved(7, releases[2], releases[1], run="release/7")
    route = own_route(memory, releases[2], "release/7")  # type: ignore[arg-type]
    assert (route.target[:2], route.before, len(route.layers)) == ("r2", name, 1)
    assert own_route(memory, releases[2], "release/8") is None  # type: ignore[arg-type]


def test_a_run_that_found_a_half_released_state_goes_back_over_the_run_that_left_it(memory, releases):
    left = memory.saved(6, releases[1], releases[0], ["a"], run="release/6")
    memory.put(lease(left))
    memory.saved(7, releases[2], None, ["a", "b"], run="release/7")
    route = own_route(memory, releases[2], "release/7")  # type: ignore[arg-type]
    assert (route.target[:2], route.before) == ("r1", left)
    assert [(each.spec[:2], each.applied) for each in route.layers] == [("r3", ["a", "b"]), ("r2", ["a"])]


def test_a_run_that_was_rolled_back_and_is_cleared_then_goes_the_same_way_again(memory, releases):
    left = memory.saved(6, releases[1], releases[0], ["a"], run="release/6")
    memory.put(lease(left))
    memory.saved(7, releases[2], None, ["a", "b"], run="release/7", over=[left])
    first = own_route(memory, releases[2], "release/7")  # type: ignore[arg-type]
    memory.put(lease())  # a step has seen that it was rolled back: the lock has nothing to ask about any more
    again = own_route(memory, releases[2], "release/7")  # type: ignore[arg-type]
    assert again == first
    assert (again.target[:2], again.before) == ("r1", left)


def interrupted(run: str, frozen: Frozen, stage: str, kind: str = "release") -> dict[str, Any]:
    """The Lease after a run that nobody brought to an end."""
    journal = {"run": run, "kind": kind, "stage": stage, "release": frozen.release.name}
    journal["spec-digest"] = frozen.digest
    notes = {f"plan-reduce-repeat/{key}": value for key, value in journal.items()}
    return {"kind": "Lease", "metadata": {"name": "release-lock-small", "annotations": notes}, "spec": {}}


def test_previous_does_not_pass_by_an_interrupted_release_that_only_migrated(memory, releases):
    _, second, third = releases
    memory.saved(5, third, second, ["a"], run="release/5")
    memory.live(second)  # third has not got as far as its objects

    def left(wanted: str) -> list[str]:
        route = target(memory, wanted).route
        return [each.run for each in passed_by(memory, second, "rollback/1", route)]  # type: ignore[arg-type]

    memory.put(interrupted("release/5", third, "migrate"))
    assert target(memory, "previous").target.release.name == "r1"
    assert left("previous") == ["release/5"]
    assert left("before release/5") == []
    memory.put(interrupted("release/5", third, "configure"))
    assert left("previous") == []
    memory.put(interrupted("rollback/5", third, "restore", kind="rollback"))
    assert left("previous") == []


def test_a_run_has_begun_when_its_objects_or_its_jobs_are_there(memory, releases):
    memory.saved(7, releases[0], releases[2], run="release/7")
    route = own_route(memory, releases[0], "release/7")  # type: ignore[arg-type]
    assert not begun(memory, releases[0], "release/7", route)  # type: ignore[arg-type]
    labels = {LABEL_APP: "small", "plan-reduce-repeat/migration": "a", "plan-reduce-repeat/direction": "up"}
    job = {
        "kind": "Job",
        "metadata": {"name": "j", "labels": labels, "annotations": {NOTE_RUN: "release/7/0"}},
    }
    memory.put(job)
    assert begun(memory, releases[0], "release/7", route)  # type: ignore[arg-type]
    del memory.objects["Job", "j"]
    memory.put(noted(releases[0].deployments()[0], None, releases[0], "release/7"))
    assert begun(memory, releases[0], "release/7", route)  # type: ignore[arg-type]


def test_a_run_that_came_to_its_migrations_has_begun_although_their_jobs_are_gone(memory, releases):
    memory.saved(7, releases[0], releases[2], run="release/7")
    route = own_route(memory, releases[0], "release/7")  # type: ignore[arg-type]
    for run, stage, expected in (
        ("release/7", "configure", False),
        ("release/7", "migrate", True),
        ("release/7", "deploy", True),
        ("release/6", "deploy", False),
    ):
        memory.put(interrupted(run, releases[0], stage))
        assert begun(memory, releases[0], "release/7", route) is expected, (run, stage)  # type: ignore[arg-type]
