"""A clean-up that the schedule starts outside its window asks a person first."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskAwaitingInput

from plugins.operators.log_choose import ChooseVolumesOperator
from plugins.operators.log_people import who_may
from plugins.operators.log_restore import CheckRestoreOperator
from plugins.operators.log_window import LEAVE, NOW, AskWindowOperator
from tests.plugins.conftest import make_context

VOLUME = {"name": "shop-logs", "title": "Logs", "environment": "production", "claim": "course4-logs", "image": "shop:2.0.0",
          "path": "/home/sre/course4", "user": 10001, "classes": [{"name": "all", "globs": ["app.log.*"], "keep_days": 7}]}  # fmt: skip


class Window:
    """The task, what it shows, and the answers to it."""

    def __init__(self) -> None:
        self.task = AskWindowOperator(task_id="window")
        self.shown: list[dict[str, Any]] = []

    def context(self, kind: str = "scheduled", **params: Any) -> Any:
        made = make_context(**params)
        made["ti"].values["choose", "return_value"] = ["shop-logs"]
        made["dag_run"] = SimpleNamespace(
            dag_id="log_cleanup", run_id="run-1", run_type=kind, run_after=datetime(2026, 11, 21, 3, tzinfo=UTC),
            clear_number=0, conf={},
        )  # fmt: skip
        made["task_instance"] = SimpleNamespace(id="1")
        return made

    def answer(self, option: str, user: str = "oncall") -> str:
        event = {"chosen_options": [option], "params_input": {"why": "seen"}, "responded_at": datetime.now(UTC),
                 "responded_by_user": {"id": user, "name": user}}  # fmt: skip
        return self.task.execute_complete(self.context(), event)


@pytest.fixture
def window(project: Path, records: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], Window]:
    """The task at a time inside its window, or outside of it."""

    def make(inside: bool) -> Window:
        hour = datetime.now(UTC) + timedelta(hours=0 if inside else 12)
        start, end = (f"{(hour + timedelta(hours=by)):%H:00}" for by in (-1, 2))
        week = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        opens = {"days": week, "start": start, "end": end}
        text = {"start": f"{hour:%H:00}", "finish_by": end, "window": {"open": [opens]}}
        (project / "config" / "log_retention.yaml").write_text(
            json.dumps({**text, "volumes": [VOLUME]}, indent=1)
        )
        made = Window()
        monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **shown: made.shown.append(shown))
        return made

    return make


def test_inside_the_window_nobody_is_asked(window, capsys):
    made = window(True)
    assert made.task.execute(made.context()) == "inside the window"
    assert made.shown == []


@pytest.mark.parametrize(("kind", "dry_run"), [("manual", False), ("scheduled", True)])
def test_a_run_by_hand_and_a_dry_run_need_no_window(window, kind: str, dry_run: bool):
    made = window(False)
    made.task.execute(made.context(kind, dry_run=dry_run))
    assert made.shown == []


def test_a_missed_run_that_fires_at_noon_asks_first(window, capsys):
    made = window(False)
    with pytest.raises(TaskAwaitingInput):
        made.task.execute(made.context())
    (shown,) = made.shown
    assert shown["subject"] == "Clean the logs up outside the window (shop-logs)?"
    assert "was due at **2026-11-21 03:00:00 UTC** and starts only now" in shown["body"]
    assert shown["options"] == [NOW, LEAVE]
    assert [each["name"] for each in shown["assigned_users"]] == ["admin", "oncall"]
    said = capsys.readouterr().out
    assert "admin or oncall may answer, within 60 minutes." in said
    assert "the task log: told" in said


def test_without_a_window_a_run_that_fires_late_asks_all_the_same(window, project: Path, capsys):
    """The window is the time that a clean-up has then: from start to finish_by."""
    made = window(False)
    path = project / "config" / "log_retention.yaml"
    text = json.loads(path.read_text())
    hour = datetime.now(UTC)
    text |= {
        "window": {},
        "start": f"{hour - timedelta(hours=6):%H:%M}",
        "finish_by": f"{hour - timedelta(hours=3):%H:%M}",
    }
    path.write_text(json.dumps(text))
    with pytest.raises(TaskAwaitingInput):
        made.task.execute(made.context())
    assert f"{text['start']} to {text['finish_by']} (UTC)" in made.shown[0]["body"]
    text["finish_by"] = f"{hour + timedelta(hours=3):%H:%M}"
    path.write_text(json.dumps(text))
    assert made.task.execute(made.context()) == "inside the window"


def test_an_answer_lets_it_go_on_or_leaves_it(window, capsys):
    made = window(False)
    assert made.answer(NOW).startswith("oncall at ")
    with pytest.raises(AirflowSkipException, match="left for the next run"):
        made.answer(LEAVE)
    with pytest.raises(AirflowFailException, match="dev answered, who may not; admin or oncall may"):
        made.answer(NOW, user="dev")


def test_a_worker_path_has_its_own_lists(project, records, capsys):
    path = project / "config" / "log_retention.yaml"
    here = {"name": "here", "title": "Here", "path": "/srv/here", "classes": VOLUME["classes"]}

    def write(**more: Any) -> None:
        path.write_text(json.dumps({"volumes": [VOLUME, {**here, **more}]}))

    write()
    assert who_may(["here"]).anyone
    write(may_approve=["ada", "oncall"], may_trigger=["ada"])
    assert who_may(["here"]).names == ("ada", "oncall")
    assert who_may(["here", "shop-logs"]).names == ("oncall",)
    made = make_context(user="dev", volumes=["here"])
    made["dag_run"].run_type = "manual"
    with pytest.raises(AirflowFailException):
        ChooseVolumesOperator(task_id="choose").execute(made)
    assert "found:    triggered by dev" in capsys.readouterr().out
    back = make_context(user="dev", files="app.log.1")
    check = CheckRestoreOperator(task_id="check", volume="here")
    with pytest.raises(AirflowFailException):
        check.execute(back)
    assert "found:    triggered by dev" in capsys.readouterr().out
    back["dag_run"].triggering_user_name = "ada"
    assert check.execute(back)["globs"] == ["app.log.1"]
    assert (
        "To be restored from here (/srv/here on the worker): app.log.1. Where to: a directory of"
        in capsys.readouterr().out
    )
    made["dag_run"].triggering_user_name = "ada"
    assert ChooseVolumesOperator(task_id="choose").execute(made) == ["here"]


def test_nobody_answers_and_it_ends_without_harm_and_red(window, capsys):
    made = window(False)
    with pytest.raises(AirflowFailException):
        made.task.execute_complete(made.context(), {"error": "timeout", "error_type": "timeout"})
    said = capsys.readouterr().out
    assert "NOT CLEANED UP: nobody answered within 60 minutes (admin or oncall could have)." in said
    assert "Nothing has been changed." in said
