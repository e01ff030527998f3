"""One message per problem."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from include.orders.aside import aside_findings
from include.orders.facts import Failing
from include.orders.messages import proposal_finding
from include.orders.noting import Finding, Noted, note, problem_key, resolve, team_of
from include.orders.proposal import proposal_of
from include.records.problems import OpenProblem
from tests.include.orders.world import NOW, backlog, known, orders, pace, where

HOUR = timedelta(hours=1)


def finding(size: int = 5, state: str = "systemic", **more) -> Finding:
    found = {
        "key": "error-12", "tell": "developers", "outcome": "handed over", "title": "error #12",
        "text": f"{size} orders", "size": size, "state": state,
    }  # fmt: skip
    return Finding(**(found | more))


def noted(
    found: Finding, kept: OpenProblem | None = None, at: datetime = NOW, *, seen_every: int = 5
) -> Noted:
    return note(
        found,
        kept,
        procedure="order_processor",
        environment="production",
        run=f"order_processor/{at:%H%M}",
        now=at,
        rules=orders().messages,
        seen_every=seen_every,
    )


def test_it_is_told_when_it_is_first_seen():
    first = noted(finding())
    assert (first.why, first.tell, first.problem.key) == ("first", "developers", "orders/production/error-12")
    assert first.message is not None
    assert first.message.plain().startswith("[handed over] error #12\n\n5 orders\n")
    assert (first.problem.opened, first.problem.updates, first.problem.open) == (NOW, 0, True)


def hourly(count: int, sees: Callable[[int], Finding | None]) -> list[tuple[int, str]]:
    """In which of so many hourly runs people are told, and why. Every other one is some seconds late; None: it is over."""
    kept, told = None, []
    for run in range(count):
        at = NOW + run * HOUR + timedelta(seconds=4 * (run % 2))
        found = sees(run)
        if found is not None:
            one = noted(found, kept, at, seen_every=60)
        elif kept is not None and kept.open:
            one = resolve(kept, "over", run="r", now=at)
        else:
            continue
        kept = one.problem
        told += [(run, one.why)] if one.message else []
    return told


def proposed(arrived: int, left: int = 900) -> Finding:
    """The proposal of a run that left orders."""
    found = backlog(left, arrived=arrived, done=900)
    return proposal_finding(proposal_of(found, pace(), orders()), found, 3, where())


def test_airflow_63856_i_dont_want_100_emails_for_a_load_around_a_limit():
    """apache/airflow#63856: more at a time, a one-time backlog, more at a time: one proposal, and a reminder a day."""
    loads = random.Random(2)
    told = hourly(100, lambda _: proposed(loads.randint(670, 860), loads.choice([60, 200, 450, 950])))
    assert [why for _, why in told] == ["first", *["reminder"] * 4]


@pytest.mark.parametrize("hours", [2, 3, 5])
def test_airflow_63856_i_dont_want_100_emails_for_a_backlog_that_comes_and_goes(hours):
    told = hourly(100, lambda run: None if run % hours else proposed(1200))
    assert len(told) <= 10, told
    assert [why for _, why in told[:2]] == ["first", "resolved"]


def test_airflow_63856_i_dont_want_100_emails_for_an_error_that_comes_and_goes_or_changes():
    changing = hourly(
        100, lambda run: finding(size=5 + 10 * (run % 2), state="stuck" if run % 2 else "systemic")
    )
    assert len(changing) <= 100 / 3 + 1
    assert len(hourly(100, lambda run: None if run % 2 else finding())) <= 10


def test_an_error_that_is_back_in_two_runs_in_a_row_is_told():
    told = hourly(8, lambda run: None if run in (2, 6, 7) else finding())
    assert told == [(0, "first"), (2, "resolved"), (4, "changed"), (6, "resolved")]


def test_airflow_63856_i_dont_want_100_emails():
    """apache/airflow#63856: 100 runs that see the same problem are one message, and one a day while it lasts."""
    kept, told = None, []
    for run in range(100):
        at = NOW + run * HOUR
        one = noted(finding(size=5 + run % 3), kept, at)
        kept = one.problem
        if one.message is not None:
            told.append((run, one.why))
    assert told == [(0, "first"), (24, "reminder"), (48, "reminder"), (72, "reminder"), (96, "reminder")]


def test_i_dont_want_100_emails_for_100_orders():
    """airflow#63856: a hundred orders with one cause are one message, too."""
    aside = [Failing(order=each, code="12", text="'x' is in no catalog", tries=6) for each in range(100)]
    found = aside_findings(aside, known(), where())
    assert [(each.key, each.size) for each in found] == [("set-aside-12", 100)]
    assert found[0].text.count("order ") <= 22
    assert "and 80 more" in found[0].text


def test_i_dont_want_100_emails_for_a_look_every_five_minutes():
    """airflow#63856: a backlog that stays too high for a day, looked at 288 times."""
    kept, told = None, 0
    for look in range(288):
        one = noted(finding(key="backlog", size=1000 + look), kept, NOW + look * timedelta(minutes=5))
        kept, told = one.problem, told + (one.message is not None)
    assert told == 1


def test_it_is_told_anew_when_it_has_doubled_but_not_at_once():
    first = noted(finding(5)).problem
    assert noted(finding(10), first, NOW + HOUR / 2).why == "silent"
    later = noted(finding(10), first, NOW + HOUR)
    assert (later.why, later.problem.updates, later.problem.updated) == ("changed", 1, NOW + HOUR)
    assert later.message is not None
    assert later.message.paragraph == "Update, since 2026-11-20 10:00:00 UTC. 10 orders"


def test_many_small_steps_are_told_when_they_have_doubled_what_was_told():
    kept = noted(finding(5)).problem
    for step, size in enumerate((6, 7, 8, 9), start=1):
        one = noted(finding(size), kept, NOW + step * HOUR)
        kept = one.problem
        assert one.why == "silent"
        assert kept.text == f"{size} orders", "what is known is kept all the same"
    assert noted(finding(10), kept, NOW + 5 * HOUR).why == "changed"


def test_another_case_of_it_is_told_anew():
    first = noted(finding()).problem
    assert noted(finding(state="stuck"), first, NOW + HOUR).why == "changed"


def test_it_is_told_when_it_is_over_to_whom_it_was_told():
    kept = noted(finding()).problem
    over = resolve(
        kept, "The last batch processed 20 orders.", run="order_processor/1200", now=NOW + 2 * HOUR
    )
    assert (over.why, over.tell, over.problem.open) == ("resolved", "developers", False)
    assert over.message is not None
    assert over.message.plain() == (
        "[resolved] error #12\n\nThe last batch processed 20 orders. Seen first 2026-11-20 10:00:00 UTC.\n\n"
        "Run: order_processor/1200"
    )


def test_what_comes_back_at_once_is_the_same_problem_and_silent():
    kept = noted(finding()).problem
    kept = resolve(kept, "over", run="r", now=NOW + HOUR).problem
    back = noted(finding(50), kept, NOW + HOUR + timedelta(minutes=5))
    assert (back.why, back.problem.open, back.problem.opened) == ("silent", True, NOW)


def test_a_problem_that_comes_and_goes_is_two_messages_and_two_a_day():
    """airflow#63856 once more: a database that answers every other time, for two days."""
    kept, told = None, []
    for look in range(2 * 288):
        at = NOW + look * timedelta(minutes=5)
        one = (
            noted(finding(key="database"), kept, at)
            if look % 2 == 0
            else resolve(kept, "over", run="r", now=at)
        )
        kept = one.problem
        told += [one.message.paragraph.partition(",")[0]] if one.message else []
    assert told[0] == "5 orders"
    assert [each.partition(" Seen")[0] for each in told[1:]] == ["over", "It comes and goes", "over"]


def test_what_came_back_and_stays_is_told_after_a_while():
    kept = noted(finding()).problem
    kept = resolve(kept, "over", run="r", now=NOW + HOUR).problem
    told = []
    for look in range(1, 40):
        one = noted(finding(), kept, NOW + HOUR + look * timedelta(minutes=5))
        kept = one.problem
        if one.message:
            told.append((look, one.message.paragraph))
    assert told == [(13, "It is back, since 2026-11-20 10:00:00 UTC. 5 orders")]
    over = resolve(kept, "over", run="r", now=NOW + 9 * HOUR)
    assert over.message is not None, "people know that it was back"


def test_who_sees_that_it_is_back_sees_that_it_is_over():
    kept = resolve(noted(finding()).problem, "over", run="r", now=NOW + HOUR).problem
    back = note(
        finding(),
        kept,
        procedure="order_backlog",
        environment="production",
        run="order_backlog/x",
        now=NOW + HOUR + timedelta(minutes=1),
        rules=orders().messages,
    )
    assert back.problem.procedure == "order_backlog"


def test_what_comes_back_later_is_a_new_problem():
    kept = noted(finding()).problem
    kept = resolve(kept, "over", run="r", now=NOW + HOUR).problem
    back = noted(finding(), kept, NOW + 3 * HOUR)
    assert (back.why, back.problem.opened) == ("first", NOW + 3 * HOUR)


@pytest.mark.parametrize("details", [{}, {"tell": "nobody"}, {"size": None, "state": None}])
def test_a_record_of_another_version_is_read(details):
    kept = noted(finding()).problem.model_copy(update={"details": details})
    assert team_of(kept) == "on_call"
    assert noted(finding(), kept, NOW + HOUR).problem.open


def test_keys_of_environments_differ():
    assert problem_key("qa", "backlog") != problem_key("production", "backlog")
