"""The on-call log entry of a run, in the form of the team's log."""

from __future__ import annotations

from datetime import timedelta

from include.orders.alarm import alert_of
from include.orders.aside import aside_findings
from include.orders.deciding import Tried, decide
from include.orders.entry import RunFacts, Tour, entry_of
from include.orders.facts import BatchEnd, Failing
from include.orders.messages import handover_finding
from tests.include.orders.world import (
    COMPLETE,
    NOW,
    SAMPLE,
    backlog,
    bad,
    good,
    judged,
    known,
    orders,
    pace,
    since,
    where,
)


def tour(lines, end=COMPLETE, after=None, batches=1, restarts=0) -> Tour:
    judgement, stop, _ = judged(lines)
    if stop:
        end = BatchEnd(end="stopped", reason=stop.text, seconds=40)
    after = backlog() if after is None else after
    tried = Tried(batches=batches, restarts=restarts)
    return Tour(end, judgement, decide(judgement, end, after, tried, orders(), known()))


def test_the_scenario_s_alert_with_errors_on_everything():
    before = backlog(961, minutes=20)
    tours = [
        tour([*SAMPLE, *bad(5, 6, 7, 8)], after=backlog(958)),
        tour(bad(4, 5, 6, 7, 8), after=backlog(958), batches=2, restarts=1),
    ]
    judgement = tours[1].judgement
    assert judgement is not None
    finding = handover_finding(tours[1].decision, judgement, None, since(), known(), where())
    entry = entry_of(
        RunFacts(
            at=NOW,
            before=before,
            alert=alert_of(before, pace(), orders(), raised=False),
            tours=tours,
            after=backlog(958, at=NOW + timedelta(minutes=3), minutes=23),
            found=[finding],
            told=[finding.key],
        )
    )
    assert entry.text("Europe/Berlin") == (
        "2026-11-20 11:00 CET -- *Outstanding orders too high*\n"
        "\n"
        "Troubleshooting\n"
        "\n"
        "- Checked the backlog: 961 orders wait; the oldest waits 20 min.\n"
        "- That is too much: more than 960 wait; working them off takes 1 h 1 min, longer than the 1 h from one run to the next.\n"
        "- Batch 1 was stopped after 40 s.\n"
        "- Checked its log: Error #12 (item in no catalog) on 5 different orders (4, 5, 6, 7, 8), and none was processed between: "
        "it is not these orders' fault.\n"
        "- Batch 2 was stopped after 40 s.\n"
        "- Checked its log: Error #12 (item in no catalog) on 5 different orders (4, 5, 6, 7, 8), and none was processed between: "
        "it is not these orders' fault.\n"
        "\n"
        "Resolution\n"
        "\n"
        "- Restarted the order processor once, which is safe: it picks up where it left off.\n"
        "- Told the developers: order processing in production: error #12, item in no catalog. Error #12 (item in no catalog) on 5 "
        "different orders (4, 5, 6, 7, 8), and none was processed between: it is not these orders' fault. A restart did not help "
        "(1 restart).\n"
        "- In the end: 958 orders wait; the oldest waits 23 min.\n"
    )


def test_one_bad_order_was_set_aside():
    aside = aside_findings(
        [Failing(order=4, code="12", text="'x' is in no catalog", tries=6)],
        known(),
        where(),
    )
    entry = entry_of(
        RunFacts(
            at=NOW,
            before=backlog(20, minutes=60),
            alert=None,
            tours=[tour([*SAMPLE, *good(5, 6, 7), "All Orders processed."])],
            after=backlog(set_aside=1),
            found=aside,
        )
    )
    text = entry.text()
    assert text.startswith(
        "2026-11-20 10:00 UTC -- *Orders set aside: error #12, item in no catalog in production*\n"
    )
    assert "- The batch ran to its end after 4 min.\n" in text
    assert (
        "- Known already, not told again: error #12, item in no catalog in production (the developers have it).\n"
        in text
    )
    assert text.endswith("- In the end: 0 orders wait, 1 is set aside.\n")


def test_a_run_with_nothing_to_do():
    assert entry_of(RunFacts(at=NOW, before=backlog(), alert=None)).text() == (
        "2026-11-20 10:00 UTC -- *Order processing, no alert*\n"
        "\n"
        "Troubleshooting\n"
        "\n"
        "- Checked the backlog: 0 orders wait.\n"
        "\n"
        "Resolution\n"
        "\n"
        "- Nothing to be done\n"
    )


def test_a_run_that_could_see_nothing_says_so():
    text = entry_of(
        RunFacts(
            at=NOW,
            before=None,
            alert=None,
            unreadable="OperationalError: no such table: orders",
            refused="release release/manual is at work on shop",
        )
    ).text()
    assert "- Checked the backlog: it could not be read (OperationalError: no such table: orders).\n" in text
    assert "- No batch was started: release release/manual is at work on shop.\n" in text


def test_a_strange_log_and_what_is_over_are_named():
    found = tour(["\x00" * 600, *good(1)])
    run = RunFacts(
        at=NOW, before=backlog(1), alert=None, tours=[found], resolved=["The database answers again."]
    )
    text = entry_of(run).text()
    assert "- The log was strange: 1 line longer than any of the processor's, cut.\n" in text
    assert "\n- The database answers again.\n" in text
