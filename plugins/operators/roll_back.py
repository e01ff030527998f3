"""The tasks of a rollback: decide, take migrations back, restore the objects, check what serves then.

They are used twice: as the group ``roll_back`` of a release that failed, and by the DAG ``rollback``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, NoReturn

from airflow.sdk import Context, TaskGroup, chain
from airflow.sdk.exceptions import AirflowSkipException
from typing_extensions import override

from include.release.applying import ONLY_NOTES, spec_name
from include.release.frozen import Frozen
from include.release.kube import Cluster
from include.release.lease import ROLLED_BACK
from include.release.migrating import MigrationError
from include.release.restoring import (
    Restored,
    delete_created,
    deleted,
    pods_left,
    restore,
    wait_until_gone,
    wait_until_replaced,
)
from include.release.rollback_plan import Facts, Layer, RollbackPlan, plan_rollback
from include.release.rollout import judge
from include.release.saved import live_objects, read_saved, release_of, saved_name, stored_release
from include.release.smoke import ask_workload, failure_text
from include.release.targeting import Route, Undone, begun, own_route, passed_by, refuse_passing_by
from include.release.texts import indented, plural, table
from include.release.undoing import Ledger, ask_ledger, undo, wait_for_running
from plugins.hooks.cluster import ClusterHook
from plugins.operators.base import ReleaseOperator, asked_by, give_up, requested_at, run_name, say
from plugins.operators.ending import SAID
from plugins.operators.giving_way import hold_order_batches
from plugins.operators.locking import holder_of, lock_of
from plugins.operators.preflight import ROUTE
from plugins.operators.rollout import RolloutCheckOperator

PLAN, TEXT = "plan", "text"


class PlanRollbackOperator(ReleaseOperator):
    """Decides how to get back. Asks the ledger and counts rows; changes nothing."""

    speaks = True

    @override
    def step(self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool) -> dict[str, Any]:
        """Returns the plan. Skipped when nothing was changed; fails with the choices when there is no way back."""
        route = self._route(frozen, cluster, context, dry_run)
        environment = frozen.environment
        layers = [layer_of(each, release_of(each.spec, frozen, cluster)) for each in route.layers]
        before = read_saved(cluster, environment.namespace, route.before)
        target = stored_release(cluster, environment, route.target)
        releases = [each.frozen for each in layers]
        if dry_run:
            say(
                self,
                "Dry run: no Job is started. Every migration is taken for applied, and no rows are counted",
            )
            for each in route.aside:
                say(
                    self,
                    f"Dry run: whether an earlier rollback has kept migrations of {each.spec} is not asked",
                )
            known = [*releases, *([target] if target else [])]
            ledger = Ledger([step.id for each in known for step in each.release.steps])
        else:
            ledger = self._ledger(frozen, cluster, context, releases)
        facts = Facts(
            layers=layers,
            target=target,
            before=before,
            live=live_objects(cluster, frozen),
            applied=ledger.applied,
            rows=ledger.rows,
            drop_data=bool(context["params"].get("drop_data")),
        )
        if facts.strays():
            facts = self._with_kept(facts, route, frozen, cluster, context)
        plan = plan_rollback(facts)
        context["ti"].xcom_push(key=PLAN, value=plan.model_dump(mode="json"))
        context["ti"].xcom_push(key=SAID, value=plan.sentence)
        if plan.stop:
            raise give_up(self, plan.text, reason=plan.sentence)
        say(self, plan.text)
        return {**plan.model_dump(mode="json"), TEXT: plan.text}

    def _with_kept(
        self, facts: Facts, route: Route, frozen: Frozen, cluster: Cluster, context: Context
    ) -> Facts:
        """Beside what is undone, the releases whose migrations an earlier rollback has kept."""
        strays = set(facts.strays())
        found = [(each.came, layer) for each, layer in zip(route.layers, facts.layers, strict=True)]
        rows = dict(facts.rows)
        for each in route.aside:
            stored = stored_release(cluster, frozen.environment, each.spec)
            if stored is None or strays.isdisjoint(step.id for step in stored.release.steps):
                continue
            say(self, f"An earlier rollback from {stored.release.name} has kept migrations of it")
            found.append((each.came, layer_of(each, stored, aside=True)))
            rows |= self._ledger(frozen, cluster, context, [stored]).rows
        layers = [layer for _, layer in sorted(found, key=lambda pair: pair[0], reverse=True)]
        return replace(facts, layers=layers, rows=rows)

    def _ledger(self, frozen: Frozen, cluster: Cluster, context: Context, releases: list[Frozen]) -> Ledger:
        """What is applied when nothing works on it any more, and the rows that are at stake."""
        namespace, by = frozen.environment.namespace, f"{asked_by(context)}/{self.task_id}"
        holder = lock_of(frozen, cluster).read().holder
        if holder not in ("", run_name(context)):
            raise give_up(
                self,
                f"Run {holder} has the lock now; this run leaves alone what that one changes, its migrations too.\n"
                "What now: that run says what becomes of it. When it has ended, trigger rollback if need be.",
            )
        try:
            wait_for_running(cluster, namespace, frozen.release.app, lambda line: say(self, line))
            return ask_ledger(cluster, releases, by, lambda line: say(self, line), rows=True)
        except MigrationError as error:
            raise give_up(self, str(error)) from None

    def _route(self, frozen: Frozen, cluster: Cluster, context: Context, dry_run: bool) -> Route:
        """From what to what: as the first task of a rollback found it, or back over this run itself."""
        found = context["ti"].xcom_pull(task_ids=self.frozen_by, key=ROUTE)
        if found:
            wanted = Route.model_validate(found)
            if left := passed_by(cluster, frozen, run_name(context), wanted):
                raise refuse_passing_by(left, frozen.release.app, frozen.environment)
            return wanted
        if dry_run:
            say(self, "Dry run: nothing was changed, so there is nothing to roll back")
            raise AirflowSkipException("dry run")
        run = run_name(context)
        route = own_route(cluster, frozen, run)
        if route is None:
            self._refuse_without_state(frozen, cluster, run)
        if route is None or not begun(cluster, frozen, run, route):
            self._nothing(
                frozen, cluster, context, "this run has changed neither objects that run nor the database"
            )
        if route.target == spec_name(frozen.release.name, frozen.digest):
            self._nothing(
                frozen, cluster, context, f"before this run the same {frozen.release.name} was live"
            )
        return route

    def _refuse_without_state(self, frozen: Frozen, cluster: Cluster, run: str) -> None:
        """Fail when this run has begun to change what runs, and nobody knows what was there before."""
        journal = lock_of(frozen, cluster).read().journal
        if journal.run == run and journal.stage not in ("", "configure"):
            raise give_up(
                self,
                f"This run has begun `{journal.stage}`, but it kept no state to go back to: somebody marked `preflight` "
                f"as a success, or deleted the ConfigMap {saved_name(frozen.release.app, run)}.\n"
                "What now: look at what runs; then go forward with a release, which applies what is missing.",
            )

    def _nothing(self, frozen: Frozen, cluster: Cluster, context: Context, why: str) -> NoReturn:
        say(self, f"Nothing to roll back: {why}")
        # The state before the run is what there is: the next run has nothing to ask about.
        lock_of(frozen, cluster).reach(holder_of(frozen, context), ROLLED_BACK)
        raise AirflowSkipException(why)


class _FollowsPlan(ReleaseOperator):
    """A task that does its part of the plan.

    Args:
        plan_by: id of the task that made it.
    """

    speaks = True

    def __init__(self, *, plan_by: str = "roll_back.plan", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan_by = plan_by

    def plan(self, context: Context) -> RollbackPlan:
        """The plan of this run."""
        found = context["ti"].xcom_pull(task_ids=self.plan_by)
        if not found:
            raise give_up(self, f"{self.plan_by} handed no plan on; clear it first")
        return RollbackPlan.model_validate({key: value for key, value in found.items() if key != TEXT})


class UndoMigrationsOperator(_FollowsPlan):
    """Takes the plan's migrations back, newest first, by the build that brought them.

    Args:
        when: before the objects are restored, or after; the plan says which of the two it is.
    """

    changes_cluster = True
    needs_approval = True

    def __init__(self, *, when: Literal["first", "after"], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.when = when

    @override
    def step(
        self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool
    ) -> list[dict[str, Any]]:
        """Returns per migration what its Job said."""
        plan = self.plan(context)
        mine = (plan.order == "migrations first") == (self.when == "first")
        if not plan.undo or not mine:
            other = "after the pods" if self.when == "first" else "before the pods"
            say(
                self,
                f"Nothing to do here: {f'migrations are taken back {other}' if plan.undo else 'no migration is taken back'}",
            )
            return []
        if dry_run:
            say(self, f"Dry run: these would be taken back: {', '.join(each.id for each in plan.undo)}")
            return []
        hold_order_batches(self, frozen, cluster, context)
        namespace = frozen.environment.namespace
        if self.when == "first":
            # What only the newer release has does not work on while its tables go.
            say(self, shown(delete_created(cluster, plan.delete, namespace, frozen.release.app)))
            still = wait_until_gone(cluster, deleted(plan), namespace)
            if still:
                raise give_up(
                    self, f"These pods do not end: {', '.join(still)}. Look at their node; clear this task."
                )
        else:
            self._refuse_while_they_work(plan, frozen, cluster)
        try:
            done = undo(
                cluster,
                plan,
                lambda spec: release_of(spec, frozen, cluster),
                asked_by(context),
                lambda line: say(self, line),
            )
        except MigrationError as error:
            raise give_up(self, str(error)) from None
        rows = [(each["id"], each["seconds"], each["result"]) for each in done]
        say(self, table(("migration", "seconds", "last line"), rows))
        back = [each["id"] for each in done if each["result"] != "kept"]
        context["ti"].xcom_push(key=SAID, value=f"Migrations taken back: {', '.join(back) or 'none'}.")
        return done

    def _refuse_while_they_work(self, plan: RollbackPlan, frozen: Frozen, cluster: Cluster) -> None:
        """Fail while pods of what is undone are there: they work with what would be taken back."""
        still = [
            *wait_until_replaced(cluster, plan, frozen.environment.namespace),
            *pods_left(cluster, plan, frozen, lambda line: say(self, line)),
        ]
        if still:
            raise give_up(
                self,
                f"Of {plan.undoing} there are still {', '.join(still)}, which work with what would be taken back: "
                f"{', '.join(each.id for each in plan.undo)}. Nothing was taken back.\n"
                f"What now: {plan.target} is restored, and nothing is urgent. Look at these pods and their node; is the "
                "node off for good, delete them (kubectl delete pod --force). Then clear this task.",
            )


class RestoreOperator(_FollowsPlan):
    """Brings the plan's objects back and deletes what the change created. Doing it again changes nothing."""

    changes_cluster = True
    needs_approval = True

    @override
    def step(
        self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool
    ) -> list[dict[str, Any]]:
        """Returns per object what became of it."""
        plan = self.plan(context)
        if dry_run:
            say(self, f"Dry run: this would be done\n{plan.text}")
            return []
        environment = frozen.environment
        done = restore(
            cluster,
            plan,
            stored_release(cluster, environment, plan.target_spec),
            read_saved(cluster, environment.namespace, plan.saved_state),
            environment.namespace,
            frozen.release.app,
            run_name(context),
            requested_at=requested_at(context),
        )
        say(self, shown(done))
        return [{"kind": each.kind, "name": each.name, "outcome": each.outcome} for each in done]


class RestoredCheckOperator(_FollowsPlan, RolloutCheckOperator):
    """Waits until what was restored serves and what was deleted is gone; then asks the pods what they promise.

    Args:
        asks: ask the pods too; not where tasks of their own do.
    """

    def __init__(self, *, asks: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.asks = asks

    @override
    def step(self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool) -> Any:
        """Defers, unless there is nothing to wait for."""
        if dry_run:
            say(self, "Dry run: nothing was restored, so there is nothing to check")
            raise AirflowSkipException("dry run")
        plan = self.plan(context)
        names = [name for kind, name in (*plan.restore, *plan.restore_saved) if kind == "Deployment"]
        verdicts = [
            judge(cluster.get("Deployment", frozen.environment.namespace, name), name) for name in names
        ]
        for verdict in verdicts:
            say(self, verdict.text)
        if all(verdict.phase == "complete" for verdict in verdicts):
            return self._served(plan, frozen, cluster, context)
        self.wait_for(frozen, names, f"{plan.target} ({frozen.release.app}) in {frozen.environment.name}")
        return None

    @override
    def resume(self, context: Context, event: dict[str, Any]) -> list[dict[str, Any]]:
        """What the trigger found, and the rest of the check."""
        super().resume(context, event)
        frozen = Frozen.from_json(self.frozen_text(context) or "")
        cluster = ClusterHook(frozen.environment.connection).get_conn()
        return self._served(self.plan(context), frozen, cluster, context)

    def _served(
        self, plan: RollbackPlan, frozen: Frozen, cluster: Cluster, context: Context
    ) -> list[dict[str, Any]]:
        target = stored_release(cluster, frozen.environment, plan.target_spec)
        if still := pods_left(cluster, plan, frozen, lambda line: say(self, line)):
            later = plan.undo and plan.order == "pods first"
            rest = ". No migration is taken back while they are there" if later else ""
            text = f"These pods do not end in their time; their node may be lost: {', '.join(still)}{rest}"
            say(self, text, error=True)
        if target is None:
            text = "what ran before was not brought by a release, so nobody knows what its pods should answer"
            say(self, f"{plan.target} is restored; {text}")
            context["ti"].xcom_push(key=SAID, value=f"Restored: {plan.target}; {text}.")
            return []
        if not self.asks:
            return []
        answers = [
            answer
            for check in target.release.smoke_checks
            for answer in ask_workload(cluster, target, check, lambda line: say(self, line))
        ]
        if any(each.fault for each in answers):
            raise give_up(self, failure_text(target.title, answers))
        pods = plural(len({each.pod for each in answers}), "pod")
        say(self, f"{target.title}: {pods} gave {len(answers)} answers, all as expected")
        context["ti"].xcom_push(
            key=SAID, value=f"{target.title} serves again: {pods} answered as they should."
        )
        return []


def roll_back_group(**plan: Any) -> TaskGroup:
    """The group ``roll_back`` of a release: it goes back over what the run itself has changed.

    It needs no approval of its own: what it restores was there when the release was approved.

    Args:
        plan: for its first task, such as ``trigger_rule``.
    """
    back: dict[str, Any] = {"approved_by": None}
    with TaskGroup("roll_back") as group:
        chain(
            PlanRollbackOperator(task_id="plan", **plan),
            UndoMigrationsOperator(task_id="undo_first", when="first", **back),
            RestoreOperator(task_id="restore", **back),
            RestoredCheckOperator(task_id="restored_check"),
            UndoMigrationsOperator(task_id="undo_after", when="after", reached=ROLLED_BACK, **back),
        )
    return group


def layer_of(undone: Undone, frozen: Frozen, *, aside: bool = False) -> Layer:
    """A release of a route, as the plan takes it."""
    return Layer(frozen, None if undone.applied is None else frozenset(undone.applied), aside)


def shown(done: list[Restored]) -> str:
    """What became of each object, with the differences."""
    lines = []
    for each in done:
        lines.append(f"{each.kind} {each.name}: {each.outcome}")
        lines += [indented(each.diff or ONLY_NOTES)] if each.outcome == "changed" else []
    return "\n".join(lines) or "No object to delete"
