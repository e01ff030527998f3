"""How a Job ended, as a trigger hands it on, and what on-call reads of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from include.jobs.load import Load
from include.release.texts import indented, last_lines

Phase = Literal["complete", "failed", "gone", "stuck", "late", "lost"]
TAIL = 20
"""Lines of the log's end that are handed on."""
TAIL_CHARACTERS = 96 * 1024
"""... and how much of them: an event is a row of Airflow's database."""


class JobError(Exception):
    """A Job did not end well, or did not start; the text is for on-call.

    ``exit_code`` is its program's, if that ended; ``lines`` the last ones of its log; ``phase`` as of ``Ended``.
    """

    def __init__(
        self, text: str, exit_code: int | None = None, lines: Sequence[str] = (), *, phase: Phase = "failed"
    ) -> None:
        super().__init__(text)
        self.exit_code, self.lines, self.phase = exit_code, tuple(lines), phase


@dataclass(frozen=True)
class Ended:
    """What a wait for a Job's end found.

    Attributes:
        job: its name.
        phase: complete, failed; gone (somebody deleted it), stuck (its pod does not start), late (neither began
            nor ended in its time), lost (the cluster did not answer for too long).
        reason: what the Job's status, or what holds it up, says.
        ended: how its container ended: ``exit code 3``.
        exit_code: the same as a number.
        lines: the last lines of its log.
        seconds: how long the wait was.
    """

    job: str
    phase: Phase
    reason: str = ""
    ended: str = ""
    exit_code: int | None = None
    lines: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_event(self) -> dict[str, Any]:
        """For a trigger's event; ``Ended(**event)`` reads it."""
        return {**asdict(self), "lines": bounded(self.lines)}


def bounded(lines: Sequence[str]) -> list[str]:
    """The last lines, as many as an event holds."""
    kept: list[str] = []
    room = TAIL_CHARACTERS
    for line in reversed(lines[-TAIL:]):
        room -= len(line)
        if room < 0:
            break
        kept.insert(0, line)
    return kept


def failure(load: Load, name: str, ended: str, reason: str, lines: Sequence[str]) -> str:
    """What on-call reads of a Job that failed. ``ended`` is its container's end, ``reason`` the Job's."""
    head = f"{load.subject} failed" + (f" with {ended}" if ended else "") + (f" ({reason})" if reason else "")
    parts = [head]
    if text := "\n".join(lines).strip():
        parts.append("Last lines of its log:\n" + indented(last_lines(text)))
    parts.append(f"What now: {load.what_now.replace('{job}', name)}")
    return "\n".join(parts)


def cannot_start(load: Load, trouble: str, name: str, *, gone: bool) -> str:
    """What on-call reads of a Job that was removed since it does not start."""
    rest = "" if gone else " Its pod has not ended yet: look at its node before you go on."
    return (
        f"{load.subject} cannot start: {trouble}\nIts Job {name} was removed, so that it does not "
        f"start later when nobody watches.{rest} What now: {load.cannot_start}."
    )


def deleted(load: Load, name: str) -> str:
    """What on-call reads of a Job that is not there any more."""
    return f"{load.subject}: Job {name} is gone, somebody deleted it. {load.gone}"
