"""One batch of a run: what it was to do, how it ended, and what that means. Kept on its Job, so that a retry finds it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from include.orders.deciding import Decision
from include.orders.facts import BatchEnd, Fact, Judgement
from include.orders.job import NOTE_LIMIT, NOTE_NUMBER
from include.release.frozen import FIELD_MANAGER, NOTE_RELEASE, NOTE_RUN
from include.release.texts import noted_time

NOTE_ENDED = f"{FIELD_MANAGER}/ended"
"""Annotation of a batch's Job: how it ended and what its log means, written with what stops it or right after its end."""

MOST_BYTES = 100_000
"""Of a note with the lines around the first error of every code; then only those of the code that decided are kept."""

Json = dict[str, Any]
How = Literal["", "held", "waited"]


class Ended(Fact):
    """How a batch ended, and what its log means."""

    end: BatchEnd
    judgement: Judgement
    how: How = Field(
        default="", title="held: it gave way to a release; waited: it could not start because of one"
    )

    def note(self) -> str:
        """As it is kept on the Job, whose annotations have room for 256 KiB in all."""
        text = self.model_dump_json()
        if len(text.encode()) <= MOST_BYTES:
            return text
        decided = self.judgement.code
        errors = tuple(
            each if each.code == decided else each.model_copy(update={"before": (), "after": ()})
            for each in self.judgement.errors
        )
        return self.model_copy(
            update={"judgement": self.judgement.model_copy(update={"errors": errors})}
        ).model_dump_json()


class Ran(Fact):
    """One batch of a run."""

    number: int
    job: str = ""
    build: str = ""
    release: str = ""
    limit: int = 0
    started: AwareDatetime
    ended: Ended
    decision: Decision

    @property
    def counts(self) -> bool:
        """Whether it was a batch of its own, and not one that gave way to a release."""
        return not self.ended.how

    def row(self) -> tuple[str, ...]:
        """For the table of a run's batches."""
        end, judgement = self.ended.end, self.ended.judgement
        word = {"held": "gave way", "waited": "did not start"}.get(self.ended.how, end.end)
        errors = ", ".join(f"#{each.code} {each.times} times" for each in judgement.errors)
        return (
            str(self.number),
            self.job or "-",
            str(self.limit or "-"),
            word,
            f"{end.seconds:.0f}",
            str(judgement.processed),
            errors or "-",
        )


HEADER = ("batch", "Job", "at most", "end", "seconds", "processed", "errors")


def noted_batches(jobs: Iterable[Json], asked_by: str) -> tuple[Ran, ...]:
    """The batches of a run by what their Jobs note, where the task that ran them could not hand them on.

    Args:
        jobs: of batches.
        asked_by: the run, as their note says.
    """
    mine = sorted((each for each in jobs if notes_of(each).get(NOTE_RUN) == asked_by), key=number_of)
    text = "What comes after it was not decided."
    return tuple(
        ran_of(
            job,
            number_of(job),
            ended,
            Decision(next="done", text=f"{ended.judgement.text} {text}", good=False),
        )
        for job in mine
        if (ended := ended_of(job)) is not None
    )


def ran_of(job: Json, number: int, ended: Ended, decision: Decision) -> Ran:
    """The batch that a Job ran."""
    return Ran(
        number=number,
        job=str(job["metadata"]["name"]),
        build=build_of(job),
        release=release_of(job),
        limit=limit_of(job),
        started=started_at(job),
        ended=ended,
        decision=decision,
    )


def number_of(job: Json) -> int:
    """Which batch of its run a Job is; 0 when it does not say so."""
    text = str(notes_of(job).get(NOTE_NUMBER, ""))
    return int(text) if text.isdecimal() else 0


def limit_of(job: Json) -> int:
    """At most how many orders a Job processes; 0: without a limit."""
    text = str(notes_of(job).get(NOTE_LIMIT, ""))
    return int(text) if text.isdecimal() else 0


def release_of(job: Json) -> str:
    """The release whose build a Job runs; empty when no release brought it."""
    return str(notes_of(job).get(NOTE_RELEASE, ""))


def build_of(job: Json) -> str:
    """The image that a Job runs."""
    return str(job["spec"]["template"]["spec"]["containers"][0]["image"])


def started_at(job: Json) -> datetime:
    """When a Job was begun; a suspended one has forgotten that, so it is when it was made."""
    begun = str((job.get("status") or {}).get("startTime") or job["metadata"].get("creationTimestamp") or "")
    return noted_time(begun) or datetime.now(UTC)


def ended_of(job: Json) -> Ended | None:
    """What is noted of its end; None when nothing is, or what nobody can read."""
    text = notes_of(job).get(NOTE_ENDED, "")
    try:
        return Ended.model_validate_json(text) if text else None
    except ValueError:
        return None


def notes_of(job: Json) -> dict[str, str]:
    """A Job's annotations."""
    return job["metadata"].get("annotations") or {}
