"""The tasks that say what a run of batches came to: its log, what follows from it, whom to tell, and the record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context, ObjectStoragePath
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from typing_extensions import override

from include.orders.entry import entry_of
from include.orders.facts import Failing, Since
from include.orders.messages import BACKLOG, channels, excerpt_text, refused_message
from include.orders.noting import Finding, problem_key
from include.orders.outcome import (
    Outcome,
    entry_file,
    findings_of,
    handed_on,
    over_now,
    run_facts,
    since_of,
)
from include.orders.ran import HEADER, Ran, noted_batches
from include.orders.sizing import Pace, waiting_text
from include.records.database import RecordsError
from include.records.problems import Entry
from include.release.asking import REASON
from include.release.batches import LABEL_BATCH
from include.release.frozen import LABEL_APP
from include.release.kube import KubeError
from include.release.problems import Problem, RejectedError
from include.release.storing import store_of
from include.release.texts import plural, table
from plugins.notifiers.telling import tell_all
from plugins.operators.base import asked_by, by_hand, give_up, is_dry_run, say
from plugins.operators.failure import KEY
from plugins.operators.orders_base import PROCEDURE, Office, OrdersOperator, known, started_at
from plugins.operators.orders_batch import REFUSED, REQUEST, backlog_of, ran_of
from plugins.operators.orders_reopen import REOPENED
from plugins.operators.orders_telling import tell_findings

OUTCOME, FINDINGS, RESOLVED = "outcome", "findings", "resolved"


class ReadLogOperator(OrdersOperator):
    """Reads what the batches logged and what the database keeps of it: which order failed, how often, and why.

    The log names no order in an error; the database does, and is believed where the two differ.

    Args:
        read_by: id of the task that read the backlog.
        reopened_by: id of the task that opened orders again.
        sized_by: id of the task that sized the batch.
        run_by: id of the task that ran the batches.
    """

    def __init__(
        self,
        *,
        read_by: str = "read_backlog",
        reopened_by: str = "reopen",
        sized_by: str = "size_batch",
        run_by: str = "run_batch",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.read_by, self.reopened_by, self.sized_by, self.run_by = read_by, reopened_by, sized_by, run_by

    @override
    def step(self, office: Office, context: Context) -> dict[str, Any]:
        """Returns what the run's tasks have found out."""
        ti: Any = context["ti"]
        read = ti.xcom_pull(task_ids=self.read_by) or {}
        sized = ti.xcom_pull(task_ids=self.sized_by) or {}
        ran = ran_of(context, self.run_by)
        started, trouble = started_at(context), self._trouble(context)
        if not ran and trouble.get("trouble"):
            ran = self._noted(office, context)
        after = office.backlog()
        aside = office.asked(lambda tables: tables.set_aside())
        outcome = Outcome(
            started=started,
            before=backlog_of(context, self.read_by),
            unreadable=read.get("problem") or (handed_on(after) if isinstance(after, Problem) else None),
            ran=ran,
            kept=office.kept(min([started, *(each.started for each in ran)])) if ran else None,
            aside=None if isinstance(aside, Problem) else aside,
            after=known(after),
            refused=str(sized.get(REFUSED) or ""),
            dry_run=is_dry_run(context),
            asked=_asked(context),
            reopened=(ti.xcom_pull(task_ids=self.reopened_by) or {}).get(REOPENED) or "",
            **trouble,
        )
        for each in ran:
            self._show(each)
        put_away = {each.order for each in outcome.aside or ()}
        failing = [
            each for each in (outcome.kept.failing if outcome.kept else ()) if each.order not in put_away
        ]
        self._show_orders("Failed and not processed since", failing)
        self._show_orders("Set aside, for a person to look at", outcome.aside or ())
        if outcome.after is not None:
            say(self, waiting_text(outcome.after))
        return outcome.model_dump(mode="json")

    def _noted(self, office: Office, context: Context) -> tuple[Ran, ...]:
        """The batches that ended before the task that ran them did: their Jobs say how."""
        labels = f"{LABEL_APP}={office.orders.app},{LABEL_BATCH}={office.orders.workload}"
        try:
            jobs = office.cluster.list("Job", office.place.namespace, labels=labels)
        except (RejectedError, KubeError) as error:
            self.log.warning("Which batches of this run have ended cannot be asked: %s", error)
            return ()
        return noted_batches(jobs, asked_by(context))

    def _trouble(self, context: Context) -> dict[str, str]:
        """Why the tasks before this one failed; nothing when they did not."""
        ti: Any = context["ti"]
        dag_run: Any = context["dag_run"]
        states = {each["task_id"]: each for each in ti.get_task_breadcrumbs(dag_run.dag_id, dag_run.run_id)}
        for task in (self.read_by, self.reopened_by, self.sized_by, self.run_by):
            if (states.get(task) or {}).get("state") != "failed":
                continue
            failure = ti.xcom_pull(task_ids=task, key=KEY) or {}
            text = f"{task}: {failure.get('reason') or 'failed; its log says why'}."
            wrong_request = task == self.read_by and failure.get("kind") == "refused" and by_hand(context)
            if wrong_request:
                return {"not_asked_for": ti.xcom_pull(task_ids=task, key=REQUEST) or text}
            return {"trouble": text}
        return {}

    def _show(self, ran: Ran) -> None:
        judgement = ran.ended.judgement
        say(self, f"Batch {ran.number} (Job {ran.job or 'none'}): {judgement.text}")
        for each in judgement.errors:
            say(self, f"Error #{each.code}, {plural(each.times, 'time')}:")
            lines = (*each.before, each.first, *each.after)
            say(self, excerpt_text(lines, each.first.number, judgement))
        if not judgement.errors and judgement.verdict != "clean":
            say(self, excerpt_text(judgement.last, 0, judgement))

    def _show_orders(self, title: str, found: Sequence[Failing]) -> None:
        if found:
            rows = [(each.order, f"#{each.code}", each.tries, each.text) for each in found[:50]]
            say(
                self,
                f"{title} ({plural(len(found), 'order')}):\n{table(('order', 'code', 'tries', 'why'), rows)}",
            )


class _Outcome(OrdersOperator):
    """A task that goes on from what the log said.

    Args:
        logged_by: id of the task that read the log.
        decided_by: id of the task that decided.
        told_by: id of the task that told people.
    """

    def __init__(
        self, *, logged_by: str = "read_log", decided_by: str = "decide", told_by: str = "tell", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.logged_by, self.decided_by, self.told_by = logged_by, decided_by, told_by

    def outcome(self, context: Context) -> Outcome:
        """What the run's tasks have found out; that nobody knows when the task that says so did not run."""
        found = context["ti"].xcom_pull(task_ids=self.logged_by)
        if not found:
            return Outcome(
                started=started_at(context), trouble=f"{self.logged_by} handed nothing on; its log says why."
            )
        return Outcome.model_validate(found)

    def found(self, context: Context) -> list[Finding]:
        """What is wrong, as it was decided."""
        found = context["ti"].xcom_pull(task_ids=self.decided_by, key=FINDINGS) or []
        return [Finding.model_validate(each) for each in found]

    def pace(self, office: Office, outcome: Outcome) -> Pace | None:
        """What the processor gets done; None when nobody says, or a refused request left nothing to reckon."""
        if outcome.not_asked_for:
            return None
        try:
            cluster = office.cluster
            live = cluster.get("Deployment", office.place.namespace, office.orders.workload)
            return office.pace(cluster, live, outcome.after or outcome.before)
        except (RejectedError, KubeError) as error:
            self.log.warning("What the processor gets done is not known: %s", error)
            return None


class DecideOperator(_Outcome):
    """Says what follows: nothing, a proposal to Ops, orders that were set aside, or what the developers get.

    Fails when people have to put something right before orders are processed again, so that it is seen.
    """

    @override
    def step(self, office: Office, context: Context) -> str:
        """Returns in a word or two what became of the run."""
        outcome = self.outcome(context)
        since = self._since(office, outcome)
        found = findings_of(
            outcome, since, office.orders, office.known, self.pace(office, outcome), office.where
        )
        context["ti"].xcom_push(key=FINDINGS, value=[each.model_dump(mode="json") for each in found])
        if outcome.ran:
            say(self, table(HEADER, [each.row() for each in outcome.ran]))
            say(self, outcome.ran[-1].decision.text)
        for each in found:
            say(self, f"[{each.outcome}] {each.title}, for {each.tell.replace('_', ' ')}\n{each.text}")
        if outcome.not_asked_for:
            raise give_up(self, f"The request was refused: {outcome.not_asked_for}", kind="refused")
        if outcome.handed_over and not is_dry_run(context):
            text = outcome.trouble or (outcome.last.decision.text if outcome.last else "")
            raise give_up(self, f"Orders are not processed as they should be: {text}")
        say(self, f"Outcome: {outcome.word}")
        return outcome.word

    def _since(self, office: Office, outcome: Outcome) -> Since:
        build = outcome.last.build if outcome.last else ""
        try:
            records, place = office.records, office.place.name
            good = records.problems.last_good(PROCEDURE, place, outcome.started)
            return since_of(good, records.changes(office.orders.app, place), build)
        except (RecordsError, RejectedError) as error:
            return Since(build=build, unknown=str(error).splitlines()[0])


class TellOrdersOperator(_Outcome):
    """Tells each problem once to whoever can put it right, again when it has grown or lasts, and when it is over."""

    @override
    def step(self, office: Office, context: Context) -> dict[str, Any]:
        """Returns the problems that somebody was told of, and what is over."""
        if is_dry_run(context):
            say(self, "Dry run: nobody is told")
            raise AirflowSkipException("dry run")
        outcome, found = self.outcome(context), self.found(context)
        open_problems = office.told.open(PROCEDURE, office.place.name)
        result = tell_findings(
            self, office, context, found, over_now(outcome, open_problems, found), procedure=PROCEDURE
        )
        if outcome.not_asked_for:
            result.failed += self._refused(office, context, outcome.not_asked_for)
        elif not found and not result.resolved:
            say(self, "There is nothing to tell")
        if result.failed:
            raise give_up(self, f"NOT TOLD: {'; '.join(result.failed)}. Clear this task to try again.")
        return {"told": result.told, RESOLVED: result.resolved}

    def _refused(self, office: Office, context: Context, text: str) -> list[str]:
        """Tell on-call of a request that was refused; returns the channels that could not be told."""
        asker, reason = _asker(context), str(context["params"].get(REASON) or "")
        message = refused_message(text, asker, reason, office.where)
        say(self, message.plain())
        listed = channels(office.orders, office.place, "on_call")
        place = office.place.model_copy(update={"tell": listed})
        return tell_all(self, message, place, context, logged=True)["failed"]


class RecordOrdersOperator(_Outcome):
    """Writes the run's entry of the on-call log: into the records, and beside the environment's documents."""

    @override
    def step(self, office: Office, context: Context) -> str:
        """Returns the entry's URL; empty where nothing happened that is worth a page."""
        outcome, found = self.outcome(context), self.found(context)
        told = context["ti"].xcom_pull(task_ids=self.told_by) or {}
        facts = run_facts(
            outcome,
            office.orders,
            self.pace(office, outcome),
            raised=self._raised(office),
            found=found,
            told=told.get("told") or [],
            resolved=told.get(RESOLVED) or [],
        )
        text = entry_of(facts).text(office.place.window.time_zone)
        say(self, text)
        if is_dry_run(context):
            say(self, "Dry run: the entry is shown here and not kept")
            return ""
        worth = bool(outcome.ran or found or facts.resolved or outcome.trouble or outcome.not_asked_for)
        place = self._write(office, context, text, outcome) if worth else ""
        entry = Entry(
            run=office.run,
            procedure=PROCEDURE,
            environment=office.place.name,
            started=outcome.started,
            ended=datetime.now(UTC),
            outcome=outcome.word,
            good=outcome.works,
            text=text,
            document=place,
            details={
                "processed": outcome.processed,
                "batches": [each.job for each in outcome.ran if each.job],
                "left": outcome.after.left if outcome.after else None,
                "build": outcome.last.build if outcome.last else "",
            },
        )
        office.book.write(entry)
        return place

    def _raised(self, office: Office) -> bool:
        problem = office.told.problem(problem_key(office.place.name, BACKLOG))
        return problem is not None and problem.open

    def _write(self, office: Office, context: Context, text: str, outcome: Outcome) -> str:
        dag_run: Any = context["dag_run"]
        store = ObjectStoragePath(store_of(office.place))
        place = store / entry_file(office.place.name, dag_run.run_id, outcome.started)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        except OSError as error:
            raise AirflowException(f"The entry cannot be stored in {store}: {error}") from None
        say(self, f"Entry of the on-call log: {place}")
        return str(place)


def _asker(context: Context) -> str:
    return getattr(context["dag_run"], "triggering_user_name", None) or "nobody"


def _asked(context: Context) -> str:
    """Who triggered the run by hand, and why; empty when its schedule did."""
    if not by_hand(context):
        return ""
    reason = str(context["params"].get(REASON) or "").strip()
    return f"by {_asker(context)}, {f'reason: {reason}' if reason else 'without a reason'}"
