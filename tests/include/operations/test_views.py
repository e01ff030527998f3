"""Volumes and orders as on-call sees them, from what real runs leave."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.logs.choosing import right_retention
from include.logs.messages import VolumeRun
from include.logs.requesting import Asker, request_of
from include.logs.retention import Hold, LogRetention
from include.logs.running import run_here
from include.logs.salvaging import Wrong
from include.operations.figures import LONGEST, of_backlog, of_cleanup, of_unknown
from include.operations.needs import needs
from include.operations.orders import orders_view
from include.operations.procedures import DagFact, Facts, Holder, Question, RunFact, procedures, watch_problem
from include.operations.volumes import volume_views
from include.orders.alarm import alert_of
from include.overdue.duties import duties
from include.overdue.judging import Seen
from include.records.looks import Look
from include.records.problems import Entry, OpenProblem
from include.release.loading import Sources
from include.release.problems import Problem
from tests.include.logs.conftest import fill, on_worker
from tests.include.orders.world import backlog, orders, pace

__all__ = ["on_worker"]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def shipped() -> LogRetention:
    """The file as it ships."""
    return right_retention(Sources.from_environment())


@pytest.fixture
def cleaned(on_worker) -> VolumeRun:
    """A clean-up of a small tree, as its steps answered."""
    fill(Path(on_worker.volume.path), app_DOT_log=0, app_DOT_log_DOT_2=30, order_processing_DOT_log=1)
    volume = on_worker.volume.model_copy(update={"size": "256Ki"})
    hold = Hold(case="2026-117", owner="Legal", globs=["gone.log"])
    placed = replace(
        on_worker, volume=volume, retention=on_worker.retention.model_copy(update={"holds": [hold]})
    )
    request = request_of(placed, Asker("log_cleanup/run-1"))
    steps = ("measure", "plan", "archive", "verify", "delete", "space")
    answers = {step: run_here(placed, step, request, lambda _: None).facts for step in steps}
    return VolumeRun("shop-logs", answers, placed=placed, approved_by="oncall")


def volume_look(figures: dict, days: float = 0) -> Look:
    at = NOW - timedelta(days=days)
    return Look(kind="volume", subject="shop-logs", at=at, run=f"log_cleanup/{days}", figures=figures)


def test_a_clean_up_is_a_point_before_and_one_after_it(cleaned):
    figures = of_cleanup(cleaned, NOW - 5 * MINUTE)
    placed = cleaned.placed
    retention = placed.retention.model_copy(update={"volumes": [placed.volume]})
    (view,) = volume_views(retention, [], [volume_look(json.loads(json.dumps(figures)))], {}, NOW)
    space, before = cleaned.answers["space"], cleaned.answers["measure"]
    assert view.state == "enough space"
    assert view.free.startswith(f"{space['free_percent']:.1f} % are free, ")
    assert view.free.endswith(" of 256.0 KiB, as measured 2026-11-21 12:00 UTC.")
    assert view.full == "No rate yet: that takes a second run."
    # (On so small a volume the clean-up's own notes take more than was freed.)
    low, high = sorted((before["free_percent"], space["free_percent"]))
    assert view.chart.text == (
        f"Free space of shop-logs since 2026-11-20: between {low:.0f} % and {high:.0f} %, in the end "
        f"{space['free_percent']:.0f} %. Floor 20 %, target 30 %."
    )
    (path,) = view.chart.paths
    assert path.count("L") == 1
    assert view.last.state == "cleaned up"
    assert view.last.free == f"{before['free_percent']:.1f} % to {space['free_percent']:.1f} %"
    archived = cleaned.answers["archive"]["archive_bytes"]
    assert view.last.archived == f"4.0 KiB in {archived} B"
    assert figures["archives"] == archived
    assert view.archives == f"{archived} B after the last clean-up"
    assert list(view.holds) == ["2026-117 (Legal): gone.log, which matched nothing in the last clean-up"]
    assert view.needs == ""


def test_what_the_archives_take_is_that_of_earlier_runs_and_this_one_without_those_that_expired():
    expired = {"name": "access", "actions": {"expire_archive": {"files": 1, "bytes": 300}}}
    plan = {"archives_bytes": 1000, "entries": 1, "classes": [expired]}
    answers = {"plan": plan, "archive": {"archive_bytes": 50}, "delete": {"freed_bytes": 300}}
    assert of_cleanup(VolumeRun("x", answers), NOW)["archives"] == 750
    del answers["delete"]  # it failed: they are there yet
    assert of_cleanup(VolumeRun("x", answers), NOW)["archives"] == 1050


def test_a_volume_that_is_always_a_dry_run_shows_the_space_that_it_has():
    space = {"free_percent": 12.0, "below_floor": True, "floor_percent": 20.0}
    plan = {"before": space, "after": {**space, "free_percent": 60.0, "below_floor": False}}
    figures = of_cleanup(VolumeRun("x", {"plan": plan, "measure": space}, dry_run=True), NOW)
    assert (figures["state"], figures["free_percent"], figures["below_floor"]) == ("dry run", 12.0, True)


def test_a_volume_below_its_floor_or_not_cleaned_up_needs_somebody():
    retention = shipped()
    figures = {
        "state": "cleaned up",
        "free": 100,
        "size": 1000,
        "free_percent": 10.0,
        "target_percent": 30,
        "below_floor": True,
    }
    (view,) = volume_views(retention, [], [volume_look(figures)], {}, NOW)
    assert view.state == "below floor"
    assert view.needs == (
        "10.0 % are free, 100 B of 1000 B, as measured 2026-11-21 12:00 UTC. That is below the floor."
    )
    failed = volume_look(
        {"state": "failed", "text": "shop-logs: NOT cleaned up: `archive` failed: no space."}
    )
    (view,) = volume_views(
        retention, [], [volume_look({**figures, "below_floor": False}, 1), failed], {}, NOW
    )
    (need,) = needs([], [], [view])
    assert (need.title, need.text) == (
        "shop-logs: clean-up failed", "shop-logs: NOT cleaned up: `archive` failed: no space.",
    )  # fmt: skip
    assert (need.run, need.page) == ("log_cleanup/0", "log-cleanup")
    assert view.free.endswith("2026-11-20 12:00 UTC."), "the last one that was measured"


def test_who_has_the_volume_now_is_named():
    run = RunFact("log_restore", "manual__1", "running")
    (view,) = volume_views(shipped(), [], [], {"shop-logs": Holder(run, "brings lines back")}, NOW)
    assert view.holder.run.name == "log_restore/manual__1"


def test_without_figures_it_is_said_whether_there_are_none_or_they_cannot_be_read():
    assert volume_views(shipped(), [], [], {}, NOW)[0].state == "no data yet"
    assert volume_views(shipped(), [], [], {}, NOW, unread=True)[0].state == "not known"
    assert orders_view(orders(), [], [], NOW).state == "no data yet"
    unread = orders_view(orders(), [], [], NOW, unread=True)
    assert (unread.state, unread.text) == ("not known", "What was seen of the orders cannot be read.")


def test_a_volume_that_is_wrong_in_its_file_is_shown_with_what_is_wrong():
    problem = Problem("log_retention.yaml:12", "volumes[0].floor", "120 %", "0 to 100 %", "correct it")
    wrong = Wrong("volume web-logs (line 12)", [problem], "It is not cleaned up.", "web-logs")
    views = volume_views(shipped(), [wrong], [], {}, NOW)
    assert [(each.name, each.state) for each in views] == [
        ("shop-logs", "no data yet"), ("web-logs", "not right"),
    ]  # fmt: skip
    assert "log_retention.yaml:12" in views[1].needs
    assert needs([], [], views)[0].title == "web-logs: not right"


def test_of_a_file_that_cannot_be_read_the_volumes_are_those_that_were_cleaned_up():
    (view,) = volume_views(None, [], [volume_look({"free_percent": 50.0, "target_percent": 30.0})], {}, NOW)
    assert (view.name, view.state) == ("shop-logs", "enough space")


def order_look(minutes: float, found=None, **figures) -> Look:
    at = NOW - minutes * MINUTE
    if found is not None:
        figures = of_backlog(found, alert_of(found, pace(), orders(), raised=False), pace())
    return Look(kind="orders", subject="production", at=at, run=f"order_backlog/{minutes:g}", figures=figures)


def test_orders_are_three_curves_with_their_limits():
    found = [
        order_look(10, backlog(40, minutes=20)),
        order_look(5, backlog(1200, minutes=30, in_work=4, set_aside=2)),
    ]
    view = orders_view(orders(), found, [], NOW)
    assert view.state == "too many"
    assert view.text == (
        "1,200 wait, 4 in work, as seen 2026-11-21 11:55 UTC. Outstanding orders are too high: more than 960 wait; working "
        "them off takes 1 h 16 min, longer than the 1 h from one run to the next."
    )
    assert view.run == "order_backlog/5"
    assert [(each.title, each.now, each.limit, each.over) for each in view.curves] == [
        ("Orders that wait", "1,200", "960", True),
        ("The oldest waits", "30 min", "2 h", False),
        ("Time to work them off", "1 h 16 min", "1 h", True),
    ]
    assert (
        view.curves[0].chart.text
        == "Orders that wait in the last 24 hours: at most 1,200, in the end 1,200. Limit 960."
    )
    assert ("Set aside", "2") in view.facts


def test_nothing_waits():
    view = orders_view(orders(), [order_look(5, backlog())], [], NOW)
    assert view.state == "within limits"
    assert [each.now for each in view.curves] == ["0", "0 min", "0 min"]


def test_orders_of_which_no_time_can_be_read_have_not_waited_for_no_time():
    found = backlog(3, minutes=5).model_copy(update={"oldest": None})
    view = orders_view(orders(), [order_look(10, backlog(3, minutes=50)), order_look(5, found)], [], NOW)
    oldest = view.curves[1]
    assert (oldest.now, oldest.over) == ("not known", False)
    assert "at most 50 min, in the end not known." in oldest.chart.text


def test_a_database_that_was_away_is_a_gap_and_a_sentence():
    problem = Problem(
        "connection shop_database", "", "no route to host: password=geheim", "a database", "bring it back"
    )
    found = [order_look(10, backlog(40)), order_look(5, **of_unknown(problem))]
    view = orders_view(orders(), found, [], NOW)
    assert view.state == "not known"
    assert view.text.startswith(
        "How many orders wait is not known, as seen 2026-11-21 11:55 UTC: no route to host"
    )
    assert view.text.endswith("What now: bring it back.")
    assert "geheim" not in view.text
    assert view.curves[0].chart.paths == ()


def test_a_look_that_is_hours_old_is_out_of_date():
    view = orders_view(orders(), [order_look(90, backlog(3, minutes=1))], [], NOW)
    assert view.state == "out of date"
    assert view.text.endswith("Nobody has looked since, though a look is due every 5 minutes.")


def test_batches_are_those_of_the_environment():
    def entry(run: str, environment: str, **details) -> Entry:
        return Entry(
            run=run, procedure="order_processor", environment=environment, started=NOW, ended=NOW,
            outcome="processed", good=True, details=details,
        )  # fmt: skip

    found = [entry("b", "production", processed=1204, left=None), entry("a", "qa")]
    (batch,) = orders_view(orders(), [], found, NOW).batches
    assert (batch.run, batch.processed, batch.left) == ("b", "1,204", "not known")


def test_a_long_text_is_cut():
    run = VolumeRun("x", failure="`archive` failed: " + "why " * 1000)
    assert len(of_cleanup(run, NOW)["text"]) <= LONGEST


def test_procedures_are_judged_as_overdue_does_and_problems_come_after_them():
    expected = duties(Sources.from_environment())
    last = RunFact("order_backlog", "scheduled__1", "success", NOW - MINUTE, NOW)
    paused = DagFact(True, True, NOW, last, (), Seen(True, True))
    facts = Facts({"order_backlog": paused})
    found = {each.dag_id: each for each in procedures(expected, facts, NOW)}
    assert {name: each.state for name, each in found.items()} == {
        "log_cleanup": "unknown", "order_processor": "unknown", "order_backlog": "paused",
    }  # fmt: skip
    assert found["order_backlog"].next_at is None
    problem = OpenProblem(
        key="k", procedure="order_processor", environment="production", title="Error #12", text="3 orders",
        opened=NOW, updated=NOW, run="order_processor/1",
    )  # fmt: skip
    listed = needs([problem], list(found.values()), [])
    assert [(each.title, each.run) for each in listed] == [
        ("log_cleanup: unknown", ""),
        ("order_processor: unknown", ""),
        ("order_backlog: paused", "order_backlog/scheduled__1"),
        ("Error #12 (production)", "order_processor/1"),
    ]


def test_a_question_comes_first_with_the_place_where_it_is_answered():
    run = RunFact("log_cleanup", "manual__1", "running")
    questions = [
        Question(run, "clean.approve", 0, "Clean up shop-logs?", NOW),
        Question(run, "window", -1, "Now?", NOW),
    ]
    found = needs([], [], [], questions)
    assert [(each.title, each.answer) for each in found] == [
        ("log_cleanup asks: Clean up shop-logs?", "tasks/clean.approve/mapped/0/required_actions"),
        ("log_cleanup asks: Now?", "tasks/window/required_actions"),
    ]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (Facts({"overdue": DagFact(True, True)}, looked=NOW), "The DAG overdue is paused: nobody is told"),
        (Facts({"overdue": DagFact(True)}), "The DAG overdue has not looked yet: nobody is told"),
        (
            Facts({"overdue": DagFact(True)}, looked=NOW - 31 * MINUTE),
            "The DAG overdue has not looked since 2026-11-21 11:29 UTC: nobody is told",
        ),
        (Facts({"overdue": DagFact(True)}, looked=NOW - 29 * MINUTE), ""),
    ],
)
def test_a_watch_that_does_not_look_is_said(facts, said):
    assert watch_problem(facts, NOW).startswith(said)
    assert bool(watch_problem(facts, NOW)) is bool(said)
