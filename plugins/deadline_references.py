"""Has Airflow know what our deadlines are counted from."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from plugins.run_made import RunMade


class DeadlinesPlugin(AirflowPlugin):
    """Registers the reference; a component without it cannot make a run of a DAG with such a deadline."""

    name = "plan_reduce_repeat_deadlines"
    deadline_references = [RunMade]
