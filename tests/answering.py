"""Somebody who answers the questions of a run of ``dag.test()``, as Airflow's API does it: a person and a form."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def answering(
    dag_id: str, option: str = "Approve", *, user: str = "admin", why: str = "seen"
) -> Iterator[list[Any]]:
    """Answers every question of a DAG with ``option`` while the block runs. Yields what was asked: subject, body, users."""
    asked: list[Any] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            asked.extend(_answer(dag_id, option, user, why))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        over.set()
        thread.join(10)


def _answer(dag_id: str, option: str, user: str, why: str) -> list[Any]:
    from airflow._shared.timezones import timezone
    from airflow.api_fastapi.execution_api.datamodels.hitl import HITLUser
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import handle_event_submit
    from airflow.triggers.base import TriggerEvent
    from airflow.utils.session import create_session
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy import select

    found = []
    with create_session() as session:
        waiting = select(TaskInstance).where(
            TaskInstance.dag_id == dag_id, TaskInstance.state == TaskInstanceState.AWAITING_INPUT
        )
        for task in session.scalars(waiting):
            detail = session.scalar(select(HITLDetail).where(HITLDetail.ti_id == task.id))
            if detail is None or detail.response_received:
                continue
            detail.responded_by = HITLUser(id=user, name=user).model_dump()
            detail.responded_at = timezone.utcnow()
            detail.chosen_options, detail.params_input = [option], {"why": why}
            session.add(detail)
            found.append((detail.subject, detail.body, [each["id"] for each in detail.assigned_users or []]))
            event = TriggerEvent(detail.as_resume_event_payload())
            handle_event_submit(event, task_instance=task, session=session)
    return found
