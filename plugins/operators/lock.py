"""The lock of an app in its environment, as the first and the last task around every change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context
from typing_extensions import override

from include.records.models import Change, Kind
from include.records.store import Records
from include.release.asking import BREAK_LOCK, REASON, wrong_exception
from include.release.frozen import Frozen
from include.release.interrupted import choices, look, still_running
from include.release.kube import Cluster
from include.release.lease import Journal
from include.release.lock import Given, LeftHalfWayError, Taken, described
from include.release.problems import RejectedError
from include.release.texts import moment
from plugins.hooks.records import RecordsHook
from plugins.operators.base import ReleaseOperator, give_up, say
from plugins.operators.locking import ask_airflow, goes_on, half_way, holder_of, lock_of, run_name


class LockOperator(ReleaseOperator):
    """Takes the lock, or fails at once with who holds it. Taking it again for the same run changes nothing.

    Args:
        kind: what this DAG does; goes on record.
    """

    def __init__(self, *, kind: Kind = "release", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind: Kind = kind

    @override
    def step(self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool) -> dict[str, Any]:
        """Returns how the lock was got, and the interrupted runs that this one goes on from."""
        lock, ask = lock_of(frozen, cluster), ask_airflow(context)
        if dry_run:
            self._tell(frozen, cluster, context)
            return {"how": "not taken: dry run", "left": []}
        reason = context["params"].get(BREAK_LOCK) or ""
        holder = holder_of(frozen, context)
        if refused := wrong_exception(frozen.environment, holder.user, BREAK_LOCK, reason):
            raise RejectedError([refused], subject=f"the params of {frozen.title}")
        records = RecordsHook(frozen.environment.records).get_conn()
        go_on = goes_on(context)
        try:
            if go_on:
                self._refuse_beside_a_migration(frozen, cluster, context, breaks=bool(reason))
            taken = lock.take(holder, ask, go_on=go_on, break_reason=reason)
        except LeftHalfWayError as error:
            raise half_way(frozen, cluster, error.left) from None
        say(self, self._got(frozen, cluster, taken))
        self._record(frozen, context, records)
        return {"how": taken.how, "left": [each.run for each in taken.left]}

    def _refuse_beside_a_migration(
        self, frozen: Frozen, cluster: Cluster, context: Context, *, breaks: bool
    ) -> None:
        """Refuse to go on while a migration of an interrupted run works on."""
        state, run = lock_of(frozen, cluster).read(), run_name(context)
        interrupted = [each for each in (*state.left, state.journal) if each.unfinished and each.run != run]
        if not interrupted or state.journal.run == run:
            return
        if state.holder and not breaks and ask_airflow(context)(state.holding).holds:
            return  # that is the better reason to refuse
        if look(cluster, frozen, interrupted).running:
            raise half_way(frozen, cluster, interrupted)

    def _got(self, frozen: Frozen, cluster: Cluster, taken: Taken) -> str:
        lock = lock_of(frozen, cluster)
        lines = [
            f"Lock {lock.name} in namespace {lock.namespace}: {taken.how}. It is held until this run has ended."
        ]
        if taken.how == "taken over":
            lines.append(
                f"It was still held by {described(taken.before.holding)}, which has ended without giving it back."
            )
        if taken.how == "broken":
            lines.append(f"NOTICE: {taken.after.broken}")
            lines.append(
                "  Its tasks that run now are not stopped by this; its next task that changes something is."
            )
        lines += [f"NOTICE: {notice}" for notice in taken.notices]
        if taken.left:
            lines += ["NOTICE: going on from an interrupted run.", look(cluster, frozen, taken.left).text]
        return "\n".join(lines)

    def _tell(self, frozen: Frozen, cluster: Cluster, context: Context) -> None:
        """Who holds the lock, for a dry run, which takes none."""
        lock = lock_of(frozen, cluster)
        state = lock.read()
        if state.holder and state.holder != run_name(context):
            by = described(state.holding, ask_airflow(context)(state.holding).state)
            say(
                self,
                f"Dry run: the lock {lock.name} is held by {by} since {moment(state.acquired)}. "
                "A release in earnest would be refused while that run has not ended.",
            )
        else:
            say(self, f"Dry run: the lock {lock.name} is free; it is not taken")
        runs = [each for each in (*state.left, state.journal) if each.unfinished]
        if runs and not state.holder:
            text = look(cluster, frozen, runs).text
            say(self, f"NOTICE: a run before was interrupted.\n{text}\n{choices(frozen, runs)}")

    def _record(self, frozen: Frozen, context: Context, records: Records) -> None:
        """Save that the change begins, and that older ones which never said how they ended were interrupted."""
        now, mine = datetime.now(UTC), run_name(context)
        for each in records.changes(frozen.release.app, frozen.environment.name, limit=50):
            if each.outcome != "running" or each.run == mine:
                continue
            fate = ask_airflow(context)(Journal(run=each.run, url=str(each.details.get("url", ""))))
            if fate.holds:
                continue
            summary = (
                f"Interrupted: the run is {fate.state} and has not said how it ended. Noticed by {mine}."
            )
            records.save_change(
                each.model_copy(update={"outcome": "interrupted", "ended": now, "summary": summary})
            )
            say(
                self,
                f"Run {each.run} never said how it ended ({fate.state}); its record says 'interrupted' now",
            )
        dag_run: Any = context["dag_run"]
        records.save_change(
            Change(
                run=mine,
                kind=self.kind,
                app=frozen.release.app,
                environment=frozen.environment.name,
                release=frozen.release.name,
                number=frozen.release.number,
                spec_digest=frozen.digest,
                images=frozen.images,
                user=getattr(dag_run, "triggering_user_name", None) or "",
                reason=context["params"][REASON],
                started=getattr(dag_run, "start_date", None) or now,
                outcome="running",
                details={"url": holder_of(frozen, context).url},
            )
        )


class UnlockOperator(ReleaseOperator):
    """Gives the lock back, whatever became of the run; what it began stays in the lock's journal.

    Fails when changes were begun and no step has seen where they led, and when somebody marked the run failed or success
    before it had concluded: it would end green otherwise, since Airflow skips the tasks that decide it.

    Args:
        concluded_by: id of the task that concludes the run.
    """

    def __init__(self, *, concluded_by: str = "conclude", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.concluded_by = concluded_by

    @override
    def step(self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool) -> str:
        """Returns in a word what state was left."""
        if dry_run:
            say(self, "Dry run: no lock was taken")
            return "dry run"
        lock, holder = lock_of(frozen, cluster), holder_of(frozen, context)
        given = lock.release(holder)
        if not given.last:
            say(self, self._lost(given))
            return "lost"
        journal = given.state.journal
        if given.clean:
            word = journal.reached or "unchanged"
            said = f"Lock {lock.name} given back; state: {word}"
            if journal.reached and not self._changed_now(context):
                said += ", which it was before this run was cleared: nothing was changed this time"
            if self._was_marked(context):
                text = (
                    f"{said}. Somebody ended this run by hand before it had concluded; nothing is left to do."
                )
                raise give_up(self, text, reason="somebody ended the run by hand")
            say(self, said)
            return word
        runs = [each for each in (*given.state.left, journal) if each.unfinished]
        left = look(cluster, frozen, runs)
        text = "\n".join(part for part in (left.text, still_running(left), choices(frozen, runs)) if part)
        begun, reason = "what was begun", f"`{runs[-1].stage}` was begun, and no step has seen where that led"
        if runs[-1].run != holder.run:
            begun = f"what the run before it, {runs[-1].run}, had begun"
            reason = f"this run began nothing, and {runs[-1].run} was interrupted at `{runs[-1].stage}`"
        raise give_up(
            self,
            f"Lock {lock.name} given back, but {begun} did not come to an end.\n{text}\n"
            "The next run stops at its task `lock` and says so again, until one of these is chosen.",
            reason=reason,
        )

    def _changed_now(self, context: Context) -> bool:
        """Whether a task that changes something has run since this run was last cleared."""
        changing = {each.task_id for each in self.dag.tasks if getattr(each, "changes_cluster", False)}
        return any(
            each["task_id"] in changing and each["state"] in ("success", "failed")
            for each in self._crumbs(context)
        )

    def _was_marked(self, context: Context) -> bool:
        """Whether Airflow skipped the end of the run, as it does when somebody marks it."""
        return any(
            each["task_id"] == self.concluded_by and each["state"] == "skipped"
            for each in self._crumbs(context)
        )

    def _crumbs(self, context: Context) -> list[dict[str, Any]]:
        """The tasks of the run that have ended, with their states."""
        ti: Any = context["ti"]
        dag_run: Any = context["dag_run"]
        crumbs: list[dict[str, Any]] = ti.get_task_breadcrumbs(dag_run.dag_id, dag_run.run_id)
        return crumbs

    def _lost(self, given: Given) -> str:
        state = given.state
        if state.lease is None:
            return "The Lease is gone, somebody deleted it: nothing to give back"
        if not state.holder:
            return "The lock is free, and another run has had it since: nothing to give back"
        broken = f" It was {state.broken}." if state.broken else ""
        return f"The lock is not this run's any more: {described(state.holding)} has it.{broken} It is left alone."
