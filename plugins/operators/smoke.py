"""The smoke check: every serving pod is asked what the release promises."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from include.release.frozen import Frozen
from include.release.kube import Cluster
from include.release.smoke import Answered, Summary, ask_workload, failure_text, summarise
from include.release.texts import plural, table
from plugins.operators.base import ReleaseOperator, give_up, say


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
            found = ask_workload(cluster, frozen, check, lambda line: say(self, line))
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
