"""A step that failed and is tried again by itself says so, and how often yet."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowException

from include.logs.running import failed
from plugins.operators import retrying
from plugins.operators.log_steps import StepOperator
from plugins.operators.log_volume import step_errors


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch):
    """Has a step fail in its given try of four; returns what its log says."""

    def fail(number: int, capsys) -> str:
        ti = SimpleNamespace(try_number=number, max_tries=3)
        monkeypatch.setattr(retrying, "get_current_context", lambda: {"ti": ti})
        task = StepOperator(
            task_id="delete", command="delete", volume="x", retries=3, max_retry_delay=timedelta(seconds=60)
        )
        error = failed("delete", "x", "Job logs-delete-x", "exit code 137", ["Deleting"], 137)
        with pytest.raises(AirflowException) as caught, step_errors(task):
            raise error
        said: str = capsys.readouterr().out
        assert str(caught.value).splitlines()[-1] in said
        return str(caught.value)

    return fail


@pytest.mark.parametrize(("number", "times"), [(1, "3 more times"), (3, "1 more time")])
def test_a_killed_step_that_is_tried_again_asks_nobody_to_do_anything(step, capsys, number, times):
    text = step(number, capsys)
    assert "Deleting logs of x failed with exit code 137" in text
    assert (
        f"This task tries again by itself, within 60 seconds and up to {times}: nothing has to be done yet.\n"
        "If its last try fails, too: put the cause right and clear this task: it goes on where it was"
    ) in text
    assert "What now" not in text


def test_the_last_try_says_what_to_do(step, capsys):
    text = step(4, capsys)
    assert "What now: put the cause right and clear this task" in text
    assert "by itself" not in text
