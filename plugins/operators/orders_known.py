"""What people know of problems of order processing: in the records, and while these are away in an Airflow Variable."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from airflow.sdk import BaseOperator, Variable
from pydantic import ValidationError

from include.records.database import RecordsError
from include.records.problems import OpenProblem, ProblemBook
from include.release.problems import RejectedError

NAME = "plan_reduce_repeat_orders_told"
"""Of the Variable. It is there only while something of it could not be written to the records."""
T = TypeVar("T")


class KnownProblems:
    """Reads and keeps what people were told. Never raises: at the worst people are told again.

    Args:
        operator: the task, for its log.
        book: opens the records.
    """

    def __init__(self, operator: BaseOperator, book: Callable[[], ProblemBook]) -> None:
        self._operator, self._book = operator, book

    def open(self, procedure: str, environment: str) -> list[OpenProblem]:
        """The open problems that a DAG keeps, the oldest first."""
        noted = self._noted()
        found = self._asked(lambda book: book.open_problems(procedure, environment)) or []
        kept = {each.key: each for each in found} | {
            key: each
            for key, each in noted.items()
            if (each.procedure, each.environment) == (procedure, environment)
        }
        return sorted((each for each in kept.values() if each.open), key=lambda each: (each.opened, each.key))

    def problem(self, key: str) -> OpenProblem | None:
        """What is known under a key, open or over; what the records could not be told is newer than what they have."""
        noted = self._noted().get(key)
        return noted if noted is not None else self._asked(lambda book: book.problem(key))

    def save(self, problem: OpenProblem) -> None:
        """Keep it: in the records, else in the Variable."""
        noted = self._noted()
        try:
            self._book().save(problem)
        except (RecordsError, RejectedError) as error:
            self._operator.log.warning("The records cannot be told of a problem; Airflow keeps it: %s", error)
            self._note(noted | {problem.key: problem})
            return
        if problem.key in noted:
            self._note({key: each for key, each in noted.items() if key != problem.key})

    def hand_on(self) -> None:
        """Give the records what they could not be told, once they are back."""
        for problem in self._noted().values():
            try:
                self._book().save(problem)
            except (RecordsError, RejectedError):
                return
            self._note({key: each for key, each in self._noted().items() if key != problem.key})

    def _asked(self, question: Callable[[ProblemBook], T]) -> T | None:
        try:
            return question(self._book())
        except (RecordsError, RejectedError) as error:
            self._operator.log.warning("What people know already cannot be read in the records: %s", error)
            return None

    def _noted(self) -> dict[str, OpenProblem]:
        try:
            text = Variable.get(NAME, default="")
            found = json.loads(text) if text else {}
            return {key: OpenProblem.model_validate_json(json.dumps(each)) for key, each in found.items()}
        except (ValueError, ValidationError, AttributeError):
            return {}  # somebody wrote something else into it
        except Exception as error:  # (whatever keeps the API server from answering)
            self._operator.log.warning("The Variable %s cannot be read: %s", NAME, error)
            return {}

    def _note(self, noted: dict[str, OpenProblem]) -> None:
        try:
            if noted:
                found = {key: each.model_dump(mode="json") for key, each in noted.items()}
                Variable.set(
                    NAME, json.dumps(found), description="Order processing: told, not in the records yet"
                )
            else:
                Variable.delete(NAME)
        except Exception as error:
            self._operator.log.warning(
                "That people know this cannot be kept, so they may be told again: %s", error
            )
