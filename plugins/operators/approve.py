"""The approval task: asks somebody who may, waits without holding a worker, and checks the answer again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.sdk import Context, Param
from airflow.sdk.definitions.param import ParamsDict
from typing_extensions import override

from include.records.database import RecordsError
from include.records.models import Change
from include.release.applying import apply_object
from include.release.approval import (
    Approval,
    Approvers,
    Basis,
    Kind,
    approvers,
    clock,
    is_needed,
    too_old,
    what_changed,
)
from include.release.environments import Environment
from include.release.frozen import Frozen
from include.release.kube import Cluster
from include.release.problems import RejectedError
from include.release.question import Asked, Facts, body, changes_something, plan_lines, subject, told
from include.release.replacing import Find, replaced
from include.release.texts import plural
from plugins.hooks.cluster import ClusterHook
from plugins.hooks.records import RecordsHook
from plugins.notifiers.telling import tell_all
from plugins.operators.approved import Now, look
from plugins.operators.base import ReleaseOperator, give_up, requested_at, run_name, say
from plugins.operators.locking import ASKED, run_url

WHY, CODE = "why", "question"
ANSWERS = "answers"
TRIES = 10
ASK_AGAIN_AFTER = timedelta(seconds=2)


class ApproveOperator(ReleaseOperator, HITLOperator):
    """Asks for an approval where the environment wants one, by Airflow's human-in-the-loop.

    Only who may approve is asked, and the answer is checked again when it comes: who gave it, whether it is about
    what is there now, and whether it is not too old. Airflow keeps showing the text of a task's first question when
    the task asks again, so an answer carries the code of the question that it is for.

    Args:
        kind: what is asked for.
        gated_by: id of the task that read the QA verdicts.
        planned_by: id of the task that planned a rollback.
    """

    speaks = True
    template_fields = ()

    def __init__(
        self,
        *,
        kind: Kind = "release",
        planned_by: str = "",
        gated_by: str = "gate",
        **kwargs: Any,
    ) -> None:
        options = [ApprovalOperator.APPROVE, ApprovalOperator.REJECT]
        super().__init__(subject="Approve this change?", options=options, **kwargs)
        self.kind: Kind = kind
        self.planned_by, self.gated_by = planned_by, gated_by
        # An answer that comes while Airflow still parks the task (a second or so) is lost: the scheduler takes the
        # task for a lost one. Its next try asks again, which costs nothing but a try.
        self.retries = max(self.retries or 0, TRIES)
        self.retry_delay = ASK_AGAIN_AFTER

    @override
    def step(self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool) -> dict[str, Any]:
        """Returns that no approval is needed; otherwise asks, and the answer resumes the task."""
        environment = frozen.environment
        if not is_needed(environment.approval, self.kind):
            say(self, f"A {self.kind} in {environment.name} needs no approval")
            return Approval(required=False).model_dump(mode="json")
        who = approvers(environment, triggered_by(context))
        if dry_run:
            closed = ""
            try:
                now = self._now(frozen, cluster, context)
            except RejectedError as error:
                closed = str(error)
                now = self._now(frozen, cluster, context, gate=False)
            facts = replace(self._facts(frozen, cluster, context, now, who, 1, []), closed=closed)
            if closed:
                say(
                    self,
                    "Dry run: the gate would refuse this release, so nobody would be asked until it is open",
                )
            say(self, f"Dry run: this would be asked\n{subject(facts)}\n\n{body(facts, whole=True)}")
            return Approval(required=True, digest=facts.basis.digest).model_dump(mode="json")
        return self._ask(frozen, cluster, context, who, None, [])

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Judge the answer: on record, refused, or asked again."""
        frozen = Frozen.from_json(str(self.frozen_text(context)))
        policy = frozen.environment.approval
        who = approvers(frozen.environment, triggered_by(context))
        if event.get("error_type") == "timeout":
            minutes = policy.answer_within_minutes
            self._refuse(
                frozen, f"nobody answered within {plural(minutes, 'minute')} ({who.text} could have)"
            )
        if "error" in event:
            self._refuse(frozen, f"Airflow could not take the answer: {event['error']}")
        user = (event.get("responded_by_user") or {}).get("name")
        given = event.get("params_input") or {}
        why = " ".join(str(given.get(WHY) or "").split())
        chosen, at = (event.get("chosen_options") or [""])[0], event["responded_at"].astimezone(UTC)
        said = f": {why}" if why else ""
        say(self, f"{user or 'Somebody unknown'} answered {chosen!r} at {clock(at)}{said}")
        if not who.allows(user):
            self._note(context, user, at, chosen, why, "refused: may not answer")
            self._refuse(frozen, f"{user or 'somebody unknown'} answered, who may not; {who.text} may")
        if chosen != ApprovalOperator.APPROVE:
            self._note(context, user, at, chosen, why, "rejected")
            self._refuse(frozen, f"{user} rejected it at {clock(at)}{said or ' and gave no reason'}")
        cluster = ClusterHook(frozen.environment.connection).get_conn()
        asked = context["ti"].xcom_pull(task_ids=self.task_id, key=ASKED)
        before = Basis(asked["parts"], asked["live"])
        basis = self._now(frozen, cluster, context).basis
        again = self._why_again(before, basis, given, asked["number"], at, frozen, context)
        if again:
            self._note(context, user, at, chosen, why, "asked again")
            self._ask(frozen, cluster, context, who, asked, again)
        self._note(context, user, at, chosen, why, "approved")
        approval = Approval(
            required=True,
            by=str(user),
            at=at,
            why=why,
            digest=basis.digest,
            parts=basis.parts,
            question=asked["number"],
            clear_number=clear_number(context),
        )
        text = f"Approved by {user} at {clock(at)}{said}."
        context["ti"].xcom_push(key="said", value=text)
        say(self, f"{text} On record for {basis.code}; good for {policy.valid_minutes} minutes")
        return approval.model_dump(mode="json")

    def _why_again(
        self,
        before: Basis,
        basis: Basis,
        given: dict[str, Any],
        number: int,
        at: datetime,
        frozen: Frozen,
        context: Context,
    ) -> list[str]:
        """Why this approval does not count; empty when it does."""
        texts = what_changed(before, basis)
        code = str(given.get(CODE) or "").strip()
        first = number == 1 and context["ti"].try_number == 1
        if code != before.code and (code or not first):
            found = f"the code {code}" if code else "no code"
            texts.append(f"The answer carried {found}; the question that was open had {before.code}")
        if not str(given.get(WHY) or "").strip():
            texts.append("The answer gave no reason; who approves says why")
        policy = frozen.environment.approval
        if too_old(at, policy, datetime.now(UTC)):
            texts.append(f"The answer was older than {policy.valid_minutes} minutes when it was looked at")
        return texts

    def _ask(
        self,
        frozen: Frozen,
        cluster: Cluster,
        context: Context,
        who: Approvers,
        before: dict[str, Any] | None,
        since: list[str],
    ) -> NoReturn:
        """Ask, and let go of the worker."""
        number = before["number"] + 1 if before else 1
        now = self._now(frozen, cluster, context)
        basis = now.basis
        facts = self._facts(frozen, cluster, context, now, who, number, since)
        self.subject, self.body = subject(facts), body(facts)
        self.params = ParamsDict(answer_form(basis.code))
        self.assigned_users = [{"id": name, "name": name} for name in who.names]
        self.response_timeout = timedelta(minutes=frozen.environment.approval.answer_within_minutes)
        context["ti"].xcom_push(
            key=ASKED,
            value={
                "number": number,
                "at": facts.asked.at,
                "code": basis.code,
                "since": since,
                "parts": basis.parts,
                "live": basis.live,
            },
        )
        say(self, f"{self.subject}\n\n{body(facts, whole=True)}")
        again = ""
        if number > 1 or context["ti"].try_number > 1:
            again = f"question {number}, try {context['ti'].try_number}"
            say(
                self,
                f"ASKED AGAIN. Airflow's page may still show the text of an earlier question. What counts is the text "
                f"above: whoever approves it enters its code, {basis.code}.",
                error=True,
            )
        url = run_url(context["dag_run"].dag_id, context["dag_run"].run_id)
        page = f"{url}/tasks/{self.task_id}/required_actions" if url else ""
        # Before the question is there, as an answer that comes before Airflow has parked the task is lost.
        tell_all(self, told(facts, page, again=again), frozen.environment, context)
        HITLOperator.execute(self, context)
        raise AssertionError("the task waits for an answer")

    def _now(self, frozen: Frozen, cluster: Cluster, context: Context, *, gate: bool = True) -> Now:
        return look(frozen, cluster, run_name(context), self.kind, self._plan(context), gate=gate)

    def _plan(self, context: Context) -> dict[str, Any] | None:
        """The plan of a rollback."""
        found = context["ti"].xcom_pull(task_ids=self.planned_by) if self.planned_by else None
        return found if isinstance(found, dict) else None

    def _facts(
        self,
        frozen: Frozen,
        cluster: Cluster,
        context: Context,
        now: Now,
        who: Approvers,
        number: int,
        since: list[str],
    ) -> Facts:
        environment = frozen.environment
        force = True if self.kind == "rollback" else None
        changes = [
            apply_object(
                cluster,
                manifest,
                frozen,
                run_name(context),
                dry_run=True,
                requested_at=requested_at(context),
                force=force,
                change=self.kind,
            )
            for manifest in frozen.objects
        ]
        names = [str(each["metadata"]["name"]) for each in frozen.config_maps]
        new = [name for name in names if cluster.get("ConfigMap", environment.namespace, name) is None]
        plan = self._plan(context)
        something = self.kind == "rollback" or changes_something(frozen, changes, new, now.applied)
        steps = str((plan or {}).get("text") or "").splitlines()
        asked = Asked(
            triggered_by(context) or "nobody (a schedule)",
            str(context["params"]["reason"]),
            run_name(context),
            clock(datetime.now(UTC)),
            environment.approval.answer_within_minutes,
            environment.approval.valid_minutes,
        )
        return Facts(
            frozen,
            self.kind,
            asked,
            who,
            now.basis,
            number=number,
            changes=changes,
            new_maps=new,
            verdicts=now.verdicts if self.kind == "release" else self._gate(context),
            applied=now.applied,
            plan=plan_lines(frozen),
            steps=steps,
            since=since,
            replaces=replaced(
                now.basis.live.values(), frozen, self._recorded(environment), changes=something
            ),
        )

    def _recorded(self, environment: Environment) -> Find:
        """Looks up a run in the records. Who brought what runs is good to know, and not worth failing for."""

        def find(run: str) -> Change | None:
            try:
                return RecordsHook(environment.records).get_conn().change(run)
            except (RecordsError, RejectedError) as error:
                self.log.warning("Who brought what runs now is not known: %s", error)
                return None

        return find

    def _gate(self, context: Context) -> list[dict[str, Any]]:
        """What the gate task handed on. A rollback is not bound to it, but shows it."""
        return context["ti"].xcom_pull(task_ids=self.gated_by) or []

    def _note(
        self, context: Context, user: str | None, at: datetime, chosen: str, why: str, result: str
    ) -> None:
        """Keep every answer, also those that did not count."""
        ti = context["ti"]
        answers = ti.xcom_pull(task_ids=self.task_id, key=ANSWERS) or []
        answer = {"by": user or "", "at": at.isoformat(), "answer": chosen, "why": why, "result": result}
        ti.xcom_push(key=ANSWERS, value=[*answers, answer])

    def _refuse(self, frozen: Frozen, reason: str) -> NoReturn:
        what = f"The {self.kind} {'to ' if self.kind == 'rollback' else 'of '}{frozen.title}"
        text = (
            f"{what} was not approved: {reason}. Nothing has been changed. To ask again, trigger a new run."
        )
        raise give_up(self, text, reason=f"not approved: {reason}", kind="refused")


def answer_form(code: str) -> dict[str, Param]:
    """What whoever answers fills in beside the two buttons."""
    return {
        WHY: Param(
            None,
            type="string",
            minLength=3,
            title="Why",
            description="Why you approve or reject it; goes on record.",
            source="task",
        ),
        CODE: Param(
            code,
            type="string",
            title="Code of the question",
            description="Leave it as it is. When you are asked again, enter the code in the newest question, "
            "which is in the log of this task.",
            source="task",
        ),
    }


def triggered_by(context: Context) -> str | None:
    """The user who triggered the run."""
    user: str | None = getattr(context["dag_run"], "triggering_user_name", None)
    return user


def clear_number(context: Context) -> int:
    """How often the run was cleared after it had ended."""
    return int(getattr(context["dag_run"], "clear_number", 0) or 0)
