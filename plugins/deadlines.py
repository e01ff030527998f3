"""A run that began and does not end in time: Airflow's own deadline, told to the channels of the procedure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert
from asgiref.sync import sync_to_async

from include.release.policies import Channel
from include.release.telling import Message, channels_for, name_of
from plugins.notifiers.sending import send
from plugins.operators.locking import FINISHED, run_url
from plugins.run_made import RunMade

OUTCOME = "failed"
"""Channels that want to hear of failures hear of a run that is late."""


def must_end_within(span: timedelta, *, title: str, tell: Sequence[Channel], what_now: str) -> DeadlineAlert:
    """A deadline for every run of a DAG, counted from when it was made.

    The triggerer tells; a run that waits for somebody's answer is late as well. What is never made has no deadline:
    DAG ``overdue`` looks for that.

    Args:
        span: how long a run may take.
        title: what the procedure does, in a few words.
        tell: the channels; no addresses of webhooks are among them, these are in connections.
        what_now: what on-call does, a sentence.
    """
    channels = [each.model_dump(mode="json") for each in channels_for(tell, OUTCOME)]
    minutes = round(span.total_seconds() / 60)
    kwargs = {"title": title, "tell": channels, "what_now": what_now, "minutes": minutes}
    callback = AsyncCallback(tell_late, kwargs=kwargs)
    return DeadlineAlert(reference=RunMade(), interval=span, callback=callback)


async def tell_late(
    title: str, tell: Sequence[Mapping[str, Any]], what_now: str, minutes: int, context: Mapping[str, Any]
) -> str:
    """Tell each channel that a run is late. Returns which were told; raises when none could be.

    A run that has ended by then is not late: Airflow 3.3.2 takes the deadline away from one that ended well, and calls for one
    that failed in time.

    The answer is one text: Airflow 3.3.2 keeps it in a column of its database, and its triggerer ends, again and again,
    when it is anything else.
    """
    dag_run = context["dag_run"]
    if dag_run.get("state") in FINISHED:
        return f"not told: {dag_run['dag_run_id']} has ended, state {dag_run['state']}"
    message = late_message(title, what_now, minutes, dag_run)
    told, failed = [], []
    for each in tell:
        channel = Channel.model_validate(each)
        try:
            await sync_to_async(send)(channel, message, {})
            told.append(name_of(channel))
        except Exception as error:  # (whatever a server or a connection is wrong with)
            failed.append(f"{name_of(channel)}: {type(error).__name__}")
    if failed and not told:
        raise RuntimeError(f"NOT TOLD: {'; '.join(failed)}")
    return f"told: {', '.join(told) or 'nobody'}"


def late_message(title: str, what_now: str, minutes: int, dag_run: Mapping[str, Any]) -> Message:
    """What is told of a late run; ``dag_run`` is as Airflow's API shows it."""
    dag_id, run_id = str(dag_run["dag_id"]), str(dag_run["dag_run_id"])
    begun = str(dag_run.get("start_date") or dag_run.get("queued_at") or "")
    since = f" since {datetime.fromisoformat(begun):%a %d %b %H:%M %Z}" if begun else ""
    text = (
        f"{dag_id} ({title}): run {run_id} should have ended within {minutes} minutes and is "
        f"{dag_run.get('state', 'not over')}{since}. What now: {what_now}"
    )
    return Message("alert", f"{dag_id} is late", text, {}, {"Run in Airflow": run_url(dag_id, run_id)})
