"""The last word on a run: one paragraph that says what happened. The run's state is that of this task."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException
from typing_extensions import override

from plugins.operators.base import say
from plugins.operators.ending import CONCLUSION, EndOperator


class ConcludeOperator(EndOperator):
    """Says in one paragraph what became of the run, and fails unless all of it was done."""

    @override
    def execute(self, context: Context) -> dict[str, Any]:
        """Returns outcome and paragraph. Fails with the paragraph when something is left to do."""
        conclusion = self.conclude(context)
        result = {"outcome": conclusion.outcome, "text": conclusion.text, "good": conclusion.good}
        context["ti"].xcom_push(key=CONCLUSION, value=result)
        say(self, conclusion.text, error=not conclusion.good)
        if not conclusion.good:
            raise AirflowFailException(conclusion.text)
        return result
