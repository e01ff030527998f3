"""When the clean-up is due."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.logs.due import cleanup_duty
from include.logs.retention import LogRetention
from include.overdue.duties import duties
from include.overdue.judging import Seen, judge
from include.release.loading import PROJECT, Sources

VOLUME = {"name": "a", "title": "A", "path": "/logs", "classes": [{"name": "all", "globs": ["**"]}]}


@pytest.mark.parametrize(
    ("start", "finish_by", "hours"), [("04:00", "06:00", 2), ("23:00", "01:30", 2.5), ("04:00", "04:00", 24)]
)
def test_what_ends_before_it_starts_ends_on_the_next_day(start: str, finish_by: str, hours: float):
    retention = LogRetention.model_validate(
        {"time_zone": "Europe/Berlin", "start": start, "finish_by": finish_by, "volumes": [VOLUME]}
    )
    duty = cleanup_duty(retention)
    assert duty.finish_within == timedelta(hours=hours)
    assert duty.ticks.words == f"daily at {start} (Europe/Berlin)"


MISTAKE = "\nhold:\n  - {case: '2026-117', owner: Legal, globs: ['**']}\n"
CHAT = "tell:\n  - {kind: webhook, connection: sre_chat}\n"


@pytest.mark.parametrize(
    ("change", "words", "tell"),
    [
        (lambda text: text + MISTAKE, "daily at 04:00 (Europe/Berlin)", ["webhook"]),
        (
            lambda text: text.replace("Europe/Berlin", "Europe/Paderborn") + MISTAKE,
            "daily at 04:00 (UTC)",
            None,
        ),
        (lambda text: "volumes: [", "daily at 04:00 (UTC)", None),
    ],
    ids=["an unknown key", "and no such zone", "no YAML"],
)
def test_people_are_told_of_a_clean_up_that_its_own_file_keeps_from_running(
    tmp_path: Path, change, words, tell
):
    shutil.copytree(PROJECT / "include" / "config", tmp_path / "config")
    sources = replace(Sources.from_environment(), config=tmp_path / "config")
    file = tmp_path / "config" / "log_retention.yaml"
    file.write_text(change(file.read_text().replace("tell:\n  - {kind: log}\n", CHAT)))
    found = duties(sources)
    (duty,) = (each for each in found.duties if each.dag_id == "log_cleanup")
    assert "log_retention.yaml" in found.problems[0]
    assert duty.ticks.words == words
    first = sources.environments().environments[0]
    assert [each.kind for each in duty.tell] == (tell or [each.kind for each in first.tell])
    now = datetime.now(UTC)
    judged = judge(duty, Seen(), now, since=now - timedelta(days=3))
    assert judged.state == "not started"
    assert "whose file include/config/log_retention.yaml is not right" in judged.text
