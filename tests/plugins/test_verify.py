"""The build check on real pods."""

from __future__ import annotations

import time
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.release.applying import apply_object, ensure_immutable
from include.release.rollout import judge
from plugins.operators import verify
from plugins.operators.verify import VerifyBuildOperator

ROUTE = ('self.send_response(200 if self.path == "/" else 404)', "self.send_response(200)")
ANSWER = ('os.environ["TEXT"].encode()', "b'{\"build\": \"' + b'1' * 64 + b'\"}'")
CHECK = ("- {path: /}", "- {path: /version, build: true}")


def deploy(client: Any, frozen: Any) -> None:
    namespace = frozen.environment.namespace
    for manifest in frozen.config_maps:
        ensure_immutable(client, manifest, namespace)
    for manifest in frozen.objects:
        apply_object(client, manifest, frozen, "release/run-1", dry_run=False)
    deadline = time.monotonic() + 60
    while judge(client.get("Deployment", namespace, "web"), "web").phase != "complete":
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_pods_are_verified_by_digest_and_by_what_the_program_says(
    cluster, connection, context, small, monkeypatch, capsys
):
    connection(cluster.kubeconfig)
    frozen = small(ROUTE, ANSWER, CHECK)
    image = next(iter(frozen.images.values()))
    frozen = frozen.model_copy(update={"builds": {image: "1" * 64}})
    deploy(cluster.connect(), frozen)
    run = context()
    run["ti"].values["freeze_and_check", "return_value"] = frozen.to_json()
    rows = VerifyBuildOperator(task_id="verify_build").execute(run)
    assert [(each["workload"], each["digest"], each["build"], each["fault"]) for each in rows] == [
        ("web", image.partition("@")[2], "1" * 64, "")
    ] * 2
    assert run["ti"].values["", "seen"] == rows
    said = capsys.readouterr().out
    assert "2 pods take traffic, all with the builds that were frozen" in said
    # The same pods, had another build been frozen.
    monkeypatch.setattr(verify, "PATIENCE_SECONDS", 0)
    run["ti"].values["freeze_and_check", "return_value"] = frozen.model_copy(
        update={"builds": {image: "2" * 64}}
    ).to_json()
    with pytest.raises(AirflowFailException, match="2 pods that take traffic do not run what was released"):
        VerifyBuildOperator(task_id="verify_build").execute(run)
    assert [each["fault"] for each in run["ti"].values["", "seen"]] == [
        "build 111111111111 instead of 222222222222"
    ] * 2


def test_the_same_build_with_the_configuration_of_another_release_is_not_what_was_released(
    cluster, connection, context, small
):
    connection(cluster.kubeconfig)
    first = small()
    deploy(cluster.connect(), first)
    run = context()
    # It failed and was rolled back; then somebody clears the checks only.
    second = small(("replicas: 2", "replicas: 1"))
    assert second.images == first.images
    run["ti"].values["freeze_and_check", "return_value"] = second.to_json()
    with pytest.raises(AirflowFailException, match="Deployment web is brought by small, run release/run-1"):
        VerifyBuildOperator(task_id="verify_build").execute(run)


def test_a_dry_run_verifies_nothing(cluster, connection, context, small):
    connection(cluster.kubeconfig)
    run = context(dry_run=True)
    run["ti"].values["freeze_and_check", "return_value"] = small().to_json()
    with pytest.raises(AirflowSkipException):
        VerifyBuildOperator(task_id="verify_build").execute(run)


def test_a_pressed_deployment_has_nothing_to_verify_and_is_no_failure(
    cluster, connection, context, small, namespace, capsys
):
    """A release over a pressed Deployment, or a press during one, must not be rolled back for want of pods."""
    from include.restarts.press import PressNote, press

    connection(cluster.kubeconfig)
    client, frozen = cluster.connect(), small(("replicas: 2", "replicas: 1"))
    client.create(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {**frozen.deployments()[0]["spec"]},
        },
        namespace,
    )
    uid = client.get("Deployment", namespace, "web")["metadata"]["uid"]
    assert press(client, namespace, "web", uid, PressNote(run="web_guard/1")).outcome == "pressed"
    for manifest in frozen.config_maps:
        ensure_immutable(client, manifest, namespace)
    for manifest in frozen.objects:
        apply_object(client, manifest, frozen, "release/run-1", dry_run=False, force=True)
    run = context()
    run["ti"].values["freeze_and_check", "return_value"] = frozen.to_json()
    assert VerifyBuildOperator(task_id="verify_build").execute(run) == []
    assert "web: its red button is pressed" in capsys.readouterr().out
