"""When a run was made, as what a deadline is counted from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk.definitions.deadline import BaseDeadlineReference


class RunMade(BaseDeadlineReference):
    """Counts a deadline from the moment in which Airflow makes the run, which queues it.

    Instead of Airflow's ``DAGRUN_QUEUED_AT``: with that one, Airflow 3.3.2 cannot clear a run that failed or is not over
    (apache/airflow#70368: it answers 500), and clearing is what on-call does with exactly these. A run that is cleared
    keeps its deadline; one whose deadline has passed gets none anew, and is left to the DAG ``overdue``.
    """

    def _evaluate_with(self, **_: Any) -> datetime:
        """What Airflow asks for as it makes a run."""
        return datetime.now(UTC)
