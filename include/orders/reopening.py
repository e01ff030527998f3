"""Orders that were set aside are opened again, once their cause is gone: by the live processor's own program, as a Job."""

from __future__ import annotations

import re
from collections.abc import Sequence

from include.jobs.load import Load
from include.jobs.naming import KEEP_SECONDS, LABEL_CONTENT, job_name, short_digest
from include.orders.config import Orders
from include.orders.job import Json, Processor, container_of, pod_of, program
from include.release.frozen import LABEL_APP, MANAGED_BY, NOTE_RUN
from include.release.problems import Problem

REOPEN = "reopen"
"""Name of the param."""
MOST = 500
"""Orders of one request: they are on one command line."""
SECONDS = 300
"""More than the program waits for its database, and for its pod to start."""
_SEPARATOR = re.compile(r"[\s,;]+")
MOST_SAID = 20
"""Orders that the on-call log names; the task log has them all."""
_ANSWER = re.compile(r"order processor: (.*\border \d+\b.*)")
_NOT_THERE = re.compile(r"there is no order (\d+)")


def numbers_of(text: str | None) -> tuple[int, ...]:
    """The orders that somebody asks for, each once. Text that is no number is left to ``wrong_numbers``."""
    found = (int(word) for word in _words(text) if _is_number(word))
    return tuple(dict.fromkeys(found))


def wrong_numbers(text: str | None) -> list[Problem]:
    """What is wrong with the text that names them."""
    where, fix = f"param {REOPEN}", "correct it, or leave it empty"
    if wrong := [word for word in _words(text) if not _is_number(word)]:
        expected = "numbers of orders, such as 4, 17"
        return [Problem(where, "", ", ".join(repr(word[:40]) for word in wrong[:5]), expected, fix)]
    if (count := len(numbers_of(text))) > MOST:
        return [
            Problem(where, "", f"{count:,} orders", f"{MOST} at most", "ask for the others in another run")
        ]
    return []


def reopen_load(
    processor: Processor, orders: Orders, namespace: str, numbers: Sequence[int], asked_by: str
) -> Load:
    """The Job that opens them. A second one finds them open, or processed, and changes nothing.

    Args:
        processor: what is live.
        orders: the configuration.
        namespace: where.
        numbers: which orders.
        asked_by: DAG run and how often it was cleared: a retry finds the Job of the try before it.
    """
    container = container_of(processor)
    words = program(container.get("command") or [], container.pop("args", None) or [])
    container["command"] = [*words, "--reopen", *map(str, numbers)]
    pod = pod_of(processor, container)
    content = short_digest(pod)
    labels = {**MANAGED_BY, LABEL_APP: orders.app, LABEL_CONTENT: content}
    manifest: Json = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name("order-reopen", content, asked_by),
            "namespace": namespace,
            "labels": labels,
            "annotations": {NOTE_RUN: asked_by},
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": SECONDS,
            "ttlSecondsAfterFinished": KEEP_SECONDS,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    return Load(
        manifest,
        label="reopen",
        title="opens orders again that were set aside",
        subject="Opening orders again",
        what_now="look at Job {job}, put the cause right and clear this task: an order is opened once",
    )


def not_there(lines: Sequence[str]) -> list[int]:
    """Numbers that no order has, by the program's log."""
    return [int(found[1]) for line in lines if (found := _NOT_THERE.search(line))]


def answers_text(lines: Sequence[str]) -> str:
    """What became of each order, by the program's log."""
    found = [answer[1].strip() for line in lines if (answer := _ANSWER.search(line))]
    more = len(found) - MOST_SAID
    return "; ".join(found[:MOST_SAID]) + (f"; and {more} more" if more > 0 else "")


def _words(text: str | None) -> list[str]:
    return [word for word in _SEPARATOR.split(text or "") if word]


def _is_number(word: str) -> bool:
    return len(word) < 20 and word.isascii() and word.isdigit() and 0 < int(word) < 2**63
