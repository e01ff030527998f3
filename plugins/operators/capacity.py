"""The capacity task: shows the plan, and asks whether the cluster has room for it."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context
from typing_extensions import override

from include.capacity.fit import Change, Fit, check_fit
from include.capacity.live import look
from include.capacity.report import fit_text, plan_text
from include.release.frozen import NOTE_DIGEST, Frozen
from include.release.jobs import job_for
from include.release.kube import Cluster
from include.release.problems import RejectedError
from plugins.operators.base import ReleaseOperator, run_name, say


class PlanCapacityOperator(ReleaseOperator):
    """Writes out the arithmetic of the frozen plan, then plays the update through on nodes and quotas as they are now."""

    @override
    def step(self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool) -> dict[str, Any]:
        """Returns the plan, empty without facts; pushes what the cluster has room for as ``fit``."""
        plan = frozen.capacity()
        if plan is None:
            say(self, f"{frozen.release.name} has no capacity facts: it runs what its objects say")
        else:
            say(self, plan_text(plan))
        fit = room_for(frozen, cluster, run_name(context))
        context["ti"].xcom_push(key="fit", value=fit.to_dict())
        say(self, fit_text(fit, frozen.title))
        if fit.problems:
            raise RejectedError(fit.problems, subject=f"the room for {frozen.title}")
        return frozen.plan or {}


def room_for(frozen: Frozen, cluster: Cluster, run: str) -> Fit:
    """Whether the cluster has room for a release while it is rolled out. Raises KubeError."""
    namespace = frozen.environment.namespace
    deployments = frozen.deployments()
    seen = look(cluster, namespace, [each["metadata"]["name"] for each in deployments])
    steps = frozen.release.migrations.steps if frozen.release.migrations else []
    jobs = [
        (f"the Job of migration {step.id}", job_for(frozen, step, run)["spec"]["template"]["spec"])
        for step in steps
    ]
    same = {name for name, live in seen.deployments.items() if _digest_of(live) == frozen.digest}
    return check_fit(
        Change(namespace, deployments, jobs, frozenset(same)), seen, frozen.capacity(), cluster.address
    )


def _digest_of(deployment: dict[str, Any]) -> str:
    notes: dict[str, str] = deployment["metadata"].get("annotations") or {}
    return notes.get(NOTE_DIGEST, "")
