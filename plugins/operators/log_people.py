"""Who answers for a clean-up, and who is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator, Context

from include.logs.choosing import right_retention
from include.logs.retention import LogRetention
from include.release.approval import Approvers
from include.release.asking import REASON
from include.release.environments import ANYONE, Environment
from include.release.loading import Sources
from include.release.telling import WAITS, Message
from include.release.texts import plural
from plugins.notifiers.telling import Told, tell_all
from plugins.operators.asking import question_url
from plugins.operators.base import by_hand, run_name, say
from plugins.operators.locking import run_url

MINUTES = 60
"""To answer in, where no environment says it."""


def request_details(context: Context) -> dict[str, str]:
    """Who asked for this run, why, and its name: for a message or a question."""
    user = getattr(context["dag_run"], "triggering_user_name", None) or "nobody"
    return {
        "Asked for by": user if by_hand(context) else "the schedule",
        "Reason": str(context["params"].get(REASON) or ""),
        "Run": run_name(context),
    }


def places_of(volumes: Sequence[str]) -> list[Environment]:
    """The environments of these volumes, each once. Raises RejectedError."""
    sources = Sources.from_environment()
    retention, environments = right_retention(sources), sources.environments()
    named = (retention.find(name) for name in volumes)
    found = dict.fromkeys(each.environment for each in named if each and each.environment)
    return [place for name in found if (place := environments.find(name)) is not None]


def who_may(volumes: Sequence[str], *, triggered_by: str | None = None) -> Approvers:
    """Who may answer for all of these volumes: whoever may approve in each of their environments.

    Directories of the worker belong to no environment: whoever Airflow lets answer may, or who their own list names.
    Raises RejectedError.
    """
    places, retention = places_of(volumes), right_retention(Sources.from_environment())
    excluded = triggered_by or "" if any(each.approval.not_by_who_triggered for each in places) else ""
    own = (each.may_approve for name in volumes if (each := retention.find(name)) and each.may_approve)
    limited = [names for names in (*(each.may_approve for each in places), *own) if ANYONE not in names]
    if not limited:
        return Approvers((), anyone=True, excluded=excluded)
    names = [name for name in limited[0] if all(name in each for each in limited) and name != excluded]
    return Approvers(tuple(dict.fromkeys(names)), anyone=False, excluded=excluded)


def answer_minutes(volumes: Sequence[str]) -> int:
    """Minutes to answer in: the shortest of their environments. Raises RejectedError."""
    return min((each.approval.answer_within_minutes for each in places_of(volumes)), default=MINUTES)


def tell_waiting(
    operator: BaseOperator,
    retention: LogRetention,
    subject: str,
    body: str,
    who: Approvers,
    minutes: int,
    context: Context,
) -> None:
    """Tell the list that a question waits. A channel that cannot be told is in the log; it is asked all the same."""
    paragraph = (
        f"{who.text} may answer, within {plural(minutes, 'minute')}; without an answer nothing is changed."
    )
    task_id = operator.task_id
    links = {"Question in Airflow": question_url(context, task_id)}
    message = Message(WAITS, subject.rstrip("?"), f"{paragraph}\n\n{body}", request_details(context), links)
    if failed := tell_list(operator, retention, message, context, logged=True)["failed"]:
        say(operator, f"NOT TOLD: {'; '.join(failed)}", error=True)


def tell_list(
    operator: BaseOperator,
    retention: LogRetention,
    message: Message,
    context: Context,
    *,
    news: str = "",
    logged: bool = False,
) -> dict[Told, list[str]]:
    """Tell the list of ``log_retention.yaml``; arguments and answer are those of ``tell_all``."""
    first = Sources.from_environment().environments().environments[0]
    listed = first.model_copy(update={"tell": list(retention.tell)})
    return tell_all(operator, message, listed, context, news=news, logged=logged)


def links_of(context: Context) -> dict[str, str]:
    """The run's page in Airflow."""
    dag_run: Any = context["dag_run"]
    return {"Run in Airflow": run_url(dag_run.dag_id, dag_run.run_id)}
