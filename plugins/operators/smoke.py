"""The smoke check: every serving pod is asked what the release promises."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from include.release.frozen import Frozen
from include.release.kube import Cluster
from include.release.smoke import Answered, check_answer, failure_text, serving_pods
from include.release.spec import SmokeCheck
from include.release.texts import table
from plugins.operators.base import ReleaseOperator, give_up, say

PATIENCE_SECONDS = 10.0


class SmokeCheckOperator(ReleaseOperator):
    """Sends the spec's requests to each ready pod through the API server's proxy."""

    def step(
        self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool
    ) -> list[dict[str, Any]]:
        """Returns every answer. Fails with all that were not as expected."""
        if dry_run:
            say(self, "Dry run: nothing was rolled out, so there is nothing to ask")
            raise AirflowSkipException("dry run")
        answers: list[Answered] = []
        for check in frozen.release.smoke_checks:
            answers += self._ask_all(frozen, cluster, check)
        say(self, table(("pod", "request", "status", "as expected"), [
            (each.pod, each.path, each.status, each.fault or "yes") for each in answers
        ]))  # fmt: skip
        rows = [asdict(each) for each in answers]
        context["ti"].xcom_push(key="answers", value=rows)
        if any(each.fault for each in answers):
            raise give_up(self, failure_text(frozen.title, answers))
        say(self, f"{frozen.title}: all {len(answers)} answers are as expected")
        return rows

    def _ask_all(self, frozen: Frozen, cluster: Cluster, check: SmokeCheck) -> list[Answered]:
        manifest = next(each for each in frozen.deployments() if each["metadata"]["name"] == check.workload)
        labels = ",".join(
            f"{key}={value}" for key, value in manifest["spec"]["selector"]["matchLabels"].items()
        )
        image = manifest["spec"]["template"]["spec"]["containers"][0]["image"]
        build = frozen.builds.get(image)
        pods = serving_pods(cluster.list("Pod", frozen.environment.namespace, labels=labels))
        if not pods and manifest["spec"].get("replicas", 1):
            return [Answered(f"({check.workload})", "", 0, "no pod is ready")]
        return [
            answered
            for pod in pods
            for answered in [
                self._ask(frozen, cluster, pod, check, index, build) for index in range(len(check.requests))
            ]
        ]

    def _ask(
        self, frozen: Frozen, cluster: Cluster, pod: str, check: SmokeCheck, index: int, build: str | None
    ) -> Answered:
        """One request; again for a moment when nobody answered, as a pod may just be moving."""
        request, deadline = check.requests[index], time.monotonic() + PATIENCE_SECONDS
        while True:
            status, body = cluster.ask_pod(frozen.environment.namespace, pod, check.port, request.path)
            answered = check_answer(pod, request, status, body, build)
            if not answered.fault or status not in (502, 503, 504) or time.monotonic() > deadline:
                return answered
            time.sleep(0.5)
