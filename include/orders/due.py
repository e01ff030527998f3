"""When order processing is due and by when it has ended, and whether its files are right: what the watch looks for."""

from __future__ import annotations

from datetime import timedelta

from include.orders.loading import ORDERS, Right, read_right
from include.orders.messages import channels
from include.orders.salvaging import said
from include.overdue.judging import Duty
from include.overdue.telling import File
from include.overdue.ticks import Every
from include.release.loading import Sources
from include.release.policies import Channel
from include.release.problems import RejectedError
from include.release.yamlfile import parse, read_text

WHERE = "include/config/orders.yaml"
FILES = "the configuration of order processing"


def order_duties(sources: Sources) -> tuple[list[Duty], File]:
    """What runs by itself, and what is wrong with the files; without a duty when no order can be processed for that.

    Raises:
        RejectedError: the environments cannot be read, whose file says whom to tell.
    """
    places = sources.environments()
    try:
        right = read_right(sources)
    except RejectedError as error:
        place = places.find(_environment(sources))
        told: list[Channel] = []
        for each in [place] if place else places.environments:
            told += [channel for channel in each.tell if channel not in told]
        text = (
            "No batch is started and nobody looks how many wait, until this is put right; the order processor's own loop "
            f"goes on where one is live:\n{said(error.problems)}"
        )
        return [], File(FILES, text, told)
    wrong = "\n".join(each.text for each in right.wrong)
    text = f"Orders are processed all the same.\n{wrong}" if wrong else ""
    return _duties(right), File(FILES, text, channels(right.orders, right.place, "on_call"))


def _duties(right: Right) -> list[Duty]:
    schedule, tell = right.orders.schedule, channels(right.orders, right.place, "on_call")
    start = timedelta(minutes=schedule.start_within_minutes)
    return [
        Duty(
            "order_processor",
            "the batches of orders",
            Every(schedule.every_minutes),
            timedelta(minutes=schedule.finish_within_minutes),
            tell,
            WHERE,
            start,
            "read_backlog",
            told_by="tell",
        ),
        Duty(
            "order_backlog",
            "the look at the orders that wait",
            Every(schedule.look_every_minutes),
            start + timedelta(minutes=schedule.look_every_minutes),
            tell,
            WHERE,
            start,
            "look",
        ),
    ]


def _environment(sources: Sources) -> str:
    """Which environment the file names, when that can be read; else none."""
    try:
        documents, _ = parse(read_text(sources.config / ORDERS, WHERE), WHERE)
    except RejectedError:
        return ""
    value = documents[0].value if documents else None
    return str(value.get("environment") or "") if isinstance(value, dict) else ""
