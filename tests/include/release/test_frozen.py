from __future__ import annotations

import json

import pytest

from include.jobs.state import choose
from include.release.diff import difference
from include.release.environments import may_trigger
from include.release.frozen import Frozen, freeze
from include.release.jobs import job_for
from include.release.keeping import disposable
from include.release.problems import RejectedError


def test_images_become_digests_and_config_maps_get_the_digest_of_their_data(frozen):
    app = next(each for each in frozen.objects if each["metadata"]["name"] == "app-deployment")
    (container,) = app["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"registry.example.com/shop:2.0.0@sha256:{'2' * 64}"
    name = container["envFrom"][0]["configMapRef"]["name"]
    (settings,) = [each for each in frozen.config_maps if each["metadata"]["name"] == name]
    assert name.startswith("shop-settings-")
    assert settings["immutable"] is True
    assert app["metadata"]["namespace"] == "course4"


def test_the_same_input_freezes_to_the_same_digest_and_another_input_does_not(
    sources, production, lock, frozen
):
    again = freeze(sources.read_release("release-2"), production, lock)
    assert again.to_json() == frozen.to_json()
    path = sources.releases / "release-2.yaml"
    path.write_text(path.read_text().replace('DRAIN_SECONDS: "1"', 'DRAIN_SECONDS: "2"'))
    changed = freeze(sources.read_release("release-2"), production, lock)
    assert changed.digest != frozen.digest
    assert changed.config_maps[0]["metadata"]["name"] != frozen.config_maps[0]["metadata"]["name"]
    assert changed.config_maps[1] == frozen.config_maps[1]


def test_a_frozen_release_survives_the_way_through_xcom_and_shows_when_it_was_changed(frozen):
    text = frozen.to_json()
    assert Frozen.from_json(text) == frozen
    with pytest.raises(ValueError, match="its content has another"):
        Frozen.from_json(text.replace('"replicas":6', '"replicas":5'))
    for guard in (('"may_trigger":["', '"may_trigger":["mallory","'), ('"qa_only":[', '"qa_only":["x"')):
        assert guard[0] in text
        with pytest.raises(ValueError, match="its seal is that of another"):
            Frozen.from_json(text.replace(*guard))
    stored = json.loads(text)
    del stored["seal"]
    assert Frozen.from_json(json.dumps(stored)) == frozen


def test_an_image_that_is_not_locked_is_named_with_its_line(sources, production, lock):
    lock.images.pop("shop:2.0.0")
    with pytest.raises(RejectedError) as raised:
        freeze(sources.read_release("release-2"), production, lock)
    text = str(raised.value)
    assert text.count("shop:2.0.0, which is not in the lock file\n    expected: one of shop:1.0.0") == 3
    assert "release-2.yaml:" in text


def test_who_may_trigger(production):
    assert may_trigger(production, "oncall") is None
    problem = may_trigger(production, "dev")
    assert problem is not None
    assert (problem.found, problem.expected) == ("triggered by dev", "one of admin, oncall")
    assert may_trigger(production, None) is not None


def test_a_job_is_named_by_what_it_carries_and_who_asks(frozen):
    step = frozen.release.migrations.steps[0]
    first, same, later = (job_for(frozen, step, by)["metadata"]["name"] for by in ("run/0", "run/0", "run/1"))
    assert first == same
    assert later != first
    assert len(first) <= 63


def test_a_job_that_still_runs_is_gone_on_with_whoever_asked_for_it(frozen):
    step = frozen.release.migrations.steps[0]
    running, wanted = job_for(frozen, step, "run/0"), job_for(frozen, step, "run/1")
    assert choose([running], wanted) is running
    done = {**running, "status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    assert choose([done], wanted) is None


def test_old_config_maps_go_but_not_the_last_ones_nor_those_in_use():
    maps = [
        {"metadata": {"name": f"a-{n}", "creationTimestamp": f"2026-01-0{n}", "labels": {"plan-reduce-repeat/base-name": "a"}}}
        for n in range(1, 6)
    ]  # fmt: skip
    other = {"metadata": {"name": "somebody-elses", "creationTimestamp": "2025-01-01"}}
    assert disposable([*maps, other], {"a-1"}, keep=2) == ["a-2", "a-3"]


def test_a_diff_shows_what_changes_and_hides_what_the_server_writes():
    live = {
        "kind": "X",
        "metadata": {"name": "x", "uid": "1", "resourceVersion": "7"},
        "spec": {"a": 1},
        "status": {},
    }
    wanted = {"kind": "X", "metadata": {"name": "x", "uid": "1", "resourceVersion": "8"}, "spec": {"a": 2}}
    assert difference(live, wanted).splitlines()[-2:] == ["-  a: 1", "+  a: 2"]
    assert difference(live, {**wanted, "spec": {"a": 1}}) == ""


def test_a_diff_names_the_change_and_leaves_out_what_it_is_told_to():
    def noted(**notes: str) -> dict:
        return {"kind": "X", "metadata": {"name": "x", "annotations": notes}}

    text = difference(
        noted(run="1", team="a"), noted(run="2", team="b"), change="rollback", leave_out={"run"}
    )
    assert "+++ X x (after this rollback)" in text
    assert "-    team: a" in text
    assert "run:" not in text
    assert difference(noted(run="1"), {"kind": "X", "metadata": {"name": "x"}}, leave_out={"run"}) == ""
    assert difference(noted(run="1"), noted(run="2")) != ""


def test_a_diff_never_shows_a_secret():
    def secret(value: str) -> dict:
        return {"kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "data": {"password": value}}

    text = difference(secret("aHVudGVyMg=="), secret("b3RoZXI="))
    assert "aHVudGVyMg" not in text
    assert text.count("(hidden, fingerprint ") == 2
