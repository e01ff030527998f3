"""What the tasks of a guard have in common: its configuration, its cluster, and errors that are tried again."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, Context, get_parsing_context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from include.release.environments import Environment, Environments
from include.release.kube import Cluster
from include.release.loading import Sources
from include.restarts.confirming import Confirmed, Verdict, confirm
from include.restarts.guards import Guard, Guards
from include.restarts.loading import placed_guards, read_guard
from include.restarts.places import read_places
from include.restarts.press import PressNote
from include.restarts.storm import meeting_place
from plugins.hooks.cluster import ClusterHook
from plugins.operators.base import asked_by, readable_errors, say
from plugins.operators.locking import run_name

REARM = "rearm"
"""Kind of the DAG that is the way back from a press."""
VERDICT, PRESSED = "verdict", "pressed"
"""XComs: what the task that confirms found; what became of the press. The watch has both when it has pressed at once."""
PATIENCE: dict[str, Any] = {
    "retries": 6,
    "retry_delay": timedelta(seconds=2),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=1),
}
"""A guard's run that fails is followed by the next at once. So it does not give up early, not even when it is refused:
somebody may be putting a permission or a file right."""


@dataclass(frozen=True)
class Post:
    """Where a guard stands: what is configured, its cluster, and the run that acts."""

    guard: Guard
    place: Environment
    guards: Guards
    places: Environments
    cluster: Cluster
    run: str

    @property
    def namespace(self) -> str:
        """Of the guarded Deployment."""
        return self.place.namespace

    @property
    def meeting(self) -> str:
        """Namespace where the guards of this cluster note their trips."""
        return meeting_place(self.guards, self.places, self.place.connection) or self.namespace


class GuardOperator(BaseOperator):
    """A task of a guard. The configuration is read anew by every task, so a change counts at once.

    Args:
        guard: name of the guard.
    """

    ui_color = "#f4d9d6"

    def __init__(self, *, guard: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.guard = guard

    def execute(self, context: Context) -> Any:
        """Run the step; its errors are for the reader of the log."""
        with guard_errors(self):
            return self.step(post_of(self.guard, context), context)

    @abc.abstractmethod
    def step(self, post: Post, context: Context) -> Any:
        """What the task does."""


def guards_here(kind: str) -> list[tuple[Guard, Environment, Guards]]:
    """The guards whose DAGs ``<guard>_<kind>`` a DAG file has to make. Raises RejectedError.

    All of them; only the one whose task is about to run when a worker reads the file, as a hundred DAGs cost seconds.
    """
    asked = get_parsing_context().dag_id
    found = placed_guards(Sources.from_environment(), to_rearm=kind == REARM)
    return [each for each in found if asked in (None, f"{each[0].name}_{kind}")]


def post_of(name: str, context: Context, *, to_rearm: bool = False) -> Post:
    """The guard and where it stands; to re-arm it, its entry need not be right in all. Raises RejectedError."""
    sources = Sources.from_environment()
    guard, place, guards = read_guard(sources, name, to_rearm=to_rearm)
    cluster = ClusterHook(place.connection).get_conn()
    return Post(guard, place, guards, read_places(sources).environments, cluster, run_name(context))


def fresh_look(operator: BaseOperator, post: Post, context: Context, *, again: str = "") -> Confirmed:
    """Decide on what is there now; ``again`` tells this look's probe from that of an earlier one. Raises KubeError."""
    return confirm(
        post.cluster,
        post.guard,
        post.place,
        post.guards,
        post.meeting,
        post.run,
        asked_by=f"{asked_by(context)}{again}",
        say=lambda line: say(operator, line),
    )


def press_note(post: Post, verdict: Verdict, evidence: str) -> PressNote:
    """What a press of this run leaves on the Deployment; ``evidence`` is the ConfigMap that has it."""
    return PressNote(
        run=post.run,
        by=post.guard.name,
        cause=verdict.cause,
        restarts=len(verdict.restarts),
        evidence=evidence,
        reason=verdict.text,
    )


def verdict_of(context: Context, confirmed_by: str) -> Verdict | None:
    """What the task that confirms found; None when it did not get so far."""
    found = context["ti"].xcom_pull(task_ids=confirmed_by, key=VERDICT)
    return Verdict.model_validate_json(found) if found else None


@contextlib.contextmanager
def guard_errors(operator: BaseOperator) -> Iterator[None]:
    """Errors for a reader, each of them tried again."""
    try:
        with readable_errors(operator):
            yield
    except AirflowFailException as error:
        raise AirflowException(str(error)) from None
