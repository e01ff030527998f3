"""Does somebody have to approve a plan?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from include.logs.approving import may_start, plan_code, question_body, takes_something, why_asked
from include.logs.dry import would
from include.logs.loading import PlacedVolume
from include.logs.retention import LogRetention, Volume

MIB = 1 << 20


def volume(**more: Any) -> Volume:
    classes = [{"name": "all", "globs": ["**"]}]
    return Volume.model_validate({"name": "a", "title": "A", "path": "/logs", "classes": classes, **more})


def plan(freed: int, *new: str, entries: int = 3) -> dict[str, Any]:
    return {"freed": freed, "entries": entries, "new_classes": list(new)}


def test_more_than_the_configured_amount_is_asked():
    above = volume(approve_above="10Mi")
    assert why_asked(above, plan(10 * MIB)) == []
    assert why_asked(above, plan(10 * MIB + 1)) == [
        "it takes 10.0 MiB away, more than approve_above (10.0 MiB)"
    ]
    assert why_asked(volume(), plan(10**12)) == []


def test_a_class_that_was_never_cleaned_up_here_is_asked():
    assert why_asked(volume(), plan(1, "web", "db")) == [
        "the classes were never cleaned up on this volume before: web, db"
    ]


def test_a_class_that_takes_more_than_last_time_is_asked():
    changed = {**plan(1), "stricter": ["web (keep_days from 30 to 3)"]}
    assert why_asked(volume(), changed) == [
        "the class takes more than when it was last cleaned up on this volume: web (keep_days from 30 to 3)"
    ]


def test_a_worker_path_is_touched_by_hand_by_those_it_names():
    def of(**more: Any) -> PlacedVolume:
        return PlacedVolume(volume(**more), LogRetention(volumes=[volume()]))

    assert may_start(of(), "dev") is None
    assert may_start(of(may_trigger=["*"]), None) is None
    assert may_start(of(may_trigger=["ada", "bob"]), "bob") is None
    for user, found in (("dev", "triggered by dev"), (None, "triggered by nobody")):
        problem = may_start(of(may_trigger=["ada", "bob"]), user)
        assert problem is not None
        assert (problem.field, problem.found, problem.expected) == ("a.may_trigger", found, "one of ada, bob")


def test_an_empty_plan_asks_nobody():
    assert why_asked(volume(approve_above="1"), plan(10**9, "web", entries=0)) == []
    assert not takes_something(plan(0, entries=0))


def test_an_approval_is_for_one_plan():
    first = plan(5)
    assert plan_code(first) == plan_code({**first, "done_before": True})
    assert plan_code(first) != plan_code(plan(6))


def test_the_question_says_who_asks_why_what_it_brings_and_until_when():
    placed = PlacedVolume(volume(floor="20 %"), LogRetention(volumes=[volume()]))
    actions = {"delete": {"files": 6, "bytes": 6 * MIB}}
    web = {"name": "web", "files": 9, "bytes": 9 * MIB, "actions": actions, "held": {"files": 0, "bytes": 0}, "new": False,
           "examples": {"delete": ["a.1", "a.2", "a.3", "a.4", "a.5"]}}  # fmt: skip
    found = {
        **plan(6 * MIB), "files": 6, "classes": [web], "unclassified": {"files": 0}, "left": {}, "open": [], "expired_left": [],
        "unreadable_examples": [], "other_file_systems": [],
        "before": {"free": 15 * MIB, "free_percent": 15.0}, "after": {"free": 21 * MIB, "free_percent": 21.0},
    }  # fmt: skip
    room = {"bytes": 2 * MIB, "of": 6 * MIB, "free": MIB, "fit": False, "elsewhere": False}
    full = question_body(
        placed, {**found, "archives_need": room}, ["x"], {}, 60, datetime(2026, 11, 21, tzinfo=UTC)
    )
    assert (
        "Its archives need about 2.0 MiB on the volume before anything is deleted (33 % of 6.0 MiB)." in full
    )
    assert (
        "THEY WILL NOT FIT: 1.0 MiB are free, so `archive` would fail and nothing would be deleted. Make about 1.0 MiB more room first"
        in full
    )
    asked = {"Asked for by": "ada", "Reason": "too *full*", "Run": "log_cleanup/run-1"}
    now = datetime(2026, 11, 21, 4, 5, tzinfo=UTC)
    body = question_body(placed, found, ["it takes 6.0 MiB away"], asked, 60, now)
    assert body.splitlines() == [
        "Somebody has to approve it, because it takes 6.0 MiB away.",
        "",
        "- **Where:** /logs on the worker",
        "- **Asked for by:** ada",
        "- **Reason:** too \\*full\\*",
        "- **Run:** `log_cleanup/run-1`",
        "- **Free now:** 15.0 MiB, 15.0 %; the floor is 20 %",
        "- **Free then:** about 21.0 MiB, 21.0 %",
        "- **Answer until:** 2026-11-21 05:05:00 UTC (60 minutes); without an answer nothing is changed",
        f"- **Plan:** `{plan_code(found)}`",
        "",
        "```text",
        "Plan: 6 files to clean up, 6.0 MiB to free.",
        "class web: 9 files, 9.0 MiB",
        "  delete: 6 files, frees 6.0 MiB",
        *(f"    a.{number}" for number in range(1, 6)),
        "    and 1 more",
        "```",
    ]
    scheduled = question_body(placed, found, ["x"], {"Asked for by": "the schedule", "Reason": ""}, 60, now)
    assert "Reason" not in scheduled


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("archive", "Dry run: 3 files of a, 12.0 KiB, would be archived."),
        ("verify", "Dry run: the archives would be read back and compared before anything of a is deleted."),
        (
            "delete",
            "Dry run: on a 3 files would be deleted (9.0 KiB); 1 file would be freed up to what is archived, as they are open "
            "(4.0 KiB); 2 archives whose time is over would be removed (1.0 KiB).",
        ),
    ],
)
def test_what_a_step_would_do_is_said_from_the_plan(command: str, text: str):
    actions = {
        "archive_delete": {"files": 2, "bytes": 8192},
        "archive_punch": {"files": 1, "bytes": 4096},
        "expire_archive": {"files": 2, "bytes": 1024},
    }
    classes = [{"actions": actions}, {"actions": {"delete": {"files": 1, "bytes": 1024}}}]
    found = {"entries": 6, "archived": 12288, "classes": classes}
    assert would(command, "a", found) == text
    assert would(command, "a", {"entries": 0}) == "Dry run: nothing would be changed on a."
