"""Approvals in the demo: shown, answered by the second user, and left to a person who wants to."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from tools.demo import questions
from tools.demo.options import DemoError
from tools.demo.questions import CODE, WHY, Approver


class Api:
    """Airflow's API with one question."""

    base, user = "http://127.0.0.1:8080", "admin"

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.refuses = False
        self.item: dict[str, Any] = {
            "task_instance": {"task_id": "approve", "map_index": -1},
            "created_at": "2026-03-01T09:00:00Z",
            "subject": "Bring release 2 to production?",
            "body": "## Plan\n\n- **6** pods\n\n```diff\n+ a difference\n```\n\n… and 70 more lines\n\nThe end",
            "options": ["Approve", "Reject"],
            "params": {
                WHY: {"value": None, "description": "", "schema": {}},
                CODE: {"value": "0a0a0a0a", "description": "", "schema": {}},
            },
            "assigned_users": [{"id": "admin", "name": "admin"}, {"id": "jane", "name": "jane"}],
            "response_received": False,
        }

    def get(self, path: str, **_: Any) -> Any:
        assert path == "/dags/release/dagRuns/run-1/hitlDetails"
        return {"hitl_details": [self.item]}

    def result(self, run_id: str, task: str, key: str) -> Any:
        assert (run_id, task, key) == ("run-1", "approve", "asked")
        return {"code": "1b1b1b1b", "number": 2}

    def patch(self, path: str, body: dict[str, Any]) -> None:
        if self.refuses:
            raise DemoError("Airflow refuses it to admin: 403 not a respondent")
        self.sent.append((path, body))
        self.item |= {
            "response_received": True,
            "responded_at": "2026-03-01T09:00:04Z",
            "responded_by_user": {"id": self.user, "name": self.user},
            "chosen_options": body["chosen_options"],
            "params_input": body["params_input"],
        }


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(questions.time, "monotonic", lambda: now[0])
    return now


def approver(api: Api, by_hand: str = "") -> tuple[Approver, io.StringIO]:
    text = io.StringIO()
    console = Console(file=text, width=140)
    return Approver(api, console, by_hand=by_hand, reason="read"), text  # type: ignore[arg-type]


def test_nothing_is_looked_up_while_no_task_waits(api: Api) -> None:
    api.item = {}
    asked, text = approver(api)
    assert asked.look("run-1", waiting=False) is False
    assert text.getvalue() == ""


def test_the_second_user_answers_after_reading_and_the_answer_is_told_once(
    api: Api, clock: list[float]
) -> None:
    asked, text = approver(api)
    asked.look("run-1", waiting=True)
    assert api.sent == []
    clock[0] += questions.READING_SECONDS + 0.1
    assert asked.look("run-1", waiting=True) is False
    assert api.sent == [
        (
            "/dags/release/dagRuns/run-1/taskInstances/approve/-1/hitlDetails",
            {"chosen_options": ["Approve"], "params_input": {WHY: "read", CODE: "1b1b1b1b"}},
        )
    ]
    clock[0] += 1
    asked.look("run-1", waiting=False)
    asked.look("run-1", waiting=False)
    said = text.getvalue()
    assert said.count("Bring release 2 to production?") == 1
    assert said.count("Approve by admin at 09:00:04 UTC: read") == 1
    assert "may answer: admin or jane" in said
    assert "• 6 pods" in said
    assert "The end" in said
    assert "difference" not in said
    assert "more" not in said
    assert "http://127.0.0.1:8080/dags/release/runs/run-1/tasks/approve/required_actions" in said


def test_a_very_long_text_is_cut(api: Api) -> None:
    api.item["body"] = "\n".join(f"- line {number}" for number in range(1, 31))
    (question,) = questions.asked(api, "run-1")  # type: ignore[arg-type]
    assert question.short_body(30) == api.item["body"]
    assert question.short_body(3) == "- line 1\n- line 2\n- line 3\n\n... and more at the address below."


def test_a_person_is_waited_for(api: Api, clock: list[float]) -> None:
    asked, text = approver(api, by_hand="admin, password x")
    for _ in range(3):
        clock[0] += 10
        assert asked.look("run-1", waiting=True) is True
    assert api.sent == []
    assert text.getvalue().count("log in as admin, password x") == 1
    api.patch("", {"chosen_options": ["Reject"], "params_input": {WHY: "not today"}})
    assert asked.look("run-1", waiting=False) is False
    assert "Reject by admin at 09:00:04 UTC: not today" in text.getvalue()


def test_a_question_that_is_asked_again_is_answered_again(api: Api, clock: list[float]) -> None:
    asked, _ = approver(api)
    for _ in range(2):
        asked.look("run-1", waiting=True)
        clock[0] += questions.READING_SECONDS + 0.1
        asked.look("run-1", waiting=True)
        api.item["response_received"] = False
    assert len(api.sent) == 2


def test_a_refusal_of_airflow_is_passed_on(api: Api, clock: list[float]) -> None:
    api.refuses = True
    asked, _ = approver(api)
    asked.look("run-1", waiting=True)
    clock[0] += questions.READING_SECONDS + 0.1
    with pytest.raises(DemoError, match="403"):
        asked.look("run-1", waiting=True)


def test_the_names_are_those_of_the_operator_s_form() -> None:
    from plugins.operators import approve

    assert (WHY, CODE) == (approve.WHY, approve.CODE) == tuple(approve.answer_form("x"))
    assert questions.ASKED == approve.ASKED
    assert questions.APPROVE == approve.ApprovalOperator.APPROVE
