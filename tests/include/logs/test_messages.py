"""What people are told of a clean-up, as text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.logs.messages import (
    VolumeRun,
    floor_message,
    report_table,
    report_text,
    run_message,
    space_alerts,
)
from include.logs.program.summary import sized
from include.logs.requesting import Asker, request_of
from include.logs.retention import Compliance, Hold
from include.logs.running import run_here
from include.logs.salvaging import Wrong
from include.logs.storage_request import full_text
from include.release.problems import Problem
from tests.include.logs.conftest import fill

RUN = "log_cleanup/run-1"
GB = 1 << 30
SPACE = {
    "command": "space", "ok": True, "size": 10 * GB, "used": 9 * GB, "free": GB, "free_percent": 10.0,
    "floor_percent": 20.0, "target_percent": 30.0, "below_floor": True, "to_floor": GB, "to_target": 2 * GB,
    "forecast": {
        "remains": {"bytes_per_day": GB // 16, "samples": 5, "full_in_days": 16.0, "full_at": "2026-12-07T04:00+00:00"},
        "written": {"bytes_per_day": GB // 4, "samples": 5, "full_in_days": 4.0, "full_at": "2026-11-25T04:00+00:00"},
    },
    "largest": [{"class": "access", "path": "app.log", "bytes": 5 * GB}, {"class": "(no class)", "path": "core", "bytes": GB}],
    "shortfall": {
        "missing": 2 * GB, "add_storage": 6 * GB, "add_storage_days": 90, "policy_can": True, "together": [],
        "settings": [
            {"class": "access", "setting": "keep_days", "from": 7.0, "to": 3, "frees": 2 * GB, "least": 1, "enough": True},
            {"class": "orders", "setting": "keep_days", "from": 30.0, "to": 9, "frees": GB, "least": 1, "enough": False},
        ],
    },
    "alerts": [{"kind": "floor_missed", "text": "x"}, {"kind": "inodes", "text": "Only 3.0 % of the inodes are free."}],
}  # fmt: skip
PLAN = {
    "entries": 3,
    "files": 3,
    "freed": 5000,
    "classes": [],
    "after": {**SPACE, "shortfall": None},
    "shortfall": None,
}


@pytest.fixture
def done(on_worker):
    """A run on a small tree that is too full afterwards."""
    from pathlib import Path

    fill(Path(on_worker.volume.path), app_DOT_log=0, app_DOT_log_DOT_2=30, other=400)
    placed = replace(on_worker, volume=on_worker.volume.model_copy(update={"size": "40Ki"}))
    steps = ("measure", "plan", "archive", "verify", "delete", "space")
    request = request_of(placed, Asker(RUN))
    answers = {step: run_here(placed, step, request, lambda _: None).facts for step in steps}
    return VolumeRun("shop-logs", answers, placed=placed, approved_by="oncall")


def test_the_report_of_a_run_says_what_went_and_what_is_free(done):
    message = run_message(
        [done], {"Run in Airflow": "http://airflow/run"}, {"Reason": "disk full", "Run": RUN}
    )
    assert message.subject == "[cleaned up] log clean-up of shop-logs"
    archived = done.answers["archive"]["archive_bytes"]
    free, net = done.answers["space"]["free_percent"], sized(4096 - archived)
    assert message.paragraph == (
        f"shop-logs: 1 file (4.0 KiB) archived in {archived} B, read back and compared; 4.0 KiB freed, {net} net of their archives; 1 file deleted. "
        f"{free:.1f} % are free (floor 20 %). THAT IS BELOW THE FLOOR: see the alert."
    )
    assert message.details == {"Approved by": "oncall (shop-logs)", "Reason": "disk full", "Run": RUN}


def test_the_table_has_a_line_for_each_volume(done):
    other = VolumeRun("web-logs", {}, failure="`archive` failed: no space left")
    header, first, second = report_table([done, other]).splitlines()
    assert header.split() == [
        "volume",
        "what",
        "files",
        "archived",
        "in",
        "freed",
        "net",
        "free",
        "floor",
        "full",
    ]
    assert first.startswith("shop-logs  cleaned up  1      4.0 KiB")
    assert " % !  20 %" in first
    assert second.split()[:3] == ["web-logs", "failed", "0"]
    for undone in ({"failure": "`archive` failed"}, {"refused": "nobody approved"}):
        last = report_table([done, VolumeRun("web-logs", {"plan": {"files": 2990}}, **undone)]).splitlines()[
            -1
        ]
        assert "  0 of 2,990  " in last
    late = {"plan": {"files": 2990}, "delete": {"deleted": 2990}}
    last = report_table([done, VolumeRun("web-logs", late, failure="`verify_space` failed")]).splitlines()[-1]
    assert "failed      2,990  " in last


def test_the_log_names_files_of_no_class(done):
    text = report_text(done)
    assert "    access-rotated  1      4.0 KiB  0 B   4.0 KiB" in text.splitlines()
    assert text.splitlines()[-1] == (
        "Of no class, so they stay: 1 file, 4.0 KiB. Name a class for them in log_retention.yaml."
    )


SENTENCES = {
    "nothing to do": (VolumeRun("v", {"plan": {"entries": 0}}), "cleaned up", "v: nothing to do."),
    "dry run": (
        VolumeRun("v", {"plan": {**PLAN, "classes": [{"actions": {"delete": {"files": 3, "bytes": 5000}}}]}}, dry_run=True),
        "dry run", "v: a dry run; on v 3 files would be deleted (4.9 KiB).",
    ),
    "refused": (VolumeRun("v", {}, refused="nobody approved the plan"), "refused", "v: not cleaned up: nobody approved the plan."),
    "failed before": (
        VolumeRun("v", {"plan": PLAN}, failure="`archive` failed: no space"), "failed",
        "v: NOT cleaned up: `archive` failed: no space. Nothing was deleted.",
    ),
    "failed between": (
        VolumeRun("v", {"plan": PLAN, "archive": {"files": 3}}, failure="`delete` failed"), "failed",
        "v: NOT cleaned up: `delete` failed. What was to go is archived; nothing was deleted.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SENTENCES)
def test_what_became_of_a_volume_is_told_in_a_sentence(name):
    run, outcome, text = SENTENCES[name]
    message = run_message([run], {}, {"Run": RUN})
    assert (message.outcome, message.paragraph) == (outcome, text)


def test_one_volume_that_failed_makes_the_run_failed_and_the_other_is_told_too():
    good, bad = VolumeRun("a", {"plan": {"entries": 0}}), VolumeRun("b", {}, failure="`plan` failed")
    message = run_message([good, bad], {}, {"Run": RUN})
    assert message.subject == "[failed] log clean-up of a, b"
    assert message.paragraph == "a: nothing to do. b: NOT cleaned up: `plan` failed. Nothing was deleted."


def test_a_volume_that_is_not_configured_right_is_told_with_every_run():
    problem = Problem(
        "include/config/log_retention.yaml:31", "volumes[1].claim", "nothing", "claim: PersistentVolumeClaim"
    )
    wrong = Wrong("web-logs (line 30)", [problem], "it is not cleaned up", "web-logs")
    message = run_message([VolumeRun("a", {"plan": {"entries": 0}})], {}, {"Run": RUN}, [wrong])
    assert message.outcome == "failed"
    assert message.paragraph.endswith(
        "web-logs (line 30): it is not cleaned up until this is put right: include/config/log_retention.yaml:31 "
        "volumes[1].claim: nothing; expected claim: PersistentVolumeClaim."
    )


def test_free_storage_below_the_floor_is_an_alert_with_the_text_for_compliance(on_worker):
    hold = Hold(case="2026-117", owner="Legal", globs=["order_processing.log*"])
    compliance = Compliance(name="Compliance", contact="compliance@example.com")
    retention = on_worker.retention.model_copy(update={"holds": [hold], "compliance": compliance})
    placed = replace(on_worker, retention=retention)
    message = floor_message(placed, {"plan": PLAN, "space": SPACE}, RUN, {})
    assert message is not None
    assert message.subject == "[alert] log volume shop-logs is too full"
    head, _, text = message.paragraph.partition("\n\n")
    assert head == (
        "Free storage below 20 %: 10.0 % of Logs of the shop and of its order processor are free after the clean-up, "
        "1.0 GiB too little for the floor and 2.0 GiB for the target, 30 %. Retention was not shortened: Compliance "
        "decides. At the present rate (64.0 MiB a day remain after the clean-ups) it is full in 16 days (2026-12-07). The "
        "text to send them is below."
    )
    assert (
        text
        == f"""\
To: Compliance (compliance@example.com)
Subject: Storage of Logs of the shop and of its order processor (shop-logs): 10.0 % free, the floor is 20 %

The logs in {placed.volume.path} on the worker were cleaned up as the retention policy says, and 10.0 % (1.0 GiB of 10.0 GiB) \
are free. The floor is 20 %, the target 30 %: 1.0 GiB are missing to the floor, 2.0 GiB to the target. Nothing was deleted \
that the policy keeps.

At the present rate (64.0 MiB a day remain after the clean-ups) it is full in 16 days (2026-12-07).

Please decide one of these:
  1. More storage: 6.0 GiB more, which is enough for 90 days at the present rate.
  2. Class access: keep_days from 7 days to 3 days frees 2.0 GiB (not below 1 day).

The largest files:
  - app.log: 5.0 GiB (class access)
  - core: 1.0 GiB (no class)

Legal holds on this volume, which no change of the policy ends: case 2026-117, Legal: order_processing.log*.

Found by {RUN}."""
    )


def test_of_a_volume_without_room_the_alert_says_that_nothing_could_be_cleaned_up(on_worker):
    space = {**SPACE, "undone": "there is no room for the clean-up's own notes"}
    message = floor_message(on_worker, {"space": space}, RUN, {})
    assert message is not None
    head, _, text = message.paragraph.partition("\n\n")
    assert (
        "10.0 % of Logs of the shop and of its order processor are free and nothing could be cleaned up, as there is no room "
        "for the clean-up's own notes: 1.0 GiB too little for the floor"
    ) in head
    assert (
        f"The logs in {on_worker.volume.path} on the worker could not be cleaned up as the retention policy says (there is no "
        "room for the clean-up's own notes), and 10.0 % (1.0 GiB of 10.0 GiB) are free."
    ) in text


def test_of_a_volume_without_a_free_byte_nobody_is_told_that_its_forecast_is_not_known(on_worker):
    full = {**SPACE, "free": 0, "forecast": {}, "undone": "no room"}
    message = floor_message(on_worker, {"space": full}, RUN, {})
    assert message is not None
    assert message.paragraph.count("It is full now.") == 2
    assert "cannot be said yet: that takes" not in message.paragraph


@pytest.mark.parametrize(
    ("below", "rest"),
    [
        (False, "the floor is then met. Make that room before anybody changes the policy."),
        (True, "that is below the floor, too."),
    ],
)
def test_of_a_volume_without_room_the_alert_says_what_the_policy_itself_would_free(on_worker, below, rest):
    would = {"free": 3 << 30, "free_percent": 30.0, "below_floor": below}
    message = floor_message(on_worker, {"space": {**SPACE, "undone": "no room", "would": would}}, RUN, {})
    assert message is not None
    said = (
        f"With room for its notes and archives the clean-up would leave about 30.0 % (3.0 GiB) free: {rest}"
    )
    head, _, text = message.paragraph.partition("\n\n")
    assert said in head and said in text


def test_each_alert_of_the_space_is_a_message_of_its_own(on_worker):
    floor, inodes = space_alerts(on_worker, {"plan": PLAN, "space": SPACE}, RUN, {})
    assert floor.title == "log volume shop-logs is too full"
    assert (inodes.title, inodes.paragraph) == (
        "log volume shop-logs: too many files", "Only 3.0 % of the inodes are free.",
    )  # fmt: skip


def test_no_alert_where_the_floor_is_met(on_worker):
    met = {**SPACE, "shortfall": None, "below_floor": False, "alerts": []}
    assert (
        space_alerts(on_worker, {"plan": {**PLAN, "shortfall": {"missing": 1}}, "space": met}, RUN, {}) == []
    )


def test_where_no_setting_is_enough_all_of_them_are_named(on_worker):
    several = [
        {
            "class": "access",
            "setting": "keep_size",
            "from": 200 << 20,
            "to": 1 << 20,
            "frees": GB,
            "least": 0,
        },
        {"class": "orders", "setting": "keep_days", "from": None, "to": 90, "frees": GB // 2, "least": 90},
    ]
    missed = {**SPACE["shortfall"], "settings": several, "together": several, "policy_can": False}
    message = floor_message(on_worker, {"space": {**SPACE, "shortfall": missed}}, RUN, {})
    assert (
        "  2. All of these, as no single one is enough (together they do not reach the target; storage is needed too):\n"
        "     - Class access: keep_size from 200.0 MiB to 1.0 MiB frees 1.0 GiB\n"
        "     - Class orders: keep_days from no limit to 90 days frees 512.0 MiB (not below 90 days)\n"
    ) in message.paragraph


def test_without_a_rate_no_days_are_promised_and_archives_are_offered_another_place(on_worker):
    missed = {**SPACE["shortfall"], "add_storage_days": None, "archives": 3 * GB, "settings": []}
    message = floor_message(on_worker, {"space": {**SPACE, "shortfall": missed, "forecast": {}}}, RUN, {})
    assert message is not None
    assert "6.0 GiB more, which reaches the target; for how long cannot be said yet.\n" in message.paragraph
    assert "at the present rate" not in message.paragraph
    assert (
        "(archive_to in log_retention.yaml): those that lie on this volume take 3.0 GiB." in message.paragraph
    )


RATES = {
    "it fills up": ((1, "2026-12-07T04:00+00:00"), (2, None), "it is full in 16 days (2026-12-07)."),
    "it stays": ((0, None), (2, "2026-12-07T04:00+00:00"), "it does not fill up: what is written is cleaned up again, and would be full in 16 days (2026-12-07) if nothing were cleaned up."),
    "one run only": ((None, None), (2, "2026-12-07T04:00+00:00"), "it is full in 16 days (2026-12-07) if nothing is freed."),
    "no run yet": ((None, None), (None, None), "When it is full cannot be said yet: that takes the history of a few runs."),
}  # fmt: skip


@pytest.mark.parametrize("name", RATES)
def test_when_it_is_full_is_said_of_the_present_rate(name):
    remains, written, text = RATES[name]
    forecast = {
        key: {"bytes_per_day": rate, "full_at": at, "full_in_days": 16.0 if at else None}
        for key, (rate, at) in (("remains", remains), ("written", written))
    }
    assert full_text({"forecast": forecast}).endswith(text)


def test_an_answer_with_nothing_in_it_breaks_no_message(on_worker):
    run = VolumeRun(
        "v", {"plan": {"entries": 1, "shortfall": {"settings": "?"}}, "space": {}}, placed=on_worker
    )
    assert report_text(run).startswith("v: 0 B freed.")
    assert report_table([run])
    assert run_message([], {}, {"Run": RUN}).subject == "[cleaned up] log clean-up of no volume"
