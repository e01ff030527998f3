"""Telling the channels of an environment, each at least once. Whatever goes wrong with one changes nothing else."""

from __future__ import annotations

from typing import Literal

from airflow.sdk import BaseOperator, Context

from include.release.environments import Environment
from include.release.policies import Channel
from include.release.telling import Message, channels_for, key_of, name_of
from plugins.hooks.records import RecordsHook
from plugins.notifiers.sending import send
from plugins.operators.base import run_name, say

Told = Literal["told", "before", "failed"]


def tell_all(
    operator: BaseOperator,
    message: Message,
    environment: Environment,
    context: Context,
    *,
    news: str = "",
    logged: bool = False,
) -> dict[Told, list[str]]:
    """Tell each channel that wants to hear of it. Returns which were told now, which before, which could not be.

    ``news`` names what is told when that is not the message of this run: told once, whichever run tells it. ``logged``:
    the task log has the message already, so that channel is told.
    """
    result: dict[Told, list[str]] = {"told": [], "before": [], "failed": []}
    for channel in channels_for(environment.tell, message.outcome):
        key = key_of(news, channel, Message("", "", "", {}, {})) if news else ""
        key = key or key_of(run_name(context), channel, message)
        found = _tell(operator, channel, message, environment, context, key, logged=logged)
        result[found].append(name_of(channel))
    return result


def _tell(
    operator: BaseOperator,
    channel: Channel,
    message: Message,
    environment: Environment,
    context: Context,
    key: str,
    *,
    logged: bool,
) -> Told:
    try:
        if _was_told(operator, environment, key):
            say(operator, f"{name_of(channel)}: was told before")
            return "before"
        if not (logged and channel.kind == "log"):
            send(channel, message, context)
    except Exception as error:  # (whatever a server or a connection is wrong with)
        reason = str(error).splitlines()[0] if str(error) else ""
        say(operator, f"{name_of(channel)}: cannot be told: {type(error).__name__}: {reason}", error=True)
        return "failed"
    say(operator, f"{name_of(channel)}: told")
    _mark_told(operator, environment, key)
    return "told"


def _was_told(operator: BaseOperator, environment: Environment, key: str) -> bool:
    try:
        return RecordsHook(environment.records).get_conn().was_told(key)
    except Exception as error:  # (better twice than never)
        operator.log.warning("Whether this was told before cannot be looked up: %s", error)
        return False


def _mark_told(operator: BaseOperator, environment: Environment, key: str) -> None:
    try:
        RecordsHook(environment.records).get_conn().mark_told(key)
    except Exception as error:
        operator.log.warning("That this was told cannot be recorded; it may be told again: %s", error)
