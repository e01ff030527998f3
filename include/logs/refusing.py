"""What it means when a cluster refuses what a clean-up needs."""

from __future__ import annotations

from include.logs.loading import PlacedVolume
from include.release.kube import KubeError
from include.release.problems import Problem, RejectedError


def refusal(error: KubeError, placed: PlacedVolume) -> Exception:
    """The error to raise: one that says what to do, where that is known; else the cluster's own."""
    namespace = placed.environment.namespace if placed.environment else ""
    connection = placed.environment.connection if placed.environment else ""
    if error.transient:
        return error
    if "exceeded quota" in error.message:
        expected, fix = (
            "room in the namespace's ResourceQuota",
            "raise the quota, or lower resources: of the volume",
        )
    elif error.status == 403:
        expected = (
            f"a user who may create jobs and configmaps in namespace {namespace}, and read claims and pods"
        )
        fix = f"give the user of connection {connection} the role of docs/log-cleanup.md"
    elif error.status == 404 and error.reason == "NotFound":
        expected, fix = f"namespace {namespace}", "correct namespace: of the environment, or create it"
    elif error.status == 422:
        expected, fix = (
            "a Job that the cluster accepts",
            "correct what it names, under the volume in log_retention.yaml",
        )
    else:
        return error
    problem = Problem(f"namespace {namespace}", placed.name, str(error), expected, fix)
    return RejectedError([problem], subject=f"the clean-up of {placed.name}")
