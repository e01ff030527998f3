"""Why a task failed, left where the end of the run finds it."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    TaskDeferralTimeout,
)
from airflow.sdk.execution_time.context import set_current_context

from include.records.database import RecordsError
from include.release.kube import KubeError
from include.release.problems import Problem, RejectedError
from plugins.operators.base import give_up, readable_errors
from plugins.operators.failure import one_sentence
from plugins.operators.rollout import RolloutCheckOperator

TASK = RolloutCheckOperator(task_id="rollout_check")
PROBLEMS = [Problem("a.yaml:3", "app", "7", "text"), Problem("a.yaml:4", "number", "x", "a number")]


def left(context: Any, error: BaseException) -> Any:
    """What is left when this error ends a task."""
    made = context()
    with set_current_context(made):
        try:
            with readable_errors(TASK):
                raise error
        except (Exception, TaskDeferralTimeout):
            return made["ti"].values.get(("", "failure"))


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (RejectedError(PROBLEMS, subject="release-1"), "refused",
         "release-1: a.yaml:3 app: found 7, expected text (and 1 more)"),
        (KubeError(503, "overloaded", "GET /x"), "trouble", "the cluster does not answer: GET /x: overloaded (503)"),
        (KubeError(403, "no", "GET /x", "Forbidden"), "trouble", "The cluster refuses: GET /x: no (403 Forbidden)"),
        (RecordsError("The records cannot be used", transient=True), "trouble", "The records cannot be used"),
        (TaskDeferralTimeout("Trigger timeout"), "trouble", "Trigger timeout"),
        (AirflowException("The document cannot be stored"), "trouble", "The document cannot be stored"),
        (ZeroDivisionError("division by zero"), "trouble", "ZeroDivisionError: division by zero"),
    ],
)  # fmt: skip
def test_each_failure_leaves_its_reason(context, error, kind, reason):
    assert left(context, error) == {"reason": reason, "kind": kind}


def test_a_step_that_gives_up_has_said_why(context):
    made = context()
    with set_current_context(made), pytest.raises(AirflowFailException), readable_errors(TASK):
        raise give_up(TASK, "The rollout failed: no image.\n\nEvents: ...")
    assert made["ti"].values["", "failure"] == {"reason": "The rollout failed: no image", "kind": "failed"}


def test_a_skipped_task_has_not_failed(context):
    assert left(context, AirflowSkipException("dry run")) is None


def test_a_task_that_goes_on_after_a_wait_leaves_its_reason_too(context):
    made = context()
    with set_current_context(made), pytest.raises(AirflowFailException):
        TASK.resume_execution("resume", {"event": {"complete": False, "text": "web: no image"}}, made)
    assert made["ti"].values["", "failure"] == {"reason": "web: no image", "kind": "failed"}


def test_a_reason_that_cannot_be_kept_hides_nothing(context):
    made = context()
    made["ti"].xcom_push = lambda key, value: (_ for _ in ()).throw(ConnectionError("the API server is down"))
    with (
        set_current_context(made),
        pytest.raises(AirflowFailException, match="no image"),
        readable_errors(TASK),
    ):
        raise give_up(TASK, "no image")


def test_one_sentence_is_short():
    assert one_sentence("\n  first:\nsecond") == "first"
    assert one_sentence("x" * 500).endswith("x…")
    assert len(one_sentence("x" * 500)) == 400
    assert one_sentence("") == "no reason given"
