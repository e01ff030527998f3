"""An old run that somebody clears does not undo what a later run released."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from include.release.frozen import NOTE_REQUESTED, NOTE_RUN
from include.release.live import going_back
from plugins.operators.configure import ConfigureOperator
from plugins.operators.deploy import DeployOperator
from plugins.operators.migrate import MigrateOperator


def of_run(context: Any, frozen: Any, name: str, hour: int | None) -> Any:
    made = context()
    made["dag_run"].run_id = name
    if hour is not None:
        made["dag_run"].run_after = datetime(2026, 11, 21, hour, tzinfo=UTC)
    made["ti"].values["freeze_and_check", "return_value"] = frozen.to_json()
    return made


def notes(client: Any, frozen: Any) -> list[dict[str, str]]:
    found = client.list("Deployment", frozen.environment.namespace)
    return [each["metadata"]["annotations"] for each in found]


def test_an_old_run_is_refused_after_a_later_one(cluster, connection, context, small):
    connection(cluster.kubeconfig)
    client, first = cluster.connect(), small(("replicas: 2", "replicas: 1"))
    second = small()
    deploy = DeployOperator(task_id="deploy")
    deploy.execute(of_run(context, first, "a", 1))
    deploy.execute(of_run(context, second, "b", 2))
    assert {each[NOTE_RUN] for each in notes(client, second)} == {"release/b"}
    assert {each[NOTE_REQUESTED] for each in notes(client, second)} == {"2026-11-21T02:00:00+00:00"}
    before = notes(client, second)
    for task in (ConfigureOperator(task_id="c"), MigrateOperator(task_id="m"), deploy):
        with pytest.raises(AirflowFailException) as raised:
            task.execute(of_run(context, first, "a", 1))
        text = str(raised.value)
        assert "by run release/b, requested at 2026-11-21T02:00:00+00:00" in text
        assert "fix:      trigger a new run of the release that you want" in text
    assert notes(client, second) == before
    assert client.list("ConfigMap", second.environment.namespace, labels="plan-reduce-repeat/app") == []
    deploy.execute(of_run(context, second, "b", 2))
    assert notes(client, second) == before
    deploy.execute(of_run(context, first, "c", 3))
    assert {each[NOTE_RUN] for each in notes(client, first)} == {"release/c"}


def test_a_run_of_which_the_time_is_not_known_is_not_in_the_way(cluster, connection, context, small):
    connection(cluster.kubeconfig)
    frozen = small()
    DeployOperator(task_id="deploy").execute(of_run(context, frozen, "a", None))
    assert all(NOTE_REQUESTED not in each for each in notes(cluster.connect(), frozen))


def test_going_back_is_announced_with_what_stays(cluster, connection, context, small):
    connection(cluster.kubeconfig)
    client, frozen = cluster.connect(), small()
    assert going_back(client, frozen) == ""
    DeployOperator(task_id="deploy").execute(of_run(context, frozen, "a", 1))
    assert going_back(client, frozen) == ""
    lower = frozen.model_copy(
        update={
            "release": frozen.release.model_copy(update={"name": "before", "number": 0}),
            "objects": [],
        }
    )
    text = going_back(client, lower)
    assert text.startswith(f"NOTICE: this goes back from {frozen.release.name}, which is live, to before.")
    assert "Migrations are not taken back" in text
    for each in frozen.deployments():
        assert f"Deployment {each['metadata']['name']}" in text
