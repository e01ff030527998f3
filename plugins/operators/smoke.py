"""The smoke check: every serving pod is asked what the release promises."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from include.release.frozen import Frozen
from include.release.kube import Cluster
from include.release.smoke import Answered, Summary, check_answer, failure_text, serving_pods, summarise
from include.release.spec import HttpCheck, SmokeCheck
from include.release.texts import plural, table
from plugins.operators.base import ReleaseOperator, give_up, say

PATIENCE_SECONDS = 10.0


class SmokeCheckOperator(ReleaseOperator):
    """Sends the spec's requests to each ready pod through the API server's proxy."""

    def step(
        self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool
    ) -> list[dict[str, Any]]:
        """Returns the answers, equal ones counted. Fails with all that were not as expected."""
        if dry_run:
            say(self, "Dry run: nothing was rolled out, so there is nothing to ask")
            raise AirflowSkipException("dry run")
        answers: list[Answered] = []
        summary: list[Summary] = []
        for check in frozen.release.smoke_checks:
            found = self._ask_all(frozen, cluster, check)
            answers += found
            summary += summarise(check.workload, found)
        shown = [(each.workload, each.path, each.status, each.pods, each.fault or "yes") for each in summary]
        say(self, table(("workload", "request", "status", "pods", "as expected"), shown))
        rows = [asdict(each) for each in summary]
        context["ti"].xcom_push(key="answers", value=rows)
        if any(each.fault for each in answers):
            raise give_up(self, failure_text(frozen.title, answers))
        pods = len({each.pod for each in answers})
        say(self, f"{frozen.title}: {plural(pods, 'pod')} gave {len(answers)} answers, all as expected")
        return rows

    def _ask_all(self, frozen: Frozen, cluster: Cluster, check: SmokeCheck) -> list[Answered]:
        """Every request to every pod that serves."""
        manifest = next(each for each in frozen.deployments() if each["metadata"]["name"] == check.workload)
        wanted = manifest["spec"]["selector"]["matchLabels"]
        labels = ",".join(f"{key}={value}" for key, value in wanted.items())
        build = frozen.builds.get(manifest["spec"]["template"]["spec"]["containers"][0]["image"])
        pods = serving_pods(cluster.list("Pod", frozen.environment.namespace, labels=labels))
        if not pods and manifest["spec"].get("replicas", 1):
            return [Answered(f"({check.workload})", "", 0, "no pod is ready")]
        return [
            self._ask(frozen, cluster, pod, check.port, request, build)
            for pod in pods
            for request in check.requests
        ]

    def _ask(
        self, frozen: Frozen, cluster: Cluster, pod: str, port: int, request: HttpCheck, build: str | None
    ) -> Answered:
        """One request; again for a moment when nobody answered, as a pod may just be moving."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            status, body = cluster.ask_pod(frozen.environment.namespace, pod, port, request.path)
            answered = check_answer(pod, request, status, body, build)
            if not answered.fault or status not in (502, 503, 504) or time.monotonic() > deadline:
                return answered
            time.sleep(0.5)
