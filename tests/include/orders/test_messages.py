"""What people are told, as text."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.orders.alarm import alert_of
from include.orders.aside import aside_findings
from include.orders.attributing import settled
from include.orders.backlog import unreadable
from include.orders.deciding import Tried, decide
from include.orders.facts import BatchEnd, ChangeFact, CodeCount, Failing, Kept
from include.orders.messages import (
    backlog_finding,
    channels,
    handover_finding,
    holding_up,
    passed_by,
    proposal_finding,
    unreadable_finding,
)
from include.orders.noting import problem_key
from include.orders.proposal import proposal_of
from include.records.problems import OpenProblem
from tests.include.orders.world import (
    NOW,
    SAMPLE,
    backlog,
    bad,
    good,
    judged,
    known,
    orders,
    pace,
    place,
    since,
    where,
)


def alerted(found, *problems: str):
    alert = alert_of(found, pace(), orders(), raised=False)
    return backlog_finding(found, alert, pace(), NOW + timedelta(hours=1), problems, where()).message()


def handed_over(lines, end: BatchEnd | None = None, kept: Kept | None = None, **history):
    judgement, stop, _ = judged(lines)
    if stop:
        end = BatchEnd(end="stopped", reason=stop.text)
    assert end is not None
    decision = decide(judgement, end, backlog(16), Tried(batches=2, restarts=1), orders(), known())
    return handover_finding(decision, judgement, kept, since(**history), known(), where())


def test_the_alert_says_what_waits_what_comes_and_what_to_do():
    message = alerted(backlog(1203, minutes=72, in_work=4, arrived=1300, done=960, last_done=NOW))
    assert message.plain() == (
        "[alert] Outstanding orders too high in production\n"
        "\n"
        "1,203 orders wait, 4 are in work; the oldest waits 1 h 12 min. Too high: more than 960 wait; working them off takes "
        "1 h 16 min, longer than the 1 h from one run to the next. In the last 1 h 1,300 came in and 960 were processed, the "
        "last one 2026-11-20 10:00:00 UTC. A batch is at work and no error is known: it has more to do than it gets done. Ops get "
        "a proposal when it has ended.\n"
        "\n"
        "At present capacity: 1 h 16 min to work off; 4 at a time, 10 to 15 s an order: 960 to 1440 an hour (capacity facts of "
        "release-2)\n"
        "Runbook: docs/orders.md\n"
        "Run: order_processor/scheduled\n"
        "Task log: http://airflow.example/run"
    )


def test_the_alert_names_what_is_known_already():
    text = alerted(backlog(2000, minutes=5), "error #12, item in no catalog").paragraph
    assert text.endswith(
        "Known already: error #12, item in no catalog. That comes first: the orders wait for it."
    )


def test_orders_set_aside_are_not_what_the_others_wait_for():
    keys = {"set-aside-12": "error #12 in production", "processor": "order processing: schema too old"}
    kept = [
        OpenProblem(
            key=problem_key("production", key),
            procedure="order_processor",
            environment="production",
            title=title,
            text="",
            opened=NOW,
            updated=NOW,
        )
        for key, title in keys.items()
    ]
    assert holding_up(kept) == ["order processing: schema too old"]
    assert passed_by(kept, None) == []


def test_a_problem_that_orders_were_processed_after_is_not_what_they_wait_for():
    problem = OpenProblem(
        key=problem_key("production", "error-12"),
        procedure="order_processor",
        environment="production",
        title="error #12, item in no catalog",
        text="",
        opened=NOW,
        updated=NOW,
    )
    before, after = NOW - timedelta(seconds=9), NOW + timedelta(minutes=6)
    assert (holding_up([problem], before), passed_by([problem], before)) == ([problem.title], [])
    assert (holding_up([problem], after), passed_by([problem], after)) == ([], [problem.title])
    found = backlog(1426, minutes=4, in_work=4, arrived=1528, done=118, last_done=after)
    alert = alert_of(found, pace(), orders(), raised=False)
    text = backlog_finding(found, alert, pace(), NOW, [], where(), [problem.title]).text
    assert "the orders wait for it" not in text
    assert text.endswith(
        "Open still: error #12, item in no catalog. It does not hold up every order: the last one was processed after "
        "people were told of it. A batch is at work: it has more to do than it gets done. Ops get a proposal when it has "
        "ended."
    )


def test_the_alert_says_that_nothing_is_processed_at_all():
    text = alerted(backlog(30, minutes=600)).paragraph
    assert "No order was processed in that time, and no error is known: look at the last runs" in text
    assert text.endswith("then run it by hand. The next batch starts 11:00 UTC.")


def test_the_developers_get_code_first_occurrence_orders_excerpt_and_what_changed():
    kept = Kept(
        since=NOW,
        codes=(CodeCount(code="12", orders=17, first_at=NOW + timedelta(minutes=1)),),
        failing=tuple(Failing(order=each, code="12") for each in range(4, 9)),
    )
    change = ChangeFact(
        at=NOW - timedelta(minutes=20), kind="release", name="release-2", outcome="released", by="oncall"
    )
    finding = handed_over(
        [*SAMPLE, *bad(5, 6, 7, 8, times=6)],
        kept=kept,
        changes=(change,),
        build="registry/shop:2.0.0@sha256:1",
    )
    assert (finding.key, finding.tell, finding.size) == ("error-12", "developers", 17)
    text = finding.message().plain()
    assert text.startswith("[handed over] order processing in production: error #12, item in no catalog\n")
    assert "on 5 different orders (4, 5, 6, 7, 8), and none was processed between" in text
    assert "A restart did not help (1 restart)." in text
    assert (
        "Meaning: The order is for something that is in neither the catalog nor the exotic-plant catalog."
        in text
    )
    assert (
        "Changed since the last good run, order_processor/0900 (2026-11-20 09:00:00 UTC): 2026-11-20 09:40:00 UTC release "
        "release-2 (released) by oncall." in text
    )
    assert (
        "  30  Processing Order 4\n"
        "> 31  Error Processing Order. Error #12\n"
        "  32  Error Processing Order. Error #12\n"
    ) in text
    assert "First occurrence: 2026-11-20 10:01:00 UTC, line 31 of the log (order 4)\n" in text
    assert (
        "Orders hit: 17 orders by the database: 4, 5, 6, 7, 8 and more; 25 error lines in the last batch's log\n"
        in text
    )
    assert "Build: registry/shop:2.0.0@sha256:1\n" in text


def test_the_excerpt_keeps_its_lines_in_an_e_mail():
    html = handed_over([*SAMPLE, *bad(5, 6, 7, 8)]).message().as_html()
    assert "Processing Order 4<br>&gt; 31  Error Processing Order. Error #12<br>" in html


@pytest.mark.parametrize(
    ("history", "text"),
    [
        (
            {},
            "Nothing was released or rolled back since the last good run, order_processor/0900 (2026-11-20 09:00:00 UTC).",
        ),
        ({"good_run": "", "good_at": None}, "No good run is on record yet."),
        (
            {"unknown": "the records do not answer"},
            "What changed since the last good run is not known: the records do not answer.",
        ),
    ],
)
def test_what_changed_is_said_in_every_case(history, text):
    assert text in handed_over(bad(1, 2, 3, 4, 5), **history).text


def test_a_fault_of_the_processor_goes_to_who_can_put_it_right():
    line = "2026-11-20T10:00:00.000Z order processor: the schema is too old for this build, not applied: r2-201-orders"
    finding = handed_over(["Startup...", line], BatchEnd(end="failed", exit_code=5))
    assert (finding.key, finding.tell) == ("processor", "ops")
    assert finding.title == "order processing in production: schema too old"
    assert "Log, 2 lines in all:\n  1  Startup...\n  2  2026-11-20" in finding.text


def test_an_unknown_code_says_so():
    finding = handed_over(bad(1, 2, 3, 4, 5, code="777"))
    assert finding.title == "order processing in production: error #777, unknown error"
    assert "Find out what it means, and add it to include/config/order_errors.yaml." in finding.text


def test_an_empty_log_is_said():
    assert "The log is empty." in handed_over([], BatchEnd(end="failed", exit_code=1)).text


def test_guessed_orders_are_said_to_be_guesses():
    lines = [f"Processing Order {each}" for each in range(1, 5)]
    finding = handed_over([*lines, *bad(5, 6, 7, 8, 9)])
    assert "Several orders were in work at once: an error line may be another order's." in finding.text


def test_orders_set_aside_are_one_message_for_each_code():
    aside = [
        Failing(order=4, code="12", text="'Mandrake' is in no catalog", tries=6, last_at=NOW),
        Failing(order=9, code="12", text="'Triffid' is in no catalog", tries=6, last_at=NOW),
        Failing(order=7, code="13", text="the order has no item (item is null)", tries=1, last_at=NOW),
    ]
    first, second = aside_findings(aside, known(), where())
    assert first.message().plain() == (
        "[set aside] error #12, item in no catalog in production\n"
        "\n"
        "2 orders could not be processed and are set aside; they hold up no other. The order is for something that is in neither the "
        "catalog nor the exotic-plant catalog. One order: correct its item or cancel it. Every order: see whether the catalogs are "
        "empty and what the last release did to them.\n"
        "order 4 after 6 tries, 2026-11-20 10:00:00 UTC: 'Mandrake' is in no catalog; order 9 after 6 tries, 2026-11-20 10:00:00 "
        "UTC: 'Triffid' is in no catalog.\n"
        "When an order is put right: trigger order_processor with its number, or several, in 'Open again'; that run tries it anew.\n"
        "\n"
        "Orders: 4, 9\n"
        "Runbook: docs/orders.md\n"
        "Run: order_processor/scheduled\n"
        "Task log: http://airflow.example/run"
    )
    assert (second.key, second.text.splitlines()[1]) == (
        "set-aside-13",
        "order 7 after 1 try, 2026-11-20 10:00:00 UTC: the order has no item (item is null).",
    )


def test_one_order_set_aside_has_its_number_as_it_is_to_be_given():
    (found,) = aside_findings([Failing(order=7, code="13")], known(), where())
    assert "trigger order_processor with number 7 in 'Open again'" in found.text


def test_where_no_other_order_was_processed_the_message_says_that_it_may_not_be_their_fault():
    aside = [Failing(order=4, code="12", tries=6), Failing(order=7, code="13", tries=1)]
    codes = (CodeCount(code="12", orders=1, alike=1), CodeCount(code="13", orders=1, alike=1))
    alone = Kept(since=NOW, codes=codes)
    said = "No other order was processed meanwhile, so it may not be their fault"
    assert [said in each.text for each in aside_findings(aside, known(), where(), alone)] == [True, False]
    for kept in (Kept(since=NOW, codes=codes, processed=1), Kept(since=NOW), None):
        assert not any(said in each.text for each in aside_findings(aside, known(), where(), kept))


def test_thousands_set_aside_are_counted_by_the_database():
    aside = [Failing(order=each, code="13", of_code=4000) for each in range(30)]
    (found,) = aside_findings(aside, known(), where())
    assert found.size == 4000
    assert found.text.startswith("4000 orders could not be processed and are set aside")
    assert "; and 3,980 more." in found.text


def test_the_proposal_has_the_numbers():
    found = backlog(2000, arrived=1600, done=960, minutes=100)
    finding = proposal_finding(proposal_of(found, pace(), orders()), found, 3, where())
    assert (finding.tell, finding.outcome, finding.key) == ("ops", "proposal", "capacity")
    assert finding.title == "order processing in production: more at a time"
    assert (
        "After 3 batches in a row 2,000 orders wait; the oldest waits 1 h 40 min.\n- Come in: 1600 orders an hour"
        in finding.text
    )
    assert finding.text.count("\n- ") == 5
    assert finding.details["Where to change it"].startswith(
        "ORDER_PROCESSES and ORDER_CONCURRENCY in the release's file"
    )


def test_a_database_that_cannot_be_asked():
    finding = unreadable_finding(
        unreadable(TimeoutError("timed out"), "shop_database"), where("order_backlog/x")
    )
    assert finding.text == (
        "The database cannot be asked. Found: TimeoutError: timed out. Expected: a database that answers. To do: bring the database "
        "back, or correct the Airflow connection; the next look tries again by itself."
    )
    assert finding.details["Where"] == "connection shop_database"


def test_who_is_told():
    assert channels(orders(), place(), "ops") == place().tell
    config = orders()
    config = config.model_copy(update={"tell": config.tell.model_copy(update={"developers": []})})
    assert channels(config, place(), "developers") == []


def test_a_lost_log_has_the_orders_that_the_database_names():
    codes = (CodeCount(code="12", orders=7, alike=7, first_at=NOW),)
    failing = tuple(Failing(order=each, code="12") for each in range(4, 11))
    kept = Kept(since=NOW, codes=codes, failing=failing)
    judgement = settled(judged(["\x00"])[0], kept, 5, known())
    decision = decide(judgement, BatchEnd(end="failed"), None, Tried(restarts=1), orders(), known())
    finding = handover_finding(decision, judgement, kept, since(), known(), where())
    assert (finding.key, finding.size) == ("error-12", 7)
    assert finding.details["First occurrence"] == "2026-11-20 10:00:00 UTC"
    assert finding.details["Orders hit"] == "7 orders by the database: 4, 5, 6, 7, 8, 9, 10"


def test_a_failure_that_only_the_exit_status_tells():
    finding = handed_over([], BatchEnd(end="failed", reason="exit code 5", exit_code=5))
    assert (finding.title, finding.tell) == ("order processing in production: schema too old", "ops")
    assert (
        "Meaning: The database lacks migrations that this build needs. To do: Look for a release"
        in finding.text
    )


def test_a_good_log_is_not_needed_to_say_what_failed():
    finding = handed_over(good(1), BatchEnd(end="not started", reason="ImagePullBackOff: shop:2.0.0"))
    assert finding.title == "order processing in production: the batch does not start"
    assert finding.text.startswith(
        "The batch did not start: ImagePullBackOff: shop:2.0.0. No order was touched."
    )
