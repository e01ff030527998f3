"""The gate: which build may go to production, and what is said of one that may not."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.records.models import Change, Verdict
from include.records.store import Records
from include.release.builds import build_problems
from include.release.frozen import Frozen, freeze
from include.release.gate import check_gate, verdict_lines
from include.release.images import ImageLock, LockedImage
from include.release.loading import PROJECT, Sources
from include.release.problems import RejectedError, listed
from include.release.qa import Judged, judge_run, verdicts_of

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
SHOP_2 = "sha256:" + "2" * 64
PROXY = "sha256:" + "9" * 64


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(f"sqlite:///{tmp_path}/records.db")


def say(records: Records, passed: bool = True, source: str = "qa", **more: Any) -> Verdict:
    values = {"digest": SHOP_2, "image": "shop:2.0.0", "app": "shop", "by": "dev", "at": NOON}
    return records.add_verdict(Verdict(**(values | {"passed": passed, "source": source} | more)))


def refusal(frozen: Frozen, records: Records, now: datetime = NOON) -> str:
    with pytest.raises(RejectedError) as raised:
        check_gate(frozen, records, now)
    return str(raised.value)


def test_a_build_without_a_verdict_does_not_come_in(frozen, records):
    text = refusal(frozen, records)
    assert text.splitlines() == [
        "1 problem in the builds of release-2 (shop) in production. The gate is closed; this task has changed nothing.",
        " 1. gate of production  image shop:2.0.0",
        f"    found:    no verdict on {SHOP_2}",
        "    expected: its newest verdict of qa, ci is a pass, at most 90 days old",
        "    fix:      release it to an environment that gives verdicts and is trusted (qa, ci), or have CI record "
        "one: docs/verdicts.md says how CI records one",
    ]


def test_a_pass_lets_it_in_with_the_verdict_for_the_record(frozen, records):
    kept = say(records, reason="all tests pass", link="https://ci.example.com/7")
    rows = check_gate(frozen, records, NOON + timedelta(days=90))
    assert rows == [
        {
            "image": "shop:2.0.0", "digest": SHOP_2, "id": kept.id, "passed": True, "source": "qa", "by": "dev",
            "at": "2026-03-04T12:00:00Z", "reason": "all tests pass", "link": "https://ci.example.com/7",
        }
    ]  # fmt: skip
    assert verdict_lines(rows) == [
        "shop:2.0.0 (sha256:222222222222): passed, says qa (by dev, 2026-03-04 12:00 UTC): all tests pass"
    ]


def test_a_pass_on_another_build_of_the_same_name_does_not_count(frozen, records):
    say(records, digest="sha256:" + "3" * 64)
    assert "no verdict on" in refusal(frozen, records)


def test_who_is_not_trusted_does_not_count(frozen, records):
    say(records, source="somebody")
    assert "no verdict on" in refusal(frozen, records)


def test_a_pass_gets_too_old(frozen, records):
    say(records)
    text = refusal(frozen, records, NOON + timedelta(days=90, seconds=1))
    assert f"{SHOP_2} passed, says qa (by dev, 2026-03-04 12:00 UTC), 90 days ago" in text
    assert "fix:      try the build again" in text


def test_kargo_5144_a_later_failed_verdict_closes_the_gate(frozen, records):
    say(records)
    say(records, False, "ci", by="admin", reason="checkout test fails", link="https://ci.example.com/8")
    text = refusal(frozen, records)
    assert (
        f"found:    {SHOP_2} failed, says ci (by admin, 2026-03-04 12:00 UTC): checkout test fails\n" in text
    )
    assert "(more about this one: https://ci.example.com/8)" in text
    say(records)
    assert [row["source"] for row in check_gate(frozen, records, NOON)] == ["qa"]


def test_every_image_of_the_release_needs_its_verdict(frozen, records):
    images = frozen.images | {"proxy:1.2": f"docker.io/proxy:1.2@{PROXY}", "tool:3": "docker.io/tool:3"}
    more = frozen.model_copy(update={"images": images})
    say(records)
    text = refusal(more, records)
    assert text.startswith("2 problems in")
    assert f"image proxy:1.2\n    found:    no verdict on {PROXY}" in text
    assert "image docker.io/tool:3\n    found:    a name without a digest" in text
    assert "shop:2.0.0" not in text


def test_an_environment_without_a_gate_asks_nobody(sources, lock, tmp_path):
    qa = sources.environments().find("qa")
    unreachable = Records(f"sqlite:///{tmp_path}/none/records.db")
    assert check_gate(freeze(sources.read_release("release-2"), qa, lock), unreachable) == []


# the scenario's outage


def test_outage_a_qa_build_with_the_wrong_script_pointed_at_production_is_refused_by_name(
    sources, production, records
):
    """It went to production once, was found after 50 minutes, and nobody knew what had been deployed."""
    lock = sources.image_lock(production)
    path = sources.releases / "release-2.yaml"
    path.write_text(path.read_text().replace("image: shop:2.0.0", "image: shop:2.0.0-qa"))
    loaded, qa = sources.read_release("release-2"), sources.environments().find("qa")
    assert build_problems(loaded, qa, lock, sources) == []
    problems = build_problems(loaded, production, lock, sources)
    named = [
        number
        for number, text in enumerate(path.read_text().splitlines(), start=1)
        if "image: shop:2.0.0-qa" in text
    ]
    assert sorted(each.line for each in problems) == named
    assert len(named) == 3
    text = listed(problems)
    assert "found:    shop:2.0.0-qa, a QA-only build (its label shop.qa-only is true)" in text
    assert "expected: a build that may go to production" in text
    assert "fix:      release the build that was made for it (shop:2.0.0?)" in text
    # It did pass in QA, and it stays out all the same.
    frozen = freeze(loaded, production, lock)
    for each in verdicts_of(freeze(loaded, qa, lock), Judged(True, "x"), "release/1", "dev", "", NOON):
        records.add_verdict(each)
    text = refusal(frozen, records)
    assert "gate of production  image shop:2.0.0-qa\n    found:    shop:2.0.0-qa, a QA-only build" in text


def test_the_lock_file_says_which_builds_are_for_trying_only():
    lock = Sources(PROJECT / "include" / "releases", PROJECT / "include" / "config").image_lock(
        Sources.from_environment().environments().environments[0]
    )
    assert [name for name, each in lock.images.items() if each.qa_only] == ["shop:2.0.0-qa"]


# two releases with one digest


def one_build(sources: Sources, lock: ImageLock, build: str | None = "1" * 64) -> None:
    """Give release 2 the build of release 1, under its own tag."""
    lock.images["shop:2.0.0"] = LockedImage(digest="sha256:" + "1" * 64, build=build)


def test_two_releases_with_one_digest_are_an_error_with_both_names(sources, production, lock):
    one_build(sources, lock)
    loaded = sources.read_release("release-2")
    problems = build_problems(loaded, production, lock, sources)
    assert [each.field for each in problems] == ["objects[1].spec.template.spec.containers[0].image"]
    text = str(problems[0])
    assert "release-2.yaml:" in text
    assert "found:    shop:2.0.0 (sha256:111111111111), which is also in release-1 (" in text
    assert "release-1.yaml, as shop:1.0.0); 2 more places in this file" in text


def test_an_image_of_others_may_be_in_many_releases(sources, production, lock):
    one_build(sources, lock, build=None)
    assert build_problems(sources.read_release("release-2"), production, lock, sources) == []


def test_one_digest_in_many_releases_is_one_problem_with_all_of_them(sources, production, lock):
    one_build(sources, lock)
    shutil.copy(sources.releases / "release-1.yaml", sources.releases / "draft.yaml")
    (problem,) = build_problems(sources.read_release("release-2"), production, lock, sources)
    assert re.search(
        r"is also in draft \(\S+draft.yaml, as shop:1.0.0\) and release-1 \(\S+, as shop:1.0.0\); 2 more places",
        str(problem),
    )


@pytest.mark.parametrize(
    "content",
    [
        "name: [",
        "objects: [{spec: {template: {spec: {containers: 3}}}}]",
        "- " * 5000,
        "objects: 2026-13-45",
        None,
    ],
)
def test_a_draft_with_problems_of_its_own_is_in_nobodys_way(sources, production, lock, content):
    draft = sources.releases / "draft.yaml"
    draft.mkdir() if content is None else draft.write_text(content)
    assert build_problems(sources.read_release("release-2"), production, lock, sources) == []
    assert sources.app_names() == ["shop"]


def test_a_broken_file_of_another_release_is_not_in_the_way(sources, production, lock):
    one_build(sources, lock)
    (sources.releases / "release-1.yaml").write_text("name: [")
    assert build_problems(sources.read_release("release-2"), production, lock, sources) == []


def test_a_build_that_another_release_brought_before_is_refused_by_the_gate(frozen, records):
    say(records)
    image = f"registry.example.com/shop:2.0.0@{SHOP_2}"
    old = {
        "kind": "release", "app": "shop", "environment": "qa", "number": 2, "images": {"shop:2.0.0": image},
        "outcome": "released",
    }  # fmt: skip
    for run, release, outcome in (
        ("a", "release-2", "released"),
        ("b", "release-1b", "failed"),
    ):
        records.save_change(Change(**(old | {"run": run, "release": release, "outcome": outcome})))
    assert len(check_gate(frozen, records, NOON)) == 1
    records.save_change(Change(**old, run="c", release="release-1c"))
    text = refusal(frozen, records)
    assert f"found:    {SHOP_2}, which release-1c brought already" in text


# what a release to qa says of its builds

GOOD = {"migrate": "success", "rollout_check": "success", "smoke_check": "success", "verify_build": "success"}


def test_a_release_that_passed_its_checks_is_a_pass():
    assert judge_run(GOOD, {}, GOOD) == Judged(True, "rollout_check, smoke_check and verify_build succeeded")


@pytest.mark.parametrize("task", ["migrate", "rollout_check", "smoke_check", "verify_build"])
def test_a_build_that_failed_is_a_fail(task):
    failures = {task: {"kind": "failed", "reason": "exit code 3"}}
    assert judge_run(GOOD | {task: "failed"}, failures, {}) == Judged(False, f"{task} failed: exit code 3")


@pytest.mark.parametrize(
    ("states", "failures", "reason"),
    [
        ({"smoke_check": "failed"}, {"smoke_check": {"kind": "trouble", "reason": "no cluster"}},
         "smoke_check failed for another reason than the build: no cluster"),
        ({"migrate": "failed", "rollout_check": "upstream_failed"}, {},
         "migrate failed for another reason than the build: it ended without saying why (killed, or its worker was lost)"),
        ({"rollout_check": "upstream_failed", "smoke_check": "upstream_failed", "verify_build": "upstream_failed"}, {},
         "the builds were not tried to the end: rollout_check upstream failed, smoke_check upstream failed, "
         "verify_build upstream failed"),
        ({"verify_build": "skipped"}, {}, "the builds were not tried to the end: verify_build skipped"),
        ({"verify_build": ""}, {}, "the builds were not tried to the end: verify_build not run"),
    ],
)  # fmt: skip
def test_a_run_that_did_not_try_the_build_says_nothing(states, failures, reason):
    assert judge_run(GOOD | states, failures, GOOD) == Judged(None, reason)


def test_a_check_that_somebody_marked_as_a_success_is_no_pass():
    judged = judge_run(GOOD, {}, {"rollout_check", "verify_build"})
    assert judged == Judged(None, "smoke_check handed on no result: somebody marked smoke_check as a success")


def test_a_failure_speaks_of_our_own_builds_only(frozen):
    images = frozen.images | {"proxy:1.2": f"docker.io/proxy:1.2@{PROXY}"}
    more = frozen.model_copy(update={"images": images})

    def given(judged: Judged) -> list[str]:
        return [each.digest for each in verdicts_of(more, judged, "release/1", "dev", "", NOON)]

    assert given(Judged(True, "x")) == [PROXY, SHOP_2]
    assert given(Judged(False, "x")) == [SHOP_2]
    assert given(Judged(None, "x")) == []


# the configuration


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("trusted: [qa, ci]", "trusted: []", "gate.trusted\n    found:    nobody\n    expected: who gives verdicts"),
        ("gives_verdict: true", "gives_verdict: false", "found:    qa, an environment that gives no verdict"),
        ("source: ci", "source: qa", "verdict_recorders[0].source\n    found:    qa, the name of an environment"),
    ],
)  # fmt: skip
def test_a_gate_that_cannot_open_and_a_ci_that_poses_as_an_environment(sources, old, new, said):
    path = sources.config / "environments.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(RejectedError) as raised:
        sources.environments()
    assert said in str(raised.value)
