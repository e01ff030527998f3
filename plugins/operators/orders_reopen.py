"""The task that opens orders again that were set aside, when somebody asks for it."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException
from typing_extensions import override

from include.jobs.carrying import Carrier
from include.jobs.ending import JobError
from include.jobs.load import Load
from include.orders.job import processor_of
from include.orders.reopening import REOPEN, answers_text, not_there, numbers_of, reopen_load
from include.release.batches import why_not_now
from include.release.texts import plural
from plugins.operators.base import asked_by, give_up, is_dry_run, say
from plugins.operators.locking import ask_airflow
from plugins.operators.orders_base import Office, OrdersOperator, known

REOPENED = "reopened"
"""What became of each order, in what the task hands on."""


class ReopenOperator(OrdersOperator):
    """Opens orders again, as the param says, so that the batch of this run tries them anew.

    Without numbers it does nothing. A retry, and a run that is cleared, find them open, or processed, and change nothing.

    Args:
        read_by: id of the task that read the backlog.
    """

    def __init__(self, *, read_by: str = "read_backlog", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.read_by = read_by

    @override
    def step(self, office: Office, context: Context) -> dict[str, Any]:
        """Returns the backlog as it is then, as the task that read it did."""
        found: dict[str, Any] = context["ti"].xcom_pull(task_ids=self.read_by) or {}
        numbers = numbers_of(context["params"].get(REOPEN))
        if not numbers:
            say(self, "No order is to be opened again")
            return found
        namespace, orders, cluster = office.place.namespace, office.orders, office.cluster
        live = cluster.get("Deployment", namespace, orders.workload)
        load = reopen_load(
            processor_of(live, orders, namespace), orders, namespace, numbers, asked_by(context)
        )
        if is_dry_run(context):
            say(self, f"Dry run: Job {load.name} is not run: {load.command}")
            return found
        if reason := why_not_now(cluster, namespace, orders.app, ask_airflow(context)):
            raise AirflowException(
                f"No order is opened now: {reason}. It is tried again; later, clear this task."
            )
        said = self._open(Carrier(cluster, namespace, office.say), load, len(numbers))
        found = {**found, REOPENED: answers_text(said)}
        backlog = known(office.backlog())
        return {**found, "backlog": backlog.model_dump(mode="json")} if backlog else found

    def _open(self, carrier: Carrier, load: Load, count: int) -> list[str]:
        """Returns what the program said."""
        said: list[str] = []

        def take(line: str) -> None:
            said.append(line)
            carrier.say(f"    {line}")

        try:
            carrier.carry(load, on_line=take)
        except JobError as error:
            missing = not_there(error.lines)
            if not missing:
                raise give_up(self, str(error), kind="trouble") from None
            say(self, f"There is no order {', '.join(map(str, missing))}: look at the numbers", error=True)
            if len(missing) == count:
                raise give_up(
                    self,
                    f"None of the {plural(count, 'order')} that should be opened again is there",
                    kind="refused",
                ) from None
        return said
