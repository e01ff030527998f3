"""The first tasks of a rollback: find and freeze what to go back to, and say what the gate thinks of it."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator, Context
from typing_extensions import override

from include.release.asking import BREAK_LOCK, wrong_exception, wrong_request
from include.release.environments import Environment, belongs, may_trigger
from include.release.frozen import Frozen
from include.release.kube import Cluster, KubeError
from include.release.loading import Sources
from include.release.preflight import connection_problem
from include.release.problems import Problem, RejectedError
from include.release.targeting import Found, find_target
from plugins.hooks.cluster import ClusterHook
from plugins.operators.base import give_up, readable_errors, say
from plugins.operators.ending import SAID
from plugins.operators.gate import GateOperator
from plugins.operators.preflight import ROUTE


class FindTargetOperator(BaseOperator):
    """Finds the target in what earlier runs kept in the namespace, and hands it on as the frozen release.

    Rules (who may, whom to tell, approval) are those of the environment's file today; everything else is what was
    frozen when the target was released.
    """

    ui_color = "#e4ecf7"

    def execute(self, context: Context) -> str:
        """Returns the target as JSON. Fails with every problem at once; nothing was changed then."""
        params, dag_run = context["params"], context["dag_run"]
        user = getattr(dag_run, "triggering_user_name", None)
        intent = "Dry run of a rollback" if params["dry_run"] else "Rollback"
        say(
            self,
            f"{intent} of {params['app']} in {params['environment']} to {params['target']}, asked for by "
            f"{user or 'nobody'}: {params['reason']}",
        )
        with readable_errors(self):
            environment = self._environment(context, user)
            cluster = ClusterHook(environment.connection).get_conn()
            try:
                found = find_target(cluster, environment, params["app"], params["target"])
            except KubeError as error:
                raise connection_problem(environment, error, cluster.address) from error
        # Before a run that only brought the same again, its objects are still restored: it may have been interrupted.
        if not found.route.before:
            raise give_up(
                self,
                f"{found.target.title} is what runs already: there is nothing to roll back",
                kind="refused",
            )
        context["ti"].xcom_push(key=ROUTE, value=found.route.model_dump(mode="json"))
        say(self, summary(found))
        return found.target.to_json()

    def _environment(self, context: Context, user: str | None) -> Environment:
        """The environment, when the request is right. Raises RejectedError with every problem."""
        params, sources = context["params"], Sources.from_environment()
        conf: dict[str, Any] = getattr(context["dag_run"], "conf", None) or {}
        app = sources.wrong_app(str(params["app"]))
        problems = [
            *([app] if app else []),
            *wrong_request(conf, params["reason"], list(context["dag"].params)),
        ]
        environments = sources.environments()
        environment = environments.find(params["environment"])
        if environment is None:
            known = ", ".join(each.name for each in environments.environments)
            found = f"environment {params['environment']!r}"
            problems.append(Problem("param environment", "", found, f"one of {known}", "choose one"))
        else:
            refused = [
                may_trigger(environment, user),
                belongs(environment, str(params["app"])),
                wrong_exception(environment, user, BREAK_LOCK, params.get(BREAK_LOCK)),
            ]
            problems += [each for each in refused if each]
        if problems or environment is None:
            raise RejectedError(problems, subject=f"the rollback in {params['environment']!r}")
        return environment


class TargetGateOperator(GateOperator):
    """Says what the gate thinks of the target's builds. It refuses none.

    They have served here before. When what serves now is worse, there has to be a way back to them, whatever was
    found out since.
    """

    speaks = True

    @override
    def step(
        self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool
    ) -> list[dict[str, Any]]:
        """Returns the verdicts; none when the gate would refuse them."""
        try:
            return super().step(frozen, cluster, context, dry_run=False)
        except RejectedError as error:
            say(self, f"NOTICE: as a release, this would be refused. A rollback is not.\n{error}")
            text = f"The gate of {frozen.environment.name} would not let {frozen.release.name} in as a release today."
            context["ti"].xcom_push(key=SAID, value=text)
            return []


def summary(found: Found) -> str:
    """What was found, as the task log shows it."""
    target = found.target
    lines = [
        f"Target: {target.title}, digest {target.digest[:16]}, as it was released then (from {target.source})",
        f"Undone on the way: {', '.join(each.spec for each in found.route.layers) or 'no release'}",
        *(
            f"Gone back from meanwhile: {each.spec}; migrations of it that were kept are taken back or stop this"
            for each in found.route.aside
        ),
        f"Found by the run that saved {found.route.before}",
        *(f"Build: {short} is {resolved}" for short, resolved in target.images.items()),
    ]
    return "\n".join([*lines, "The tasks after this one read only what was found here."])
