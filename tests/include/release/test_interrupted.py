"""What an interrupted run has left, told from the cluster."""

from __future__ import annotations

import time
from typing import Any

from include.jobs.state import job_state
from include.release.applying import apply_object
from include.release.interrupted import choices, look, still_running
from include.release.jobs import job_for
from include.release.lease import Journal

RUN = Journal(
    run="release/a", kind="release", user="oncall", release="small", since="2026-11-21T03:04:05.000006Z",
    stage="migrate", saved_state="small-before-0123456789",
)  # fmt: skip


def test_objects_with_their_release_and_jobs_with_their_state_are_told(cluster: Any, small: Any) -> None:
    client = cluster.connect()
    frozen = small(("replicas: 2", "replicas: 1"), ("print('one')", "import time; time.sleep(60)"))
    namespace = frozen.environment.namespace
    for manifest in (*frozen.config_maps, *frozen.objects):
        apply_object(client, manifest, frozen, "release/before", dry_run=False)
    job = job_for(frozen, frozen.release.migrations.steps[0], "release/a/0")
    client.create(job, namespace)
    name = job["metadata"]["name"]

    left = look(client, frozen, [RUN])
    assert left.text.startswith(
        "Run release/a (release small, asked for by oncall), which had the lock from 2026-11-21 03:04:05 UTC, did not "
        "come to an end: `migrate` was the last task begun that changes something, and no step has seen where that "
        "led. The state before it is kept in ConfigMap small-before-0123456789."
    )
    assert "web         small    release/before" in left.text
    assert f"{name}  first      running" in left.text
    assert left.running == (name,)
    assert f"A migration of it still runs: Job {name}. Going on or back now would work" in still_running(left)

    client.delete("Job", namespace, name)
    deadline = time.monotonic() + 20
    while client.get("Job", namespace, name) and time.monotonic() < deadline:
        time.sleep(0.1)
    left = look(client, frozen, [RUN])
    assert (left.running, still_running(left)) == ((), "")
    assert name not in left.text


def test_a_job_of_another_run_that_has_ended_is_no_news(cluster: Any, small: Any) -> None:
    client, frozen = cluster.connect(), small()
    job = job_for(frozen, frozen.release.migrations.steps[0], "release/long-ago/0")
    client.create(job, frozen.environment.namespace)
    name = job["metadata"]["name"]
    deadline = time.monotonic() + 20
    while job_state(client.get("Job", frozen.environment.namespace, name)).phase == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    left = look(client, frozen, [RUN])
    assert name not in left.text
    assert "no Deployment of it" in left.text


def test_the_choices_name_the_params_of_both_dags(cluster: Any, small: Any) -> None:
    frozen = small()
    older = Journal(run="release/older", stage="deploy", saved_state="small-before-9")
    text = choices(frozen, [older, RUN])
    assert "go on: trigger the DAG release with the param interrupted = 'go on'" in text
    assert (
        "roll back: trigger the DAG rollback with environment test, app small and target 'before release/older'"
        in text
    )
    text = choices(frozen, [Journal(run="release/a", stage="deploy")])
    assert "trigger the DAG rollback with the release that ran before" in text
