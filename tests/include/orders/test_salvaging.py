"""A mistake in a file of order processing stops no order where it need not; people are told what is wrong."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.orders.due import order_duties
from include.orders.loading import Right, read_right
from include.overdue.judging import Duty, Run, Seen, judge
from include.release.loading import PROJECT, Sources
from include.release.problems import RejectedError

ORDERS = """environment: production
database: shop_database
alarm: {count: 100, oldest_minutes: 60}
"""
ERRORS = """unknown: {name: unknown, meaning: Nobody knows., restart_helps: false}
codes:
  - {code: "12", name: no catalog, meaning: It is in no catalog., restart_helps: true}
"""
HEAD = "Orders are processed all the same.\n"


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    shutil.copy(PROJECT / "include" / "config" / "environments.yaml", tmp_path)
    (tmp_path / "orders.yaml").write_text(ORDERS)
    (tmp_path / "order_errors.yaml").write_text(ERRORS)
    return Sources(PROJECT / "include" / "releases", tmp_path)


def wrong(sources: Sources, name: str, text: str) -> tuple[Right, str]:
    """What counts all the same, and what people are told."""
    (sources.config / f"{name}.yaml").write_text(text)
    duties, file = order_duties(sources)
    assert [each.dag_id for each in duties] == ["order_processor", "order_backlog"]
    assert file.tell
    return read_right(sources), file.text


def test_a_batch_that_did_not_run_is_found_by_what_the_shipped_file_says():
    batches, looks = order_duties(Sources.from_environment())[0]
    due = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
    ended = Run("scheduled__8", due - timedelta(hours=1), "success", due, due - timedelta(minutes=5))
    seen = Seen(newest=ended, good=ended)

    def state(duty: Duty, seen: Seen, minutes: int) -> str:
        return judge(duty, seen, due + timedelta(minutes=minutes), since=due - timedelta(days=1)).state

    assert [state(batches, seen, each) for each in (9, 10, 11)] == ["on time", "not started", "not started"]
    hangs = replace(seen, newest=Run("scheduled__9", due, "running", due))
    assert [state(batches, hangs, each) for each in (60, 119, 121)] == ["on time", "on time", "not finished"]
    assert [state(looks, seen, each) for each in (-1, 11)] == ["on time", "not started"]


def test_files_that_are_right_say_nothing(sources):
    assert order_duties(sources)[1].text == ""
    assert read_right(sources).wrong == []


@pytest.mark.parametrize(
    ("line", "then", "problem"),
    [
        (
            "schedule: {every_minutes: 45}",
            "schedule: until this is put right, a batch starts every hour and the look comes every 5 minutes.",
            "orders.yaml:4 schedule.every_minutes: found the number 45; expected minutes that divide an hour or a day: ",
        ),
        (
            "errors: {tries: lots, restarts: 0}",
            "errors: until this is put right, the defaults count.",
            "orders.yaml:4 errors.tries: found 'lots'; expected a whole number.",
        ),
        (
            "tell: {ops: [{kind: email}]}",
            "tell: until this is put right, the environment's list is told.",
            "orders.yaml:4 tell.ops[0]: found a mapping; expected addresses for an e-mail",
        ),
        (
            "alarms: {count: 1}",
            "alarms: until this is put right, it is left out.",
            "orders.yaml:4 alarms: found unknown key alarms; expected one of environment, ",
        ),
        (
            "messages: {remind_hours: 12}\nmessages: {remind_hours: 1}",
            "messages: until this is put right, the defaults count.",
            "orders.yaml:5 messages: found the key 'messages' again (first on line 4); expected each key once. "
            "To do: remove one of the two.",
        ),
    ],
)
def test_what_is_right_counts_and_the_default_of_what_is_not(sources, line, then, problem):
    found, text = wrong(sources, "orders", f"{ORDERS}{line}\n")
    assert text.startswith(f"{HEAD}{then}\n")
    assert problem in text
    assert (found.orders.alarm.count, found.orders.schedule.every_minutes, found.orders.errors.tries) == (
        100,
        60,
        6,
    )
    assert (found.orders.messages.remind_hours, found.place.name) == (24, "production")


@pytest.mark.parametrize("alarm", ["alarm: {count: 0, oldest_minutes: 60}\n", "", "alarm: much\n"])
def test_an_alarm_that_is_wrong_or_absent_is_raised_at_what_an_hour_gets_done(sources, alarm):
    found, text = wrong(sources, "orders", "\n".join([*ORDERS.splitlines()[:2], alarm]))
    assert (found.orders.alarm.count, found.orders.alarm.oldest_minutes) == (960, 120)
    assert "alarm: until this is put right, the alert is raised above 960 orders or 120 minutes." in text


def test_parts_that_contradict_each_other_are_left_out_until_they_do_not(sources):
    capacity = "{processes: 2, at_a_time: 8, seconds_per_order: 1, seconds_per_order_at_most: 2}"
    found, text = wrong(sources, "orders", f"{ORDERS}errors: {{systemic_orders: 6}}\ncapacity: {capacity}\n")
    assert (found.orders.capacity, found.orders.errors.systemic_orders) == (None, 5)
    assert text.count("until this is put right") == 2


@pytest.mark.parametrize(
    "text",
    [
        ORDERS.replace("production", "prod"),
        ORDERS.replace("database: ", "datenbank: "),
        f"{ORDERS}workload: No_Name\n",
        f"{ORDERS}worklod: other-processor\n",
        f"{ORDERS}alarm: [\n",
        "- nothing\n",
        "",
    ],
)
def test_where_it_is_not_to_be_told_whose_orders_are_meant_nothing_runs_and_people_are_told(sources, text):
    (sources.config / "orders.yaml").write_text(text)
    with pytest.raises(RejectedError):
        read_right(sources)
    duties, file = order_duties(sources)
    assert duties == []
    assert file.tell
    head, *lines = file.text.splitlines()
    assert head == (
        "No batch is started and nobody looks how many wait, until this is put right; the order processor's own loop goes on where "
        "one is live:"
    )
    assert lines
    assert all("orders.yaml:" in each and "; expected " in each for each in lines)


def test_the_list_of_the_environment_that_the_file_names_is_told_else_all(sources):
    places = sources.environments()
    (sources.config / "orders.yaml").write_text(ORDERS.replace("database", "datenbank"))
    assert list(order_duties(sources)[1].tell) == places.environments[1].tell
    (sources.config / "orders.yaml").unlink()
    told = order_duties(sources)[1].tell
    assert all(channel in told for place in places.environments for channel in place.tell)


def test_an_entry_of_an_error_that_is_wrong_is_an_unknown_error_and_the_others_count(sources):
    more = '  - {code: "13", name: x, meaning: X.}\nfaults:\n  - {name: y, meaning: Y., restart_helps: true, says: "(", such_as: [a]}\n'
    found, text = wrong(sources, "order_errors", ERRORS + more)
    assert [each.code for each in found.known.codes] == ["12"]
    assert (found.known.faults, found.known.of_code("13").name) == ([], "unknown")
    assert "code 13 (line 4): until this is put right, this is an unknown error." in text
    assert "fault y (line 6): until this is put right, this is an unknown error." in text


def test_a_code_that_is_there_twice_counts_once(sources):
    more = '  - {code: "12", name: again, meaning: Again., restart_helps: true}\n'
    found, text = wrong(sources, "order_errors", ERRORS + more)
    assert found.known.of_code("12").name == "no catalog"
    assert (
        "order_errors.yaml:4 codes[1].code: found #12 again (first on line 3); expected each code once."
        in text
    )


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (ERRORS.replace("restart_helps: false", ""), ["12"]),
        (ERRORS.split("\n", 1)[1], ["12"]),
        (f"{ERRORS}  - [\n", []),
        ("", []),
        ("codes: everything\n", []),
    ],
)
def test_whatever_is_wrong_with_the_file_of_errors_there_is_an_unknown_error(sources, text, codes):
    found, said = wrong(sources, "order_errors", text)
    assert [each.code for each in found.known.codes] == codes
    assert (found.known.unknown.name, found.known.unknown.tell) == ("unknown error", "developers")
    assert "order_errors.yaml:" in said


def test_a_file_of_errors_that_is_gone_stops_nothing(sources):
    (sources.config / "order_errors.yaml").unlink()
    assert read_right(sources).known.unknown.name == "unknown error"
    assert (
        "order_errors.yaml: found No such file or directory; expected a readable YAML file"
        in order_duties(sources)[1].text
    )
