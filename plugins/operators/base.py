"""What the tasks of a release have in common: the frozen release, the cluster, and errors for a reader."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Iterator
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from include.records.database import RecordsError
from include.release.frozen import Frozen
from include.release.kube import Cluster, KubeError
from include.release.problems import RejectedError
from plugins.hooks.cluster import ClusterHook
from plugins.operators.approved import require_approval
from plugins.operators.failure import Kind, rejection, remember
from plugins.operators.locking import begin_change, holder_of, lock_of, word
from plugins.operators.locking import requested_at as requested_at
from plugins.operators.locking import run_name as run_name


class FrozenOperator(BaseOperator):
    """A task that reads the frozen release.

    Args:
        frozen_by: id of the task that froze it. It hands on the whole release, so nothing is read a second time;
            it is no template field, so that the graph shows the order of the steps only.
    """

    ui_color = "#e8f0e4"

    def __init__(self, *, frozen_by: str = "freeze_and_check", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.frozen_by = frozen_by

    def frozen_text(self, context: Context) -> str | None:
        """What the first task of this run handed on; None when it failed."""
        text: str | None = context["ti"].xcom_pull(task_ids=self.frozen_by)
        return text


class ReleaseOperator(FrozenOperator):
    """A task that acts on the frozen release: it has one step.

    Args:
        approved_by: id of the task whose approval this one needs before it changes something; None where none is
            needed, as in the automatic rollback of an approved release. By default as the class says.
        reached: the state in which the run's changes have led when this task succeeds: ``released``, ``rolled back``.
            Given to the last task that looks; a run that ends without it is one that the next run asks about.
    """

    changes_cluster = False
    """A task that changes the cluster holds the lock, and notes there that it begins."""

    needs_approval = False
    """A task that needs one brings the change that people approve; an environment may want none."""

    def __init__(
        self,
        *,
        approved_by: str | None = "approve",
        reached: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.reached = reached
        self.approved_by = approved_by if self.needs_approval else None

    def execute(self, context: Context) -> Any:
        """Run the step; its errors are for the reader of the log."""
        text = self.frozen_text(context)
        if not text:
            raise give_up(self, f"{self.frozen_by} handed nothing on; clear it first")
        try:
            release = Frozen.from_json(text)
        except ValueError as error:
            raise give_up(
                self,
                f"What {self.frozen_by} handed on was changed: {error}. Trigger a new run.",
                kind="refused",
            ) from None
        dry_run = is_dry_run(context)
        with readable_errors(self):
            cluster = ClusterHook(release.environment.connection).get_conn()
            if self.approved_by and not dry_run:
                require_approval(self, release, cluster, context, self.approved_by)
            if self.changes_cluster and not dry_run:
                # Going back, which needs no approval of its own, may begin at any time.
                back = self.needs_approval and self.approved_by is None
                begin_change(release, cluster, context, self.task_id, any_time=back)
            result = self.step(release, cluster, context, dry_run=dry_run)
            if not dry_run:
                self._reached(release, cluster, context)
            return result

    @abc.abstractmethod
    def step(self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool) -> Any:
        """What the task does."""

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a wait; errors are treated as those of ``execute``."""
        with readable_errors(self):
            result = super().resume_execution(next_method, next_kwargs, context)
            if self.reached and not is_dry_run(context):
                release = Frozen.from_json(self.frozen_text(context) or "")
                self._reached(release, ClusterHook(release.environment.connection).get_conn(), context)
            return result

    def _reached(self, release: Frozen, cluster: Cluster, context: Context) -> None:
        if not self.reached:
            return
        lock = lock_of(release, cluster)
        if not lock.reach(holder_of(release, context), self.reached):
            state = lock.read()
            raise give_up(
                self,
                f"Another run has had the lock of {release.release.app} since: {state.holder or state.journal.run}. What "
                "this run has seen may not be what is there now, so it does not count as an end of it.\n"
                "What now: that run says what became of its changes; `make releases` says what runs.",
                kind="trouble",
            )


def is_dry_run(context: Context) -> bool:
    """Whether the run may change nothing."""
    return bool(context["params"]["dry_run"])


def by_hand(context: Context) -> bool:
    """Whether a person asked for this run; else its schedule did."""
    dag_run: Any = context["dag_run"]
    return word(getattr(dag_run, "run_type", "manual")) != "scheduled"


def asked_by(context: Context) -> str:
    """The run, and how often somebody cleared it: the same for every retry of a task."""
    dag_run: Any = context["dag_run"]
    return f"{dag_run.dag_id}/{dag_run.run_id}/{getattr(dag_run, 'clear_number', 0) or 0}"


def say(operator: BaseOperator, text: str, *, error: bool = False) -> None:
    """Write a text to the task log line by line, as it should be read."""
    write = operator.log.error if error else operator.log.info
    for line in text.splitlines() or [""]:
        write("%s", line)


def give_up(
    operator: BaseOperator, text: str, *, reason: str = "", kind: Kind = "failed"
) -> AirflowFailException:
    """The error that ends a task without a retry; its whole text is in the log above it.

    Args:
        operator: the task.
        text: for the log.
        reason: the same in one sentence, for the end of the run; by default the first line of the text.
        kind: what sort of failure it is.
    """
    say(operator, text, error=True)
    remember(reason or text, kind)
    return AirflowFailException(text)


@contextlib.contextmanager
def readable_errors(operator: BaseOperator) -> Iterator[None]:
    """Turn what is known to go wrong into an error that says what to do, with a retry only where one can help."""
    try:
        yield
    except RejectedError as error:
        raise give_up(operator, str(error), reason=rejection(error), kind="refused") from None
    except KubeError as error:
        if error.transient:
            remember(f"the cluster does not answer: {error}", "trouble")
            say(operator, f"The cluster does not answer for now: {error}", error=True)
            raise AirflowException(f"The cluster does not answer for now: {error}") from None
        raise give_up(operator, f"The cluster refuses: {error}", kind="trouble") from None
    except RecordsError as error:
        if error.transient:
            remember(str(error), "trouble")
            say(operator, str(error), error=True)
            raise AirflowException(str(error)) from None
        raise give_up(operator, str(error), kind="trouble") from None
    except (AirflowFailException, AirflowSkipException):
        raise  # said already
    except Exception as error:
        known = isinstance(error, AirflowException)
        remember(str(error) if known else f"{type(error).__name__}: {error}", "trouble")
        raise
