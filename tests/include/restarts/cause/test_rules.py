"""causes.yaml: what a team edits, and what is said when it is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from include.release.loading import CONFIG_SETTING, PROJECT
from include.release.problems import RejectedError
from include.restarts.cause import rules
from include.restarts.cause.last_words import last_words
from include.restarts.cause.rules import FILE, Causes, read_one, shown_path

OWN = PROJECT / "include" / "config" / FILE
CAUSES = read_one(Causes, OWN, shown_path(OWN))
GROUPS = {"application": "application", "config": "config", "network": "network", "maybe_network": "unknown"}
EXAMPLES = [
    (group, line) for group in GROUPS for pattern in getattr(CAUSES, group) for line in pattern.such_as
]


@pytest.mark.parametrize(
    ("group", "line"), EXAMPLES, ids=[f"{group}-{line[:40]}" for group, line in EXAMPLES]
)
def test_each_example_means_what_its_group_says_and_no_group_above_takes_it(group: str, line: str) -> None:
    found = last_words(line, rules())
    assert found is not None
    assert found.cause == GROUPS[group]


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CONFIG_SETTING, str(tmp_path))
    return Path(shutil.copy(OWN, tmp_path / FILE))


def test_a_team_adds_a_pattern_without_python(copied: Path) -> None:
    line = "GW-4711 partner line is dead"
    before = last_words(line, rules())
    assert before is None
    pattern = f"  - what: partner line\n    says: 'GW-4711'\n    such_as: ['{line}']\n"
    copied.write_text(copied.read_text().replace("\nnetwork:\n", f"\nnetwork:\n{pattern}"))
    found = last_words(line, rules())
    assert found is not None
    assert (found.cause, found.what) == ("network", "partner line")


def test_a_pattern_that_does_not_find_its_example_is_named_with_its_line(copied: Path) -> None:
    copied.write_text(
        copied.read_text().replace("says: 'too many open files|", "says: 'too many closed files|")
    )
    with pytest.raises(RejectedError, match=rf"{FILE}:\d+  says\s+found:\s+does not find .dial tcp"):
        rules()


def test_a_broken_expression_is_named_with_its_line(copied: Path) -> None:
    copied.write_text(copied.read_text().replace("retries: '", "retries: '(", 1))
    with pytest.raises(RejectedError, match=r"retries\s+found:\s+.*(unterminated|missing)"):
        rules()


def test_a_configuration_folder_without_the_file_uses_the_projects_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONFIG_SETTING, str(tmp_path))
    found = last_words("dial tcp 10.0.0.1:80: connect: connection refused", rules())
    assert found is not None
    assert found.cause == "network"


def test_a_wrong_change_leaves_the_rules_from_before_it_and_says_so(
    copied: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = rules()
    copied.write_text(
        copied.read_text().replace("says: 'too many open files|", "says: 'too many closed files|")
    )
    assert rules() is before
    assert "does not find" in caplog.text
    assert f"{FILE}:" in caplog.text
    shutil.copy(OWN, copied)
    assert rules() is not before
