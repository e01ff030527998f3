"""What runs in a task's own process: Airflow's task runner, with a supervisor at the other end of a pipe.

The process can be killed at any moment, as a worker can: what it told its supervisor is kept there.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.chaos import beside

PRELOAD = [
    "tests.conftest",
    "tests.chaos.child",
    "airflow.dag_processing.dagbag",
    "airflow.sdk.execution_time.task_runner",
    "airflow.sdk.execution_time.supervisor",
    "airflow.providers.cncf.kubernetes.hooks.kubernetes",
    "airflow.providers.standard.operators.hitl",
    "tests.chaos.warm",
]
"""What a task would find imported in the process that it is forked from."""


class Pipe:
    """The task's end of the pipe: what ``SUPERVISOR_COMMS`` is in a task of Airflow."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(self, msg: Any) -> Any:
        """Send a message and wait for the answer."""
        self._connection.send(msg)
        return self._connection.recv()

    async def asend(self, msg: Any) -> Any:
        """The same, for code that is asynchronous."""
        return self.send(msg)


def load_dag(file: str) -> Any:
    """The DAG of a file in ``dags/``, with the settings that the environment has now."""
    from airflow.dag_processing.dagbag import DagBag

    found = DagBag(file, bundle_path=Path(file).parent)
    if found.import_errors:
        raise ValueError(found.import_errors)
    return next(iter(found.dags.values()))


def run_task(file: str, task_id: str, start: dict[str, Any], environment: dict[str, str], log: str,
             connection: Connection) -> None:  # fmt: skip
    """Run one try of a task to its end, and tell the supervisor of everything."""
    with _as_a_task_process(environment, log, connection):
        import structlog
        from airflow.sdk.api.datamodels._generated import TaskInstanceState, TIRunContext
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance, finalize, run

        context_from_server = TIRunContext(**start["context"])
        ti = RuntimeTaskInstance.model_construct(
            **start["ti"], task=load_dag(file).get_task(task_id), _ti_context_from_server=context_from_server,
            max_tries=context_from_server.max_tries, start_date=datetime.now(tz=UTC),
            state=TaskInstanceState.RUNNING,
        )  # fmt: skip
        logger = structlog.get_logger(logger_name="task")
        context = ti.get_template_context()
        state, _, error = run(ti, context, logger)
        context["exception"] = error
        finalize(ti, state, context, logger, error)


def run_trigger(classpath: str, kwargs: Any, environment: dict[str, str], log: str,
                connection: Connection) -> None:  # fmt: skip
    """Run a trigger to its first event, and send that."""
    with _as_a_task_process(environment, log, connection):
        from airflow.sdk.module_loading import import_string
        from airflow.sdk.serde import deserialize, serialize

        async def first() -> Any:
            events: AsyncIterator[Any] = import_string(classpath)(**deserialize(kwargs)).run()
            return await anext(events)

        connection.send(("event", serialize(asyncio.run(first()).payload)))


@contextmanager
def _as_a_task_process(environment: dict[str, str], log: str, connection: Connection) -> Any:
    os.environ.update(environment)
    with Path(log).open("ab", buffering=0) as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    from airflow.sdk.execution_time.supervisor import set_supervisor_comms

    beside.report(connection)
    with set_supervisor_comms(Pipe(connection)):
        yield
    sys.stdout.flush()
    connection.close()
    os._exit(0)  # as a task's process of Airflow ends; taking the interpreter down costs a third of a second
