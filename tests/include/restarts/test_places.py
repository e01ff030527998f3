"""A mistake in one environment disarms no guard of another."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from include.release.loading import PROJECT, Sources
from include.release.problems import RejectedError
from include.restarts.loading import placed_guards, read_guard, read_right_guards
from include.restarts.places import read_places

GUARDS = "guards:\n" + "".join(
    f"  - {{name: {name}, title: t, environment: {place}, deployment: {name}-app}}\n"
    for name, place in (("one", "payments"), ("two", "qa"))
)


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """The project's configuration, with a guard in two of its environments."""
    shutil.copy(PROJECT / "include" / "config" / "environments.yaml", tmp_path)
    (tmp_path / "guards.yaml").write_text(GUARDS)
    return Sources(PROJECT / "include" / "releases", tmp_path)


def change(sources: Sources, old: str, new: str) -> str:
    """Replace a text once in the environments; returns the file's line of it."""
    path = sources.config / "environments.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return f"environments.yaml:{text[: text.index(old)].count(chr(10)) + 1}"


def test_a_mistake_in_one_environment_disarms_its_guards_only_and_is_named(sources: Sources) -> None:
    where = change(sources, "namespace: course4-qa", "namespace: Course4_QA")
    assert [guard.name for guard, _, _ in placed_guards(sources)] == ["one"]
    (wrong,) = read_right_guards(sources).wrong
    assert wrong.name.startswith("two (line ")
    assert f"{where} environments[0].namespace" in wrong.text
    with pytest.raises(RejectedError, match="which is wrong itself"):
        read_guard(sources, "two")


def test_what_only_releases_ask_of_the_whole_file_disarms_nobody(sources: Sources) -> None:
    change(sources, "verdict_recorders:", "verdict_recorders: [{user: ci}]\nold_recorders:")
    assert len(placed_guards(sources)) == 2
    assert read_places(sources).wrong == {}


def test_two_environments_of_one_name_are_both_wrong(sources: Sources) -> None:
    change(sources, "name: production", "name: qa")
    assert [guard.name for guard, _, _ in placed_guards(sources)] == ["one"]
    assert "qa 2 times" in read_places(sources).wrong["qa"].found


@pytest.mark.parametrize(
    "text", ["", "environments: [\n", "environments: {}", "environments: [{name: a}]", "a: &b 1"]
)
def test_a_file_of_which_nothing_is_right_is_refused_with_its_line(sources: Sources, text: str) -> None:
    (sources.config / "environments.yaml").write_text(text)
    with pytest.raises(RejectedError, match=r"environments.yaml:\d"):
        placed_guards(sources)
