"""The look at outstanding orders between two batches."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context
from typing_extensions import override

from include.orders.alarm import alert_of
from include.orders.backlog import lacks_tables
from include.orders.facts import Backlog
from include.orders.messages import (
    BACKLOG,
    DATABASE,
    backlog_finding,
    backlog_over,
    holding_up,
    passed_by,
    unreadable_finding,
)
from include.orders.noting import Finding, problem_key
from include.orders.sizing import Pace, next_run, waiting_text
from include.records.database import RecordsError
from include.records.problems import OpenProblem
from include.release.problems import Problem, RejectedError
from plugins.operators.base import give_up, say
from plugins.operators.keeping import keep_backlog, keep_unknown
from plugins.operators.orders_base import PROCEDURE, Office, OrdersOperator
from plugins.operators.orders_telling import tell_findings

LOOK = "order_backlog"
"""The DAG that keeps the alert."""


class LookAtBacklogOperator(OrdersOperator):
    """Raises 'Outstanding orders too high' on their number, their age and the time to work them off; once, until it is over.

    A database that cannot be asked is told of, too. It asks the database once and no cluster.
    """

    @override
    def step(self, office: Office, context: Context) -> dict[str, Any]:
        """Returns what waits, and whether that is too much."""
        for each in office.wrong:
            say(self, each, error=True)
        found = office.backlog()
        if isinstance(found, Problem):
            say(self, f"How many orders wait is not known.\n{found}", error=True)
            keep_unknown(self, office.place, found, context)
            if lacks_tables(found.found) and self._never_processed(office):
                say(self, "No order was ever processed here: nobody is told before a first batch has run")
                return {"backlog": None, "raised": None}
            self._tell(office, context, [unreadable_finding(found, office.where)], [])
            return {"backlog": None, "raised": None}
        say(self, waiting_text(found))
        mine = office.told.open(LOOK, office.place.name)
        raised = any(each.key == problem_key(office.place.name, BACKLOG) for each in mine)
        pace = self._pace(office, found)
        alert = alert_of(found, pace, office.orders, raised=raised)
        keep_backlog(self, office.place, found, alert, pace, context)
        findings = []
        if alert.reasons:
            say(self, f"Too many: {alert.text}")
            problems = office.told.open(PROCEDURE, office.place.name)
            known = holding_up(problems, found.last_done)
            earlier = passed_by(problems, found.last_done)
            at = next_run(datetime.now(UTC), office.orders.schedule)
            findings.append(backlog_finding(found, alert, pace, at, known, office.where, earlier))
        elif alert.raised:
            say(self, "Not over yet: it is near the limit")
        self._tell(
            office, context, findings, _over(mine, found, raised=alert.raised, place=office.place.name)
        )
        return {"backlog": found.model_dump(mode="json"), "raised": alert.raised}

    def _tell(
        self,
        office: Office,
        context: Context,
        found: list[Finding],
        over: list[tuple[OpenProblem, str]],
    ) -> None:
        result = tell_findings(self, office, context, found, over, procedure=LOOK)
        if result.failed:
            raise give_up(self, f"NOT TOLD: {'; '.join(result.failed)}. The next look tries again.")

    def _pace(self, office: Office, backlog: Backlog) -> Pace | None:
        """What the processor gets done; None when nobody says: number and age are judged all the same."""
        try:
            return office.pace(None, None, backlog)
        except RejectedError as error:
            say(self, f"How long working them off takes is not known.\n{error}", error=True)
            return None

    def _never_processed(self, office: Office) -> bool:
        """Whether no good run of batches is on record: the release that brings the tables may not have gone out."""
        try:
            return office.book.last_good(PROCEDURE, office.place.name, datetime.now(UTC)) is None
        except (RecordsError, RejectedError) as error:
            self.log.warning("Whether an order was ever processed cannot be read: %s", error)
            return False


def _over(
    kept: list[OpenProblem], backlog: Backlog, *, raised: bool, place: str
) -> list[tuple[OpenProblem, str]]:
    """Which of the problems that the look keeps are over."""
    texts = {problem_key(place, DATABASE): "The database answers again."}
    if not raised:
        texts[problem_key(place, BACKLOG)] = backlog_over(backlog)
    return [(each, texts[each.key]) for each in kept if each.key in texts]
