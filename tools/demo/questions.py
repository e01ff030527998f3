"""The approvals that a run waits for: shown in the terminal, and answered by a second user."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding

from tools.demo.api import DAG, Airflow
from tools.demo.options import DemoError

APPROVE = "Approve"
WHY, CODE, ASKED = "why", "question", "asked"
"""Names in the form of ``plugins.operators.approve``, and the XCom that has the newest question's code."""
BODY_LINES = 60
FENCED = re.compile(r"^```.*?^```\n+", re.MULTILINE | re.DOTALL)
READING_SECONDS = 2.0
"""From the question to an answer given here. Airflow loses one that comes within half a second: its scheduler then takes
the parked task for a lost one, and asks again."""


@dataclass(frozen=True)
class Question:
    """What a task asks of people, and their answer when there is one."""

    task: str
    map_index: int
    asked_at: str
    subject: str
    body: str
    options: tuple[str, ...]
    form: dict[str, Any]
    may_answer: tuple[str, ...]
    answered: bool
    answer: str
    answered_by: str
    answered_at: str
    said: dict[str, Any]

    def short_body(self, lines: int = BODY_LINES) -> str:
        """Its text, in Markdown, without the differences; at most so many lines."""
        found = [line for line in FENCED.sub("", self.body).splitlines() if not line.startswith("…")]
        kept = "\n".join(found[:lines]).strip()
        return kept if len(found) <= lines else f"{kept}\n\n... and more at the address below."


def asked(airflow: Airflow, run_id: str) -> list[Question]:
    """Everything that the tasks of a run ask or have asked, in the order of asking."""
    found = airflow.get(f"/dags/{DAG}/dagRuns/{run_id}/hitlDetails", limit=50)
    questions = [_question(item) for item in (found or {}).get("hitl_details") or []]
    return sorted(questions, key=lambda question: question.asked_at)


def _question(item: dict[str, Any]) -> Question:
    answered_by = item.get("responded_by_user") or {}
    return Question(
        task=item["task_instance"]["task_id"],
        map_index=item["task_instance"]["map_index"],
        asked_at=item["created_at"],
        subject=item["subject"],
        body=item.get("body") or "",
        options=tuple(item["options"]),
        form={name: param.get("value") for name, param in (item.get("params") or {}).items()},
        may_answer=tuple(user["name"] for user in item.get("assigned_users") or []),
        answered=bool(item.get("response_received")),
        answer=", ".join(item.get("chosen_options") or []),
        answered_by=str(answered_by.get("name") or ""),
        answered_at=str(item.get("responded_at") or ""),
        said=dict(item.get("params_input") or {}),
    )


class Approver:
    """Shows each question once, and answers it unless a person is to do that.

    Args:
        airflow: the API, as the user who answers.
        console: where questions and answers are shown.
        by_hand: how a person logs in who is to answer in the UI; empty when the answer is given here.
        reason: what is said with an answer that is given here.
    """

    def __init__(self, airflow: Airflow, console: Console, *, by_hand: str = "", reason: str) -> None:
        self.airflow, self.console, self.by_hand, self.reason = airflow, console, by_hand, reason
        self._shown: dict[str, float] = {}
        self._open = False

    def look(self, run_id: str, *, waiting: bool) -> bool:
        """Show what is asked and what was answered; returns whether a person has yet to answer.

        Args:
            run_id: the run.
            waiting: a task of it waits for an answer.
        """
        if not waiting and not self._open:
            return False
        self._open = False
        for question in asked(self.airflow, run_id):
            if question.answered:
                self._tell(run_id, question)
            elif waiting:
                self._open = True  # and so is its answer, to be told
                if self._ask(run_id, question) > READING_SECONDS and not self.by_hand:
                    self._answer(run_id, question)
        return self._open and bool(self.by_hand)

    def address(self, run_id: str, question: Question) -> str:
        """The page in the UI that has the whole question."""
        page = f"{self.airflow.base}/dags/{DAG}/runs/{run_id}/tasks/{question.task}/required_actions"
        return page if question.map_index < 0 else f"{page}?map_index={question.map_index}"

    def _ask(self, run_id: str, question: Question) -> float:
        """Show a question once; returns the seconds since then."""
        if shown := self._seconds_since(run_id, question.task, question.asked_at, question.body):
            return shown
        write = self.console.print
        write(f"\n  [bold]{_plain(question.subject)}[/]", highlight=False)
        write(Padding(Markdown(question.short_body()), (0, 0, 0, 4)))
        who = " or ".join(question.may_answer) or "everybody who may trigger"
        write(f"  may answer: {who}", highlight=False, markup=False)
        write(f"  {self.address(run_id, question)}", highlight=False, markup=False, soft_wrap=True)
        if self.by_hand:
            text = f"  It waits for your answer there; log in as {self.by_hand}"
            write(text, highlight=False, markup=False)
        return 0.0

    def _answer(self, run_id: str, question: Question) -> None:
        if APPROVE not in question.options:
            raise DemoError(f"{question.task} offers {', '.join(question.options)}, and not {APPROVE}")
        newest = self.airflow.result(run_id, question.task, ASKED) or {}
        said = question.form | {WHY: self.reason, CODE: newest.get("code", question.form.get(CODE))}
        said = {name: value for name, value in said.items() if name in question.form}
        place = f"/taskInstances/{question.task}/{question.map_index}/hitlDetails"
        body = {"chosen_options": [APPROVE], "params_input": said}
        self.airflow.patch(f"/dags/{DAG}/dagRuns/{run_id}{place}", body)

    def _tell(self, run_id: str, question: Question) -> None:
        if self._seconds_since(run_id, question.task, question.answered_at):
            return
        said = question.said.get(WHY)
        text = f"  {question.answer} by {question.answered_by} at {question.answered_at[11:19]} UTC"
        self.console.print(f"{text}: {said}\n" if said else f"{text}\n", highlight=False, markup=False)

    def _seconds_since(self, *what: str) -> float:
        """How long ago this was asked for the first time; 0 now."""
        now = time.monotonic()
        return now - self._shown.setdefault("\n".join(what), now)


def _plain(text: str) -> str:
    return text.replace("[", "\\[")
