"""What the tasks of order processing have in common: its configuration, its cluster, its database, its records."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from airflow.sdk import BaseOperator, Context

from include.orders.backlog import Orders as OrderTables
from include.orders.backlog import unreadable
from include.orders.codes import OrderErrors
from include.orders.config import Orders
from include.orders.facts import Backlog, Kept
from include.orders.live import live_pace, pace_without_cluster
from include.orders.loading import read_right
from include.orders.messages import Where
from include.orders.sizing import Pace
from include.records.database import RecordsError
from include.records.problems import ProblemBook
from include.records.store import Records
from include.release.environments import Environment
from include.release.kube import Cluster, KubeError
from include.release.loading import Sources
from include.release.problems import Problem, RejectedError
from include.release.running import settled
from plugins.hooks.cluster import ClusterHook
from plugins.hooks.orders import OrdersHook
from plugins.hooks.records import RecordsHook
from plugins.operators.base import readable_errors, say
from plugins.operators.locking import run_name, run_url
from plugins.operators.orders_known import KnownProblems

PROCEDURE = "order_processor"
"""The DAG that keeps what is known of order processing."""
T = TypeVar("T")


@dataclass(frozen=True)
class Office:
    """What a task works with. The files are read anew by every task, so a change counts at once.

    What is wrong in them (``wrong``) is left out: the DAG ``overdue`` tells people of it.
    """

    operator: BaseOperator
    orders: Orders
    place: Environment
    known: OrderErrors
    run: str
    url: str
    wrong: tuple[str, ...] = ()

    @property
    def where(self) -> Where:
        """Who says it, for messages."""
        return Where(self.place, self.run, {"Run in Airflow": self.url} if self.url else {})

    @property
    def cluster(self) -> Cluster:
        """Where batches run. Raises RejectedError."""
        return ClusterHook(self.place.connection).get_conn()

    @property
    def records(self) -> Records:
        """Releases and open problems. Raises RejectedError."""
        return RecordsHook(self.place.records).get_conn()

    @property
    def book(self) -> ProblemBook:
        """Open problems and the on-call log. Raises RejectedError."""
        return self.records.problems

    def seen_every(self, procedure: str) -> int:
        """Minutes from one run of a DAG of order processing to the next."""
        schedule = self.orders.schedule
        return schedule.every_minutes if procedure == PROCEDURE else schedule.look_every_minutes

    @property
    def told(self) -> KnownProblems:
        """What people know of problems."""
        return KnownProblems(self.operator, lambda: self.book)

    def say(self, text: str) -> None:
        """Write a text to the task log."""
        say(self.operator, text)

    def asked(self, question: Callable[[OrderTables], T]) -> T | Problem:
        """The database's answer, or why it has none."""
        try:
            return question(OrdersHook(self.orders.database).get_conn())
        except RejectedError as error:
            return next(iter(error.problems))
        except Exception as error:  # (whatever a driver raises)
            return unreadable(error, self.orders.database)

    def backlog(self) -> Backlog | Problem:
        """What waits now, or why that is not known."""
        return self.asked(lambda tables: tables.backlog(datetime.now(UTC)))

    def kept(self, since: datetime) -> Kept:
        """What the database keeps of errors since then; says so when it cannot be asked."""
        found = self.asked(lambda tables: tables.kept_since(since))
        return Kept(since=since, unknown=found.found) if isinstance(found, Problem) else found

    def pace(
        self, cluster: Cluster | None, deployment: dict[str, Any] | None, backlog: Backlog | None
    ) -> Pace:
        """What the live processor gets done; of the newest release with facts where nothing live says so."""
        try:
            if cluster is not None:
                return live_pace(cluster, self.place, self.orders, deployment, backlog)
        except RejectedError as error:
            found = next((each.found for each in error.problems), "")
            self.operator.log.info("Times are those of the newest release that has capacity facts: %s", found)
        except KubeError as error:
            self.operator.log.warning("What is live cannot be asked for what it gets done: %s", error)
        return pace_without_cluster(Sources.from_environment(), self.orders, backlog, self._went_out())

    def _went_out(self) -> str:
        """The release that went out last, by the records."""
        if self.orders.capacity is not None:
            return ""
        try:
            last = settled(self.records.changes(self.orders.app, self.place.name))
        except (RecordsError, RejectedError) as error:
            self.operator.log.warning("Which release went out last cannot be read: %s", error)
            return ""
        return last.release if last else ""


class OrdersOperator(BaseOperator):
    """A task of order processing: it has one step."""

    ui_color = "#e3ecf7"

    def execute(self, context: Context) -> Any:
        """Run the step; its errors are for the reader of the log."""
        with readable_errors(self):
            return self.step(office_of(self, context), context)

    @abc.abstractmethod
    def step(self, office: Office, context: Context) -> Any:
        """What the task does."""


def office_of(operator: BaseOperator, context: Context) -> Office:
    """What a task works with. Raises RejectedError when a file does not say whose orders are processed, and by what."""
    right = read_right(Sources.from_environment())
    dag_run: Any = context["dag_run"]
    url = run_url(dag_run.dag_id, dag_run.run_id)
    wrong = tuple(each.text for each in right.wrong)
    return Office(operator, right.orders, right.place, right.known, run_name(context), url, wrong)


def known(backlog: Backlog | Problem) -> Backlog | None:
    """The backlog where it is known."""
    return backlog if isinstance(backlog, Backlog) else None


def started_at(context: Context) -> datetime:
    """When the run began: the same for every try of its tasks."""
    dag_run: Any = context["dag_run"]
    found: datetime | None = getattr(dag_run, "start_date", None)
    return found or datetime.now(UTC)
