"""The tasks that look at what waits, size a batch, and run it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException
from typing_extensions import override

from include.orders.facts import Backlog
from include.orders.job import NoProcessorError, processor_of
from include.orders.loading import require_fits
from include.orders.messages import ERROR, PROCESSOR
from include.orders.noting import problem_key
from include.orders.outcome import handed_on
from include.orders.ran import HEADER, Ran
from include.orders.reopening import REOPEN, wrong_numbers
from include.orders.running import Batches, World, remove_old, summary
from include.orders.sizing import size_batch, waiting_text
from include.release.asking import REASON, wrong_request
from include.release.environments import may_trigger
from include.release.loading import Sources
from include.release.problems import Problem, RejectedError, in_a_sentence
from include.release.texts import table
from plugins.operators.base import asked_by, by_hand, is_dry_run, say
from plugins.operators.locking import ask_airflow
from plugins.operators.orders_base import PROCEDURE, Office, OrdersOperator, known

KEEP_STOPPED = 3
REFUSED = "refused"
REQUEST = "request"
"""XCom with all that is wrong with a request."""


class ReadBacklogOperator(OrdersOperator):
    """Asks the database what waits. When it cannot be asked the run goes on: orders are processed all the same.

    First of all it checks the request of who triggered the run by hand.
    """

    @override
    def step(self, office: Office, context: Context) -> dict[str, Any]:
        """Returns the backlog, or why it is not known."""
        _check_request(office, context)
        for each in office.wrong:
            say(self, each, error=True)
        found = office.backlog()
        if isinstance(found, Problem):
            say(self, f"How many orders wait is not known.\n{found}", error=True)
            return {"backlog": None, "problem": handed_on(found)}
        say(self, waiting_text(found))
        return {"backlog": found.model_dump(mode="json"), "problem": None}


class SizeBatchOperator(OrdersOperator):
    """Shows the arithmetic of the batch, with the processor that is live.

    Args:
        read_by: id of the task that read the backlog.
    """

    def __init__(self, *, read_by: str = "read_backlog", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.read_by = read_by

    @override
    def step(self, office: Office, context: Context) -> dict[str, Any]:
        """Returns the size and its arithmetic, or why there is no processor that may run."""
        cluster, orders = office.cluster, office.orders
        live = cluster.get("Deployment", office.place.namespace, orders.workload)
        try:
            processor = processor_of(live, orders, office.place.namespace)
        except NoProcessorError as error:
            say(self, str(error))
            return {REFUSED: error.reason}
        backlog = backlog_of(context, self.read_by)
        pace = office.pace(cluster, live, backlog)
        require_fits(orders, Sources.from_environment(), pace.at_a_time)
        say(
            self,
            f"Live: {processor.image} ({processor.release or 'brought by no release'}), {processor.resources}",
        )
        if backlog is None:
            say(
                self,
                f"How many orders wait is not known, so the time until the next run is the limit. {pace.text}",
            )
            return {"limit": None, "text": pace.text}
        batch = size_batch(backlog, pace, orders.schedule, datetime.now(UTC))
        say(self, batch.text)
        return {
            "limit": batch.limit,
            "seconds": batch.seconds,
            "left_over": batch.left_over,
            "text": batch.text,
        }


class RunBatchOperator(OrdersOperator):
    """Runs the batches: each a Job, whose log is judged while it is written.

    A retry, also after its worker was killed, goes on with the Jobs that it finds. It stops none of them: whoever marks
    this task as failed leaves the batch at work, and the next run goes on with it.

    Args:
        sized_by: id of the task that sized the batch.
    """

    def __init__(self, *, sized_by: str = "size_batch", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sized_by = sized_by

    @override
    def step(self, office: Office, context: Context) -> list[dict[str, Any]]:
        """Returns what became of each batch. Skipped when there is no processor that may run."""
        sized = context["ti"].xcom_pull(task_ids=self.sized_by) or {}
        if reason := sized.get(REFUSED):
            say(self, f"No batch is run: {reason}")
            raise AirflowSkipException(reason)
        batches = Batches(self._world(office, context))
        if is_dry_run(context):
            say(self, f"Dry run: no Job is started.\n{batches.preview()}")
            return []
        done = batches.run()
        say(self, f"{summary(done)}.")
        if done:
            say(self, table(HEADER, [each.row() for each in done]))
        for name in remove_old(office.cluster, office.place.namespace, office.orders, KEEP_STOPPED):
            say(self, f"Job {name} was stopped or held long ago: removed")
        return [each.model_dump(mode="json") for each in done]

    def _world(self, office: Office, context: Context) -> World:
        cluster = office.cluster
        return World(
            cluster=cluster,
            environment=office.place,
            orders=office.orders,
            known=office.known,
            asked_by=asked_by(context),
            ask=ask_airflow(context),
            backlog=lambda: known(office.backlog()),
            kept=office.kept,
            pace=lambda live, backlog: office.pace(cluster, live, backlog),
            say=office.say,
            handed_over=self._handed_over(office),
        )

    def _handed_over(self, office: Office) -> frozenset[str]:
        """Codes that people have and that are not over: they are not restarted again by each run."""
        start = problem_key(office.place.name, ERROR)
        found = office.told.open(PROCEDURE, office.place.name)
        codes = {each.key.removeprefix(start) for each in found if each.key.startswith(start)}
        broken = problem_key(office.place.name, PROCESSOR)
        return frozenset(codes | ({""} if any(each.key == broken for each in found) else set()))


def backlog_of(context: Context, read_by: str) -> Backlog | None:
    """What the first task of the run read; None when it could not."""
    found = (context["ti"].xcom_pull(task_ids=read_by) or {}).get("backlog")
    return Backlog.model_validate(found) if found else None


def ran_of(context: Context, run_by: str) -> tuple[Ran, ...]:
    """The batches of the run, as the task that ran them handed them on."""
    found = context["ti"].xcom_pull(task_ids=run_by) or []
    return tuple(Ran.model_validate(each) for each in found)


def _check_request(office: Office, context: Context) -> None:
    if not by_hand(context):
        return
    dag_run: Any = context["dag_run"]
    reason = str(context["params"].get(REASON) or "")
    problems = list(wrong_request(dag_run.conf or {}, reason, list(context["dag"].params)))
    problems += wrong_numbers(context["params"].get(REOPEN))
    if refused := may_trigger(office.place, getattr(dag_run, "triggering_user_name", None)):
        problems.append(refused)
    if problems:
        context["ti"].xcom_push(key=REQUEST, value=in_a_sentence(problems))
        raise RejectedError(problems, subject="the request", changed="No batch was started.")
