"""Is a procedure overdue? From its schedule and what Airflow says of its runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from include.overdue.judging import LEFT, Duty, Judgement, Run, Seen, judge
from include.overdue.ticks import Daily, Every

DAILY = Duty(
    "log_cleanup",
    "the clean-up of the logs",
    Daily("04:00", "Europe/Berlin"),
    timedelta(hours=2),
    [],
    "include/config/log_retention.yaml",
)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def at(text: str) -> datetime:
    """A time on the wall in Berlin in November."""
    return datetime.fromisoformat(f"2026-11-{text}+01:00").astimezone(UTC)


def run(day: str, state: str = "success", begun: str = "04:00", ended: str = "04:12") -> Run:
    over = at(f"{day}T{ended}") if state in ("success", "failed") else None
    return Run(f"scheduled__{day}", at(f"{day}T04:00"), state, at(f"{day}T{begun}"), over)


def look(seen: Seen, now: str, duty: Duty = DAILY, since: datetime = LONG_AGO) -> Judgement:
    return judge(duty, seen, at(now), since=since)


def test_it_ran_this_morning_and_is_on_time():
    good = run("21")
    found = look(Seen(newest=good, good=good), "21T12:00")
    assert found.fine
    assert found.text == "Its last run that ended well did so at Sat 21 Nov 04:12 CET, 7 hours ago."


def test_the_clean_up_that_did_not_run_for_a_week():
    """The scenario: who ran it by hand every morning was sick."""
    good = run("13")
    found = look(Seen(newest=good, good=good), "21T04:10")
    assert found.state == "not started"
    assert found.text.startswith(
        "log_cleanup (the clean-up of the logs, daily at 04:00 (Europe/Berlin)) did not start. It was due at "
        "Sat 21 Nov 04:00 CET. Its newest run scheduled__13 is success since Fri 13 Nov 04:12 CET. Its last run that "
        "ended well did so at Fri 13 Nov 04:12 CET, 7 days ago. What now: "
    )


def test_the_first_day_is_enough_to_notice():
    good = run("20")
    seen = Seen(newest=good, good=good)
    assert look(seen, "21T04:09").fine
    assert look(seen, "21T04:10").state == "not started"


def test_a_paused_dag_is_said_to_be_paused_also_before_it_misses_a_run():
    good = run("21")
    found = look(Seen(paused=True, newest=good, good=good), "21T12:00")
    assert found.state == "paused"
    assert "is paused: nothing starts it. Its newest run" in found.text
    missed = look(Seen(paused=True, newest=good, good=good), "22T12:00")
    assert "is paused: nothing starts it. It was due at Sun 22 Nov 04:00 CET." in missed.text


def test_a_run_that_waits_or_works_past_its_time_did_not_end():
    late = run("21", "running", begun="11:58")  # unpaused at noon, and it waits for an answer
    found = look(Seen(newest=late, good=run("20")), "21T12:30")
    assert (found.state, found.run_id) == ("not finished", "scheduled__21")
    assert "Its newest run scheduled__21 is running since Sat 21 Nov 11:58 CET." in found.text
    assert "it waits for somebody's answer" in found.text


def test_a_run_in_its_time_is_none_that_is_late():
    seen = Seen(newest=run("21", "running"), good=run("20"))
    assert look(seen, "21T05:59").fine
    assert look(seen, "21T06:00").state == "not finished"


def test_a_run_that_failed_is_told_from_its_time_on():
    seen = Seen(newest=run("21", "failed"), good=run("20"))
    assert look(seen, "21T05:59").fine
    found = look(seen, "21T06:00")
    assert (found.state, found.run_id) == ("failed", "scheduled__21")
    assert "failed, and no run in earnest has ended well since." in found.text


def test_yesterdays_failure_is_not_over_because_todays_run_has_begun():
    failed_yesterday = Seen(newest=run("21", "running"), good=run("19"))
    assert look(failed_yesterday, "21T04:15").state == "not finished"
    assert look(replace(failed_yesterday, newest=run("21"), good=run("21")), "21T04:15").fine


def test_a_run_by_hand_that_ends_well_makes_it_good():
    by_hand = Run("manual__1", at("21T09:00"), "success", at("21T09:00"), at("21T09:20"))
    assert look(Seen(newest=by_hand, good=by_hand), "21T12:00").fine


def test_a_run_that_somebody_left_for_the_next_one_is_none_that_did_it():
    left = Run("scheduled__2", at("21T04:00"), LEFT, at("21T12:00"), at("21T12:20"))
    found = look(Seen(newest=left, good=run("20")), "21T12:30")
    assert found.state == "not finished"
    assert "was left for the next run, and no run in earnest has ended well since." in found.text
    assert "What now: trigger it by hand when it may run" in found.text


@pytest.mark.parametrize(
    ("conf", "counts"),
    [
        (None, True),
        ({"volumes": []}, True),
        ({"volumes": ["b", "a"]}, True),
        ({"volumes": ["a"]}, False),
        ({"dry_run": True}, False),
    ],
)
def test_a_run_of_a_part_of_it_is_not_all_of_it(conf, counts):
    both = replace(DAILY, part_param="volumes", parts=["a", "b"])
    assert both.in_earnest(conf) is counts
    assert DAILY.in_earnest({"volumes": ["a"]})


def test_a_dag_that_was_just_installed_is_not_late_for_yesterday():
    assert look(Seen(), "21T15:00", since=at("21T14:00")).fine
    assert look(Seen(), "22T03:59", since=at("21T14:00")).fine
    found = look(Seen(), "22T04:10", since=at("21T14:00"))
    assert found.state == "not started"
    assert "No run in earnest of it that ended well is known." in found.text


def test_the_first_run_of_a_new_dag_has_its_time_from_when_it_began():
    """Airflow may start a new DAG with the time before it was there."""
    hourly = replace(DAILY, ticks=Every(60), finish_within=timedelta(hours=3))
    first = Run("r", at("21T14:00"), "running", at("21T14:03"))
    assert look(Seen(newest=first), "21T14:04", hourly, since=at("21T14:03")).fine
    assert look(Seen(newest=first), "21T17:02", hourly, since=at("21T14:03")).fine
    assert look(Seen(newest=first), "21T17:04", hourly, since=at("21T14:03")).state == "not finished"


def test_a_run_that_goes_on_in_its_time_keeps_the_next_one_waiting_without_an_alert():
    hourly = replace(DAILY, ticks=Every(60), finish_within=timedelta(hours=3))
    good = Run("r1", at("21T13:00"), "success", at("21T13:00"), at("21T13:20"))
    long = Run("r2", at("21T14:00"), "running", at("21T14:00"))
    assert look(Seen(newest=long, good=good), "21T16:30", hourly).fine
    assert look(Seen(newest=long, good=good), "21T17:00", hourly).state == "not finished"


def test_a_dag_that_does_not_load_is_unknown_and_its_file_is_named():
    found = look(Seen(known=False), "21T12:00")
    assert found.state == "unknown"
    assert (
        "see Dag Import Errors in Airflow, and whether include/config/log_retention.yaml is right."
        in found.text
    )


@pytest.mark.parametrize(("ended", "state"), [("11:51", "not finished"), ("11:55", "on time")])
def test_a_look_every_five_minutes_is_late_after_ten(ended: str, state: str):
    duty = replace(DAILY, dag_id="order_backlog", ticks=Every(5), finish_within=timedelta(minutes=10))
    good = Run("r1", at("21T11:45"), "success", at(f"21T{ended}"), at(f"21T{ended}"))
    newest = Run("r2", at("21T12:05"), "running", at("21T12:05"))
    assert look(Seen(newest=newest, good=good), "21T12:06", duty).state == state
