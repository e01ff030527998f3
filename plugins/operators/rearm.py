"""Re-arming by hand: who may, is it pressed, does the upstream answer; then the former replicas come back."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException
from typing_extensions import override

from include.payments.journal import JournalStore
from include.release.asking import wrong_exception, wrong_request
from include.release.environments import may_trigger
from include.release.lock import Holder, Lock, described
from include.release.pressed import wanted_replicas
from include.release.problems import Problem, RejectedError
from include.release.rollout import judge
from include.release.texts import moment, plural
from include.restarts.messages import rearm_message, what_now_after
from include.restarts.press import read_note
from include.restarts.probe import ask_upstream
from include.restarts.rearm import former_replicas, restore
from include.restarts.rearm_note import RearmNote, read_rearm
from include.restarts.undoers import name_undoers, resume_keda
from plugins.operators.base import asked_by, give_up, is_dry_run, readable_errors, say
from plugins.operators.guarding import GuardOperator, Post, post_of
from plugins.operators.locking import ask_airflow, requested_at, run_url
from plugins.operators.record_guard import app_name, record_rearm
from plugins.operators.tell_guard import failure_of, links_of, tell_list
from plugins.triggers.rollout import RolloutTrigger

CHECKED, SAID = "checked", "said"
"""XComs: what the first task found; what a step says in the message."""
STEPS = ("check", "lock", "probe_upstream", "restore", "rollout_check", "release_payments")


class RearmOperator(GuardOperator):
    """A task of a re-arm: somebody watches it, so what is refused fails at once."""

    ui_color = "#e8f0e4"

    @override
    def execute(self, context: Context) -> Any:
        """Run the step; its errors are for the reader of the log."""
        with readable_errors(self):
            return self.step(post_of(self.guard, context, to_rearm=True), context)

    def tell_later(self, context: Context, text: str) -> None:
        """Keep a sentence for the message."""
        context["ti"].xcom_push(key=SAID, value=text)


class CheckRearmOperator(RearmOperator):
    """Is the request right, may this user, is there something to re-arm, and to how many replicas?"""

    @override
    def step(self, post: Post, context: Context) -> dict[str, Any]:
        """Returns the former replicas, and whether the Deployment was restored by a run before this one."""
        dag_run, params = context["dag_run"], context["params"]
        user = user_of(context)
        conf: dict[str, Any] = getattr(dag_run, "conf", None) or {}
        problems = list(wrong_request(conf, params["reason"], list(context["dag"].params)))
        problems += filter(
            None,
            (
                may_trigger(post.place, user),
                wrong_exception(post.place, user, "force", params.get("force")),
                wrong_exception(post.place, user, "break_lock", params.get("break_lock")),
            ),
        )
        where = f"Deployment {post.guard.deployment} in {post.namespace}"
        live = post.cluster.get("Deployment", post.namespace, post.guard.deployment)
        note, replicas = read_note(live), 0
        if live is None:
            problems.append(
                Problem(where, "", "absent", "a pressed Deployment", "nothing to re-arm; release it")
            )
        elif note is not None:
            found = former_replicas(note, params.get("replicas"), where, wanted_replicas(live))
            if isinstance(found, Problem):
                problems.append(found)
            else:
                replicas = found
            say(self, f"{where} was {note.text}")
            if wanted := wanted_replicas(live):
                say(self, f"A release or rollback over it asks for {plural(wanted, 'replica')}")
        elif left := self._left(post, live):
            say(self, left)
        else:
            last = read_rearm(live)
            since = f"re-armed at {moment(last.at)} by {last.by or 'nobody'}" if last else "not pressed"
            problems.append(Problem(where, "", since, "a pressed button", "nothing to re-arm"))
        if problems:
            raise RejectedError(problems, subject=f"the re-arm of {post.guard.name}")
        result = {
            "replicas": replicas,
            "app": app_name(live, post.guard.deployment),
            "pressed": note is not None,
        }
        context["ti"].xcom_push(key=CHECKED, value=result)
        return result

    def _left(self, post: Post, live: dict[str, Any]) -> str:
        """What a re-arm before has left undone; empty when nothing."""
        last = read_rearm(live)
        if last is not None and last.run == post.run:
            return "This run has brought the replicas back already: it goes on from there"
        if post.guard.payments is not None:
            held = JournalStore(post.cluster, post.namespace, post.guard.name).read().holds
            if held:
                return (
                    "The button is not pressed any more, but payments are still held: this run releases them"
                )
        return ""


class LockRearmOperator(RearmOperator):
    """Takes the lock of the application: one release, rollback or re-arm of it at a time."""

    @override
    def step(self, post: Post, context: Context) -> str:
        """Returns how it was got."""
        lock = lock_of(post, context)
        if is_dry_run(context):
            state = lock.read()
            by = f"held by {described(state.holding)}" if state.holder else "free"
            say(self, f"Dry run: the lock {lock.name} is {by}; it is not taken")
            return "dry run"
        taken = lock.take(
            holder_of(post, context),
            ask_airflow(context),
            # What an interrupted release has left stays noted: the next release is asked about it.
            go_on=True,
            break_reason=context["params"].get("break_lock") or "",
        )
        say(self, f"Lock {lock.name} in namespace {lock.namespace}: {taken.how}")
        if taken.how == "broken":
            say(self, f"NOTICE: {taken.after.broken}")
        for each in taken.left:
            say(self, f"NOTICE: {each.run} was interrupted at `{each.stage}`; a re-arm changes replicas only")
        return taken.how


class UnlockRearmOperator(RearmOperator):
    """Gives the lock back, whatever became of the run."""

    @override
    def step(self, post: Post, context: Context) -> str:
        """Returns what was done."""
        if is_dry_run(context):
            return "dry run"
        given = lock_of(post, context).release(holder_of(post, context))
        word = "given back" if given.last else "not this run's (any more)"
        say(self, f"Lock {lock_of(post, context).name}: {word}")
        return word


class ProbeUpstreamOperator(RearmOperator):
    """Refuses while the upstream does not answer, unless somebody who may approve forces it with a reason."""

    @override
    def step(self, post: Post, context: Context) -> str:
        """Returns up, down or unknown."""
        cluster, namespace, guard = post.cluster, post.namespace, post.guard
        if guard.upstream is None:
            say(self, "No upstream is configured for this guard: nobody is asked")
            return "unknown"
        live = cluster.get("Deployment", namespace, guard.deployment)
        dry_run = is_dry_run(context)
        answer = ask_upstream(
            cluster,
            namespace,
            guard,
            live,
            self._asked_by(context),
            dry_run=dry_run,
            say=lambda line: say(self, line),
        )
        self.tell_later(context, answer.text)
        say(self, f"The upstream is {answer.state}: {answer.text}")
        if answer.state == "up" or (dry_run and answer.state == "unknown"):
            return answer.state
        if force := context["params"].get("force"):
            say(self, f"NOTICE: forced all the same: {force}")
            return answer.state
        raise give_up(
            self,
            f"The upstream is {answer.state}: {answer.text}.\nRe-armed now, its containers would go on restarting, and for "
            f"{plural(guard.cooldown_minutes, 'minute')} the guard would only tell people, not press. Nothing has been "
            "changed. When it answers, clear this task or trigger again; who may approve here can force it (param "
            "force).",
            reason=f"the upstream is {answer.state}: {answer.text}",
            kind="refused",
        )

    def _asked_by(self, context: Context) -> str:
        """A new Job for every try: the answer of before may be out of date."""
        return f"{asked_by(context)}/{context['ti'].try_number}"


class RestoreOperator(RearmOperator):
    """Lets KEDA go on, then brings the replicas back and takes the press off, in one patch."""

    @override
    def step(self, post: Post, context: Context) -> str:
        """Returns what was done."""
        checked = context["ti"].xcom_pull(task_ids="check", key=CHECKED) or {}
        params, dry_run = context["params"], is_dry_run(context)
        note = RearmNote(
            run=post.run,
            by=user_of(context) or "",
            reason=params["reason"],
            forced=params.get("force") or "",
            replicas=int(checked.get("replicas") or 0),
        )
        cluster, namespace, name = post.cluster, post.namespace, post.guard.deployment
        if not checked.get("pressed"):
            # Restored by an earlier try, or by a run whose payments are left.
            say(self, "The replicas were brought back before")
            self.tell_later(context, "The replicas were brought back before")
            return "before"
        if not dry_run:
            self._refuse_without_lock(post, context)
        for line in resume_keda(cluster, namespace, name, dry_run=dry_run):
            say(self, line)
        done = restore(cluster, namespace, name, note, dry_run=dry_run)
        if done.outcome == "absent":
            raise give_up(self, done.text, kind="refused")
        say(self, f"{'Dry run: ' if dry_run else ''}{done.text}")
        for line in name_undoers(cluster, namespace, done.deployment):
            say(self, f"NOTICE: {line}")
        self.tell_later(context, done.text)
        return done.outcome

    def _refuse_without_lock(self, post: Post, context: Context) -> None:
        """A task that is cleared after its run has ended takes the lock again."""
        lock_of(post, context).take(holder_of(post, context), ask_airflow(context), go_on=True)


class RearmRolloutCheckOperator(RearmOperator):
    """Waits, without a worker, until the pods serve."""

    @override
    def step(self, post: Post, context: Context) -> Any:
        """Defers, unless there is nothing to wait for."""
        if is_dry_run(context):
            say(self, "Dry run: nothing was scaled, so there is nothing to wait for")
            raise AirflowSkipException("dry run")
        name = post.guard.deployment
        verdict = judge(post.cluster.get("Deployment", post.namespace, name), name)
        say(self, verdict.text)
        if verdict.phase == "complete":
            self.tell_later(context, verdict.text)
            return verdict.text
        self.defer(
            trigger=RolloutTrigger(
                connection=post.place.connection,
                namespace=post.namespace,
                app=app_of_run(context),
                names=[name],
                title=f"{name} after its re-arm",
                policy=post.place.rollout.model_dump(),
                what_now="",  # that of a release does not hold from zero: `resume` says it
            ),
            method_name="resume",
        )
        return None

    def resume(self, context: Context, event: dict[str, Any]) -> str:
        """What the trigger found."""
        post = post_of(self.guard, context, to_rearm=True)
        with readable_errors(self):
            if event.get("complete"):
                say(self, event["text"])
                self.tell_later(context, event["text"])
                return str(event["text"])
            raise give_up(
                self,
                f"{event['text']}\n\n{what_now_after(post.guard, post.place, self.task_id)}",
                reason=str(event["text"]),
                kind="trouble" if event.get("around") or event.get("lost") else "failed",
            )


class TellRearmOperator(RearmOperator):
    """Tells the guard's list, and writes the re-arm into the history.

    A request that `check` refuses is told once per user and cooldown: nobody can flood a list by asking.
    """

    @override
    def step(self, post: Post, context: Context) -> dict[str, Any]:
        """Returns which channels were told."""
        if is_dry_run(context):
            say(self, "Dry run: nobody is told")
            raise AirflowSkipException("dry run")
        ti: Any = context["ti"]
        said = {name: str(ti.xcom_pull(task_ids=name, key=SAID) or "") for name in STEPS}
        released = ti.xcom_pull(task_ids="release_payments")
        steps = {
            "Scaled": said["restore"],
            "Upstream": said["probe_upstream"],
            "Pods": said["rollout_check"],
            "Payments": str(released.get("summary") or "") if isinstance(released, dict) else "",
        }
        user, reason = user_of(context) or "nobody", str(context["params"]["reason"])
        failure = failure_of(context, STEPS)
        message = rearm_message(
            post.guard, post.place, post.run, steps, failure, user, reason, links_of(post.guard, context)
        )
        say(self, message.plain())
        record_rearm(self, post, message, user, reason, context)
        refused_to = user if failure.startswith("`check`") else ""
        return tell_list(self, post.guard, post.place, message, context, refused_to=refused_to)


def user_of(context: Context) -> str | None:
    """Who triggered the run."""
    user: str | None = getattr(context["dag_run"], "triggering_user_name", None)
    return user


def app_of_run(context: Context) -> str:
    """The application whose lock this run takes, as the first task found it."""
    found = context["ti"].xcom_pull(task_ids="check", key=CHECKED) or {}
    return str(found.get("app") or "")


def lock_of(post: Post, context: Context) -> Lock:
    """The lock of the application."""
    return Lock(post.cluster, post.namespace, app_of_run(context) or post.guard.deployment)


def holder_of(post: Post, context: Context) -> Holder:
    """This run, as the lock names it."""
    dag_run: Any = context["dag_run"]
    return Holder(
        run=post.run,
        kind=dag_run.dag_id,
        user=user_of(context) or "",
        requested_at=requested_at(context),
        url=run_url(dag_run.dag_id, dag_run.run_id),
    )
