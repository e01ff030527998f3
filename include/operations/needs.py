"""What needs somebody now: open problems, procedures that are overdue, volumes that are too full or were not cleaned up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from include.operations.procedures import Procedure, Question
from include.operations.volumes import VolumeView
from include.records.problems import OpenProblem

ORDERS, LOGS = "orders", "log-cleanup"
"""Pages of the documentation."""
ASKS = "It waits for somebody's answer. The question says who may answer, and until when; without an answer nothing is changed."


@dataclass(frozen=True)
class Need:
    """Something that needs somebody.

    Attributes:
        title: what it is, in a line.
        text: what is known, and what to do.
        since: since when; None when that is not known.
        run: ``dag_id/run_id`` that saw it; empty when none did.
        dag_id: the procedure that it is about.
        page: of the documentation.
        answer: where a question is answered, below the run's page in Airflow; empty for what is none.
    """

    title: str
    text: str
    since: datetime | None
    run: str
    dag_id: str
    page: str
    answer: str = ""


def page_of(dag_id: str) -> str:
    """The page of the documentation that a procedure's reader needs."""
    return LOGS if dag_id.startswith("log_") else ORDERS


def needs(
    problems: Sequence[OpenProblem],
    procedures: Sequence[Procedure],
    volumes: Sequence[VolumeView],
    questions: Sequence[Question] = (),
) -> list[Need]:
    """Everything: questions first, since they wait for an answer; then what is not running at all."""
    found = [
        Need(
            f"{each.run.dag_id} asks: {each.subject}",
            ASKS,
            each.since,
            each.run.name,
            each.run.dag_id,
            page_of(each.run.dag_id),
            each.place,
        )
        for each in questions
    ]
    found += [
        Need(f"{each.dag_id}: {each.state}", each.text, None, _last(each), each.dag_id, page_of(each.dag_id))
        for each in procedures
        if not each.fine
    ]
    found += [
        Need(f"{each.name}: {_word(each)}", each.needs, *_seen(each), "log_cleanup", LOGS)
        for each in volumes
        if each.needs
    ]
    found += [
        Need(
            each.title if each.environment in each.title else f"{each.title} ({each.environment})",
            each.text,
            each.opened,
            each.run,
            each.procedure,
            page_of(each.procedure),
        )
        for each in problems
    ]
    return found


def _last(procedure: Procedure) -> str:
    return procedure.dag.last.name if procedure.dag.last else ""


def _word(volume: VolumeView) -> str:
    if volume.state in ("below floor", "not right") or volume.last is None:
        return volume.state
    return f"clean-up {volume.last.state}"


def _seen(volume: VolumeView) -> tuple[datetime | None, str]:
    return (volume.last.at, volume.last.run) if volume.last else (None, "")
