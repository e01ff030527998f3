"""The first task of a clean-up: is the configuration right, may this user, and which volumes?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator, Context
from typing_extensions import override

from include.logs.approving import may_start
from include.logs.choosing import chosen, named_volumes, right_retention
from include.logs.loading import placed_volumes, read_right_volumes
from include.release.asking import REASON, wrong_request
from include.release.loading import Sources
from include.release.problems import Problem, RejectedError
from include.release.texts import table
from plugins.operators.base import by_hand, is_dry_run, readable_errors, say


class ChooseVolumesOperator(BaseOperator):
    """Returns the names of the volumes: the tasks after it run once for each."""

    ui_color = "#e8f0e4"

    @override
    def execute(self, context: Context) -> list[str]:
        """Raises AirflowFailException when the configuration or the request is not right; nothing is changed."""
        with readable_errors(self):
            params = context["params"]
            sources = Sources.from_environment()
            if by_hand(context):
                self._check_request(context)
            retention = right_retention(sources)
            volumes = chosen(named_volumes(sources), params.get("volumes") or [])
            if by_hand(context) and (refused := _may_not(volumes, context)):
                raise RejectedError(refused, subject="the request")
            rows = [
                (name, each.title, each.environment or "the worker", each.path)
                if (each := retention.find(name))
                else (name, "NOT RIGHT in the configuration: its first task says what is wrong", "", "")
                for name in volumes
            ]
            say(self, table(("volume", "what", "where", "path"), rows))
            if wrong := read_right_volumes(sources).text:
                say(self, wrong, error=True)
            if is_dry_run(context):
                say(self, "Dry run: measured and planned, and nothing changed")
            return volumes

    def _check_request(self, context: Context) -> None:
        dag_run: Any = context["dag_run"]
        reason = str(context["params"].get(REASON) or "")
        problems = wrong_request(dag_run.conf or {}, reason, list(context["dag"].params))
        if problems:
            raise RejectedError(problems, subject="the params")


def _may_not(volumes: Sequence[str], context: Context) -> list[Problem]:
    """Why whoever triggered this run may not touch some of these volumes. One that is not right is not touched anyway."""
    user = getattr(context["dag_run"], "triggering_user_name", None)
    placed, _ = placed_volumes(Sources.from_environment())
    found = (may_start(each, user) for each in placed if each.name in volumes)
    return list(dict.fromkeys(problem for problem in found if problem))  # one for an environment
