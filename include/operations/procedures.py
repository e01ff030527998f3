"""The scheduled procedures as Airflow tells of them: on time or not, their last run, what is at work, when next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from include.overdue.duties import Duties
from include.overdue.judging import Run, Seen, judge
from include.overdue.telling import Memory

OVERDUE = "overdue"
"""The DAG that tells people of what is overdue."""
LATE = timedelta(minutes=30)
"""It looks every 10 minutes: after so long nobody is told."""


@dataclass(frozen=True)
class RunFact:
    """A run, as Airflow tells of it."""

    dag_id: str
    run_id: str
    state: str
    started: datetime | None = None
    ended: datetime | None = None
    by: str = ""
    dry_run: bool = False

    @property
    def name(self) -> str:
        """``dag_id/run_id``."""
        return f"{self.dag_id}/{self.run_id}"


@dataclass(frozen=True)
class DagFact:
    """A DAG, as Airflow tells of it.

    Attributes:
        known: Airflow has it.
        paused: nothing starts it.
        next_at: when it is due next.
        last: its newest run.
        active: its runs that have not ended.
        seen: what it is judged by.
        told: the newest run by schedule that failed and has told people why.
    """

    known: bool = False
    paused: bool = False
    next_at: datetime | None = None
    last: RunFact | None = None
    active: Sequence[RunFact] = ()
    seen: Seen = field(default_factory=lambda: Seen(known=False))
    told: Run | None = None


@dataclass(frozen=True)
class Holder:
    """A run that has a volume for itself, and what it does there."""

    run: RunFact
    doing: str


@dataclass(frozen=True)
class Question:
    """A task that waits for somebody's answer.

    Attributes:
        run: whose task it is.
        task_id: the task, and
        map_index: which of its copies; below 0 where there is one only.
        subject: what is asked.
        since: when it was asked.
    """

    run: RunFact
    task_id: str
    map_index: int
    subject: str
    since: datetime | None

    @property
    def place(self) -> str:
        """Where it is answered, below the run's page in Airflow."""
        mapped = f"/mapped/{self.map_index}" if self.map_index >= 0 else ""
        return f"tasks/{self.task_id}{mapped}/required_actions"


@dataclass(frozen=True)
class Facts:
    """What Airflow knows, from a few queries.

    Attributes:
        dags: by id.
        holders: who has a volume, by its name.
        questions: what waits for somebody's answer, the oldest first.
        memory: what the last look of ``overdue`` left.
        looked: when that was.
    """

    dags: Mapping[str, DagFact] = field(default_factory=dict)
    holders: Mapping[str, Holder] = field(default_factory=dict)
    questions: Sequence[Question] = ()
    memory: Memory = field(default_factory=Memory)
    looked: datetime | None = None

    def dag(self, dag_id: str) -> DagFact:
        """One of them."""
        return self.dags.get(dag_id, DagFact())


@dataclass(frozen=True)
class Procedure:
    """A scheduled procedure and how it does. ``state``: as ``overdue`` judges it."""

    dag_id: str
    title: str
    words: str
    state: str
    text: str
    dag: DagFact

    @property
    def fine(self) -> bool:
        """Whether nobody has to look after it."""
        return self.state == "on time"

    @property
    def next_at(self) -> datetime | None:
        """When it runs next; None when nothing starts it."""
        return None if self.dag.paused else self.dag.next_at


def procedures(expected: Duties, facts: Facts, now: datetime) -> list[Procedure]:
    """Every scheduled procedure, judged as ``overdue`` does, at this moment."""
    found = []
    for duty in expected.duties:
        dag, since = facts.dag(duty.dag_id), facts.memory.since(duty.dag_id, now)
        judged = judge(duty, dag.seen, now, since=since)
        if not judged.fine and dag.told is not None:
            judged = judge(duty, dag.seen.counting(dag.told), now, since=since)
        found.append(Procedure(duty.dag_id, duty.title, duty.ticks.words, judged.state, judged.text, dag))
    return found


def watch_problem(facts: Facts, now: datetime) -> str:
    """Why nobody would be told of what is overdue; empty when somebody would."""
    watch = facts.dag(OVERDUE)
    if watch.paused:
        return f"The DAG {OVERDUE} is paused: nobody is told of a procedure that does not run. Unpause it."
    if facts.looked is None:
        return f"The DAG {OVERDUE} has not looked yet: nobody is told of a procedure that does not run. It looks every 10 minutes."
    if now - facts.looked > LATE:
        return (
            f"The DAG {OVERDUE} has not looked since {facts.looked:%Y-%m-%d %H:%M} UTC: nobody is told of a procedure that "
            "does not run. Does the scheduler run?"
        )
    return ""
