"""Telling people what became of a guard's run. A press is always told; telling changes nothing about it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from airflow.sdk import BaseOperator, Context
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from typing_extensions import override

from include.payments.journal import JournalStore
from include.release.environments import Environment
from include.release.kube import KubeError
from include.release.problems import RejectedError
from include.release.telling import Message
from include.restarts.evidence import prune
from include.restarts.guards import Guard
from include.restarts.messages import REARM_LINK, Told, guard_message, payments_message
from include.restarts.noting import kind_told, note_told
from include.restarts.press import read_note, undone
from plugins.notifiers.telling import tell_all
from plugins.operators.approve_press import APPROVED, REFUSED
from plugins.operators.base import give_up, run_name, say
from plugins.operators.failure import KEY
from plugins.operators.guarding import PRESSED, GuardOperator, Post, verdict_of
from plugins.operators.locking import run_url
from plugins.operators.record_guard import record_press

BEFORE_THE_PRESS = ("watch", "confirm", "save_evidence", "approve", "press")


class TellingOperator(GuardOperator):
    """Tells a guard's list at the end of a run.

    It is a teardown, so it runs whatever failed before it. When a channel cannot be told it is tried again, and then the
    task and the run are red: nobody must think that people know. When people are told that a task failed, it fails too:
    by itself Airflow calls a run green whose last task has done its work, whatever failed before that.
    """

    @override
    def execute(self, context: Context) -> Any:
        """Tell; the step's result. Fails when it has a ``failure``, without another try."""
        result = super().execute(context)
        if result["failure"]:
            raise give_up(self, f"People are told; this run has failed: {result['failure']}")
        return result


class TellGuardOperator(TellingOperator):
    """Tells the guard's list: pressed, alert, braked, refused, failed or dry run.

    What people know is noted here, once they do: the next run does not begin with the same. The press stays as it is,
    whoever can be told.
    """

    @override
    def step(self, post: Post, context: Context) -> dict[str, Any]:
        """Returns the outcome, and which channels were told now, which before."""
        told = self._told(post, context)
        self._prune(post, told.evidence)
        message = guard_message(post.guard, post.place, post.run, told)
        if message is None:
            say(self, "Nothing to tell")
            raise AirflowSkipException("nothing to tell")
        say(self, message.plain())
        record_press(self, post, told, message, context)
        result = send_list(self, post.guard, post.place, message, context)
        # One channel that hears of it is enough: the others would not, and this one would again with every run.
        kind = kind_told(message.outcome, told.verdict)
        if kind and (result["told"] or result["before"] or not result["failed"]):
            note_told(post.cluster, post.guard, post.namespace, kind, told.verdict, datetime.now(UTC))
        return {"outcome": message.outcome, "failure": told.failure, **all_told(result)}

    def _prune(self, post: Post, saved: str) -> None:
        """Keep only the newest evidence: here, where nothing waits for it. An old one that stays does no harm."""
        if not saved:
            return
        try:
            note = read_note(post.cluster.get("Deployment", post.namespace, post.guard.deployment))
            keep = [saved, note.evidence] if note else [saved]
            for each in prune(post.cluster, post.namespace, post.guard.name, keep=keep):
                say(self, f"Deleted the old evidence {each}")
        except KubeError as error:
            self.log.warning("Old evidence cannot be deleted: %s", error)

    def _told(self, post: Post, context: Context) -> Told:
        ti: Any = context["ti"]
        failure = failure_of(context, BEFORE_THE_PRESS)
        # The press decides again when the verdict is too old.
        verdict = verdict_of(context, "press") or verdict_of(context, "confirm")
        press: dict[str, Any] | None = ti.xcom_pull(task_ids="press", key=PRESSED)
        if not _made(press) and (at_once := ti.xcom_pull(task_ids="watch", key=PRESSED)):
            # Re-armed before the tasks behind the watch could find it: it was made all the same.
            press, verdict = at_once, verdict_of(context, "watch") or verdict
        press, now, back = self._now(post, press, failure)
        noted: dict[str, Any] = (press or {}).get("note") or {}
        return Told(
            verdict=verdict,
            press=press,
            refused=str(ti.xcom_pull(task_ids="approve", key=REFUSED) or ""),
            approved_by=str(ti.xcom_pull(task_ids="approve", key=APPROVED) or ""),
            failure=failure,
            evidence=str(ti.xcom_pull(task_ids="save_evidence") or noted.get("evidence") or ""),
            now=now,
            back=back,
            held="" if _made(press) else self._held(post),
            links=links_of(post.guard, context),
        )

    def _held(self, post: Post) -> str:
        """That payments are still held from a press before; empty when none are."""
        if post.guard.payments is None:
            return ""
        try:
            holds = JournalStore(post.cluster, post.namespace, post.guard.name).read().holds
        except (KubeError, RejectedError) as error:
            return f"Whether payments are held is not known: {str(error).splitlines()[0]}."
        if not holds:
            return ""
        run = holds[-1].run.partition("@")[0]
        return f"Payments are still held, for the press of run {run}; {post.guard.name}_rearm releases them."

    def _now(
        self, post: Post, press: dict[str, Any] | None, failure: str
    ) -> tuple[dict[str, Any] | None, str, bool]:
        """The press, which the Deployment tells of when no task could; what is odd about it now; whether it was taken back."""
        if post.guard.dry_run:
            return press, "", False
        made = _made(press)
        try:
            live = post.cluster.get("Deployment", post.namespace, post.guard.deployment)
        except KubeError as error:
            return (
                press,
                f"Whether it is at zero now is not known: {error}." if made or failure else "",
                False,
            )
        note = read_note(live)
        if not made and note is not None and note.run == post.run:
            text = f"Deployment {post.guard.deployment} in {post.namespace} was {note.text}"
            press = {"outcome": "pressed", "text": text, "lines": [], "note": note.model_dump(mode="json")}
            made = True
        return (press, undone(live, post.run), note is None) if made else (press, "", False)


def _made(press: dict[str, Any] | None) -> bool:
    """Whether the button was pressed, by this run or another."""
    return press is not None and press["outcome"] in ("pressed", "already")


class TellPaymentsOperator(TellingOperator):
    """Tells the same people what became of the payments, once that is known: it can take minutes."""

    @override
    def step(self, post: Post, context: Context) -> dict[str, Any]:
        """Returns which channels were told."""
        ti: Any = context["ti"]
        held, settled = (ti.xcom_pull(task_ids=each) for each in ("hold_payments", "settle_payments"))
        failure = failure_of(context, ("hold_payments", "settle_payments"))
        message = payments_message(
            post.guard, post.place, post.run, held, settled, failure, links_of(post.guard, context)
        )
        if message is None:
            say(self, "Nothing to tell")
            raise AirflowSkipException("nothing to tell")
        say(self, message.plain())
        return {"failure": failure, **tell_list(self, post.guard, post.place, message, context)}


def tell_list(
    operator: BaseOperator,
    guard: Guard,
    place: Environment,
    message: Message,
    context: Context,
    *,
    refused_to: str = "",
) -> dict[str, Any]:
    """Tell the guard's list, or its environment's. Raises AirflowException when somebody could not be told."""
    return all_told(send_list(operator, guard, place, message, context, refused_to=refused_to))


def send_list(
    operator: BaseOperator,
    guard: Guard,
    place: Environment,
    message: Message,
    context: Context,
    *,
    refused_to: str = "",
) -> dict[str, Any]:
    """Tell the list: which channels were told now, which before, and which could not be.

    The caller has written the message into the task log. ``refused_to`` is whose request was wrong: the list hears of
    that once per user and cooldown.
    """
    listed = place if guard.tell is None else place.model_copy(update={"tell": guard.tell})
    news = ""
    if message.outcome == "failed" or refused_to:
        # The next run fails in the same way at once: told once per cooldown.
        window = int(datetime.now(UTC).timestamp() // (guard.cooldown_minutes * 60))
        what = f"{message.outcome}#{refused_to}" if refused_to else "failed"
        news = f"{run_name(context).partition('/')[0]}#{message.title}#{what}#{window}"
    result = tell_all(operator, message, listed, context, news=news, logged=True)
    return {str(key): names for key, names in result.items()}


def all_told(result: dict[str, Any]) -> dict[str, Any]:
    """The same result. Raises AirflowException when somebody could not be told."""
    if result["failed"]:
        raise AirflowException(f"NOT TOLD: {'; '.join(result['failed'])}")
    return result


def failure_of(context: Context, task_ids: tuple[str, ...]) -> str:
    """Which of these tasks failed and why; empty when none did."""
    ti: Any = context["ti"]
    dag_run: Any = context["dag_run"]
    crumbs = ti.get_task_breadcrumbs(dag_run.dag_id, dag_run.run_id)
    failed = {each["task_id"] for each in crumbs if str(each["state"]) == "failed"}
    for task_id in task_ids:
        if task_id in failed:
            found = ti.xcom_pull(task_ids=task_id, key=KEY) or {}
            return f"`{task_id}` failed: {found.get('reason') or 'its log says why'}"
    return ""


def links_of(guard: Guard, context: Context) -> dict[str, str]:
    """The run, and the form that re-arms."""
    dag_run: Any = context["dag_run"]
    base = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
    return {
        "Run in Airflow": run_url(dag_run.dag_id, dag_run.run_id),
        REARM_LINK: f"{base}/dags/{quote(guard.name)}_rearm" if base else "",
    }
