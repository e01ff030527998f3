"""What is asked back from the archives."""

from __future__ import annotations

from typing import Any

import pytest

from include.logs.restored import restored_message
from include.logs.retention import Volume
from include.logs.wishing import in_words, restore_wish
from include.release.problems import RejectedError


def test_files_a_day_and_a_directory():
    params = {"files": " app.log\n\nweb/**/*.log ", "day": "2026-11-21", "to": "restored/case-117/"}
    assert restore_wish(params) == {
        "globs": ["app.log", "web/**/*.log"],
        "from": "2026-11-21T00:00:00+00:00",
        "until": "2026-11-22T00:00:00+00:00",
        "to": "restored/case-117",
    }
    assert in_words(params) == "app.log, web/**/*.log of 2026-11-21 (UTC)"
    assert in_words({"day": "2026-11-21"}, "Europe/Berlin") == "all files of 2026-11-21 (Europe/Berlin)"


def test_a_day_is_one_of_the_time_zone_of_the_file():
    found = restore_wish({"day": "2026-11-21"}, "Europe/Berlin")
    assert found == {"from": "2026-11-20T23:00:00+00:00", "until": "2026-11-21T23:00:00+00:00"}
    found = restore_wish({"day": "2026-10-25"}, "Europe/Berlin")  # which has 25 hours
    assert found == {"from": "2026-10-24T22:00:00+00:00", "until": "2026-10-25T23:00:00+00:00"}


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({}, "nothing"),
        ({"files": "/etc/passwd"}, "'/etc/passwd'"),
        ({"files": "a/../../b"}, "'a/../../b'"),
        ({"files": ".log-cleanup/archives/x"}, "'.log-cleanup/archives/x'"),
        ({"files": "a", "to": "../elsewhere"}, "'../elsewhere'"),
        ({"day": "21.11.2026"}, "'21.11.2026'"),
        ({"day": "9999-12-31"}, "'9999-12-31'"),
    ],
)
def test_what_cannot_be_meant_is_refused(params: dict[str, Any], found: str):
    with pytest.raises(RejectedError) as caught:
        restore_wish(params)
    assert f"found:    {found}" in str(caught.value)


def test_people_are_told_what_came_back_and_what_did_not():
    facts = {"files": 2, "bytes": 2048, "to": "/logs/back", "there_already": 1}
    told = restored_message("here", "app.log", facts, "", {}, {})
    assert told.subject == "[restored] restore of app.log on here"
    assert told.paragraph == "2 files (2.0 KiB) restored to /logs/back. 1 file was there already, the same."
    root = restored_message("here", "app.log", {**facts, "to": "/logs/."}, "", {}, {})
    assert "restored to /logs. 1 file was" in root.paragraph
    apart = restored_message("here", "app.log", {**facts, "to": "/logs/.log-cleanup/restored/r1"}, "", {}, {})
    assert "It stays there until somebody removes it" in apart.paragraph
    classes = [{"name": "app", "globs": ["app.log", "back/app.log"]}]
    volume = Volume.model_validate({"name": "here", "title": "Here", "path": "/logs", "classes": classes})
    day = {**facts, "restored": [{"path": "app.log"}], "changed_later": 2}
    told = restored_message("here", "a day", {**day, "to": "/logs/case-117"}, "", {}, {}, configured=volume)
    assert (
        "case-117/app.log is of no class of the volume, so it stays until somebody removes it"
        in told.paragraph
    )
    assert (
        "2 files of these were written to after the time asked for, too: what is in there may be of later."
        in told.paragraph
    )
    for where in ("/logs/back", "/elsewhere"):
        told = restored_message("here", "a day", {**day, "to": where}, "", {}, {}, configured=volume)
        assert "of no class" not in told.paragraph
    failed = restored_message("here", "app.log", {}, "no archive has it.", {}, {})
    assert failed.outcome == "failed"
    assert failed.paragraph == "no archive has it. No file that is there was written over."
    refused = restored_message("here", "app.log", {}, "the request: may not.", {}, {}, refused=True)
    assert refused.subject == "[refused] restore of app.log on here"
    assert refused.paragraph == "Nothing was restored: the request: may not."
