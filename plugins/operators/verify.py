"""The build check: what every serving pod runs is what was released."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from include.release.frozen import NOTE_DIGEST, NOTE_RELEASE, NOTE_RUN, Frozen
from include.release.kube import Cluster
from include.release.pressed import is_pressed
from include.release.smoke import serving_pods
from include.release.texts import plural, table
from include.release.verifying import Seen, failure_text, strangers, verify_workload
from plugins.operators.base import ReleaseOperator, give_up, say

PATIENCE_SECONDS = 10.0


class VerifyBuildOperator(ReleaseOperator):
    """Compares each container's imageID, and the build id that the program computes of itself."""

    def step(
        self, frozen: Frozen, cluster: Cluster, context: Context, *, dry_run: bool
    ) -> list[dict[str, Any]]:
        """Returns a row per container. Fails with all that run something else."""
        if dry_run:
            say(self, "Dry run: nothing was rolled out, so there is nothing to verify")
            raise AirflowSkipException("dry run")
        if others := _of_others(frozen, cluster):
            raise give_up(
                self,
                f"What is there is not {frozen.title} as it was frozen: {'; '.join(others)}. It was rolled back, or "
                "somebody changed it. To bring it again, trigger a new run.",
                kind="trouble",
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        seen = self._look(frozen, cluster)
        # A pod may just be moving: look again for a moment before this counts.
        while any(each.fault for each in seen) and time.monotonic() < deadline:
            time.sleep(1)
            seen = self._look(frozen, cluster)
        rows = [asdict(each) for each in seen]
        context["ti"].xcom_push(key="seen", value=rows)
        say(self, shown(seen))
        if any(each.fault for each in seen):
            raise give_up(self, failure_text(frozen.title, seen))
        pods = len({each.pod for each in seen})
        say(self, f"{frozen.title}: {plural(pods, 'pod')} take traffic, all with the builds that were frozen")
        return rows

    def _look(self, frozen: Frozen, cluster: Cluster) -> list[Seen]:
        namespace = frozen.environment.namespace
        pods = cluster.list("Pod", namespace)
        seen: list[Seen] = []
        for deployment in frozen.deployments():
            wanted = deployment["spec"]["selector"]["matchLabels"]
            matching = [
                pod for pod in pods if wanted.items() <= (pod["metadata"].get("labels") or {}).items()
            ]
            if not serving_pods(matching) and self._is_pressed(cluster, namespace, deployment):
                continue
            seen += verify_workload(
                frozen,
                deployment,
                matching,
                lambda pod, port, path: cluster.ask_pod(namespace, pod, port, path),
            )
        return seen + strangers(frozen, pods)

    def _is_pressed(self, cluster: Cluster, namespace: str, deployment: dict[str, Any]) -> bool:
        """Whether it has no pods because its red button is pressed: that is no failure of the release."""
        name = deployment["metadata"]["name"]
        pressed = is_pressed(cluster.get("Deployment", namespace, name))
        if pressed:
            say(self, f"{name}: its red button is pressed, it has no pods, and there is nothing to verify")
        return pressed


def _of_others(frozen: Frozen, cluster: Cluster) -> list[str]:
    """The Deployments that this frozen release has not brought.

    The builds alone would not tell: a release may differ from the one before in its configuration only.
    """
    found = []
    for deployment in frozen.deployments():
        name = deployment["metadata"]["name"]
        live = cluster.get("Deployment", frozen.environment.namespace, name)
        notes = ((live or {}).get("metadata") or {}).get("annotations") or {}
        if notes.get(NOTE_DIGEST) != frozen.digest:
            by = f"brought by {notes.get(NOTE_RELEASE, 'no release')}, run {notes.get(NOTE_RUN, 'not known')}"
            found.append(f"Deployment {name} is {by if live else 'gone'}")
    return found


def shown(seen: list[Seen]) -> str:
    """The table of the task log."""
    rows = [
        (each.workload, each.pod, each.container, each.digest[:19] or "-", each.build[:12] or "-",
         "no: " + each.fault if each.fault else "yes")
        for each in seen
    ]  # fmt: skip
    return table(("workload", "pod", "container", "image", "build id", "as released"), rows)
