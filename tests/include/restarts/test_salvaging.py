"""A mistake in one guard disarms that one: the others stay what they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from include.release.loading import PROJECT, Sources
from include.release.problems import RejectedError
from include.restarts import loading
from include.restarts.guards import Storm
from include.restarts.loading import only_to_rearm, placed_guards, read_guard, read_right_guards

GOOD = "  - {name: good, title: t, environment: payments, deployment: good-app}\n"
BAD = "  - name: bad\n    title: t\n    environment: payments\n    deployment: bad-app\n    threshold: 0\n"


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """The project's environments, with guards that a test writes."""
    shutil.copy(PROJECT / "include" / "config" / "environments.yaml", tmp_path)
    return Sources(PROJECT / "include" / "releases", tmp_path)


def write(sources: Sources, text: str) -> Sources:
    (sources.config / "guards.yaml").write_text(text)
    return sources


@pytest.mark.parametrize("text", [f"guards:\n{BAD}{GOOD}", f"guards:\n{GOOD}{BAD}"])
def test_a_guard_with_a_mistake_leaves_the_others_armed(sources: Sources, text: str) -> None:
    write(sources, text)
    assert [guard.name for guard, _, _ in placed_guards(sources)] == ["good"]
    assert read_guard(sources, "good")[0].deployment == "good-app"
    (wrong,) = read_right_guards(sources).wrong
    assert wrong.name.startswith("bad (line ")
    assert wrong.environment == "payments"
    assert "guards[" in wrong.text
    assert "a number of restarts from 1 to 100" in wrong.text
    with pytest.raises(RejectedError, match="0 would press at the first restart"):
        read_guard(sources, "bad")


@pytest.mark.parametrize(
    "bad",
    [
        BAD.replace("threshold: 0", "treshold: 4"),
        BAD.replace("threshold: 0", "threshold: 4").replace("payments", "nowhere"),
        BAD.replace("threshold: 0", "threshold: 4\n    threshold: 5"),
        BAD.replace("threshold: 0", "causes: [dns, wind]\n    window_minutes: -1"),
        "  - just a text\n",
        "  -\n",
        # The second of two that are each other's enemy.
        "  - {name: good, title: t, environment: payments, deployment: other}\n",
        "  - {name: other, title: t, environment: payments, deployment: good-app}\n",
    ],
)
def test_whatever_the_mistake(sources: Sources, bad: str) -> None:
    write(sources, f"storm: {{guards: 7}}\nguards:\n{GOOD}{bad}{GOOD.replace('good', 'well')}")
    found = read_right_guards(sources)
    assert [each.name for each in found.guards.guards] == ["good", "well"]
    assert found.guards.storm.guards == 7
    assert len(found.wrong) == 1
    assert "line 4" in found.wrong[0].name


def test_several_mistakes_are_each_told(sources: Sources) -> None:
    twice = GOOD.replace("good-app", "another")
    write(sources, f"guards:\n{GOOD}{BAD}{twice}")
    found = read_right_guards(sources)
    assert [each.name for each in found.guards.guards] == ["good"]
    assert sorted(each.name for each in found.wrong) == ["bad (line 3)", "good (line 8)"]


def test_what_all_guards_share_is_the_default_until_it_is_right(sources: Sources) -> None:
    found = read_right_guards(write(sources, f"storm: {{guards: 0}}\nguards:\n{GOOD}"))
    assert found.guards.storm == Storm()
    assert [(each.name, each.environment) for each in found.wrong] == [("storm", "")]


@pytest.mark.parametrize(
    "text",
    [
        "guards: [\n",
        f"guards:\n{GOOD}   - x: [\n",
        "",
        f"guards:\n{BAD}",
        "guards: 3\n",
        f"guards:\n{GOOD}---\nguards:\n{GOOD}",
    ],
)
def test_a_file_in_which_nothing_is_right_is_refused(sources: Sources, text: str) -> None:
    with pytest.raises(RejectedError):
        read_right_guards(write(sources, text))


def test_guards_on_one_line_cannot_be_told_apart(sources: Sources) -> None:
    line = "guards: [{name: a, title: t, environment: payments, deployment: a}, {name: b, threshold: 0}]\n"
    with pytest.raises(RejectedError):
        read_right_guards(write(sources, line))


@pytest.mark.parametrize("others", ["", GOOD])
@pytest.mark.parametrize(
    "mistake", ["threshold: 0", "treshold: 4", "threshold: 4\n    threshold: 5", "causes: [wind]"]
)
def test_a_mistake_leaves_the_way_back(sources: Sources, mistake: str, others: str) -> None:
    payments = "    payments: {kind: upcommerce, service: shop, port: 5000, settle: keep}\n"
    write(sources, f"guards:\n{BAD.replace('threshold: 0', mistake)}{payments}{others}")
    names = [guard.name for guard, _, _ in placed_guards(sources, to_rearm=True)]
    assert names == (["good", "bad"] if others else ["bad"])
    guard, place, _ = read_guard(sources, "bad", to_rearm=True)
    assert (guard.deployment, place.name) == ("bad-app", "payments")
    assert guard.payments is not None
    with pytest.raises(RejectedError):
        read_guard(sources, "bad")


@pytest.mark.parametrize(
    "bad",
    [
        BAD.replace("payments", "nowhere"),
        BAD.replace("bad-app", "Not A Name"),
        BAD.replace("bad-app", "good-app"),
        BAD.replace("name: bad", "name: good"),
        # What a re-arm would then leave out: to ask the upstream, to release what is held.
        BAD + "    payments: {kind: upcommerce, settle: kep}\n",
        BAD + "    paymets: {kind: upcommerce, service: shop, port: 5000, settle: keep}\n",
        BAD + "    upstream: {kind: service}\n",
    ],
)
def test_no_way_back_where_it_is_not_clear_what_it_would_be(sources: Sources, bad: str) -> None:
    write(sources, f"guards:\n{GOOD}{bad}")
    assert only_to_rearm(read_right_guards(sources), sources) == []
    assert [guard.name for guard, _, _ in placed_guards(sources, to_rearm=True)] == ["good"]


def test_a_file_is_parsed_once_and_again_when_it_has_changed(sources: Sources, monkeypatch) -> None:
    parsed: list[str] = []
    real = loading.read_one
    monkeypatch.setattr(loading, "read_one", lambda *args: [parsed.append("x"), real(*args)][1])
    write(sources, f"guards:\n{GOOD}")
    for _ in range(2):
        assert [guard.name for guard, _, _ in placed_guards(sources)] == ["good"]
        assert read_guard(sources, "good")[0].threshold == 3
    assert len(parsed) == 1
    write(sources, f"guards:\n{GOOD.replace('title: t', 'title: t, threshold: 5')}")
    assert read_guard(sources, "good")[0].threshold == 5
    text = (sources.config / "environments.yaml").read_text()
    (sources.config / "environments.yaml").write_text(text.replace("namespace: sre", "namespace: elsewhere"))
    assert read_guard(sources, "good")[1].namespace == "elsewhere"
