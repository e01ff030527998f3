"""Rollouts on a running cluster: complete, or failed with the reason, the events and the last log lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.release.applying import apply_object, ensure_immutable
from include.release.environments import RolloutPolicy
from include.release.following import Follower, Outcome
from include.release.frozen import Frozen
from include.release.kube_async import AsyncCluster

POLICY = RolloutPolicy(
    image_grace_seconds=1, config_grace_seconds=1, quota_grace_seconds=1, timeout_seconds=60
)


@pytest.fixture
def roll_out(cluster: Any, small: Callable[..., Frozen]) -> Callable[..., Any]:
    """Apply the small release with words replaced, and follow it; returns the outcome and the lines said."""

    async def go(
        *pairs: tuple[str, str],
        edit: Callable[[dict[str, Any]], None] | None = None,
        what_now: str | None = None,
    ) -> tuple[Outcome, list[str]]:
        from kubernetes_asyncio import client
        from kubernetes_asyncio.config import load_kube_config

        frozen, where = small(*pairs), cluster.connect()
        for manifest in frozen.config_maps:
            ensure_immutable(where, manifest, frozen.environment.namespace)
        for manifest in frozen.objects:
            if edit is not None:
                edit(manifest["spec"]["template"]["spec"]["containers"][0])
            apply_object(where, manifest, frozen, "test", dry_run=False)
        configuration = client.Configuration()
        await load_kube_config(str(cluster.kubeconfig), client_configuration=configuration)
        said: list[str] = []
        async with client.ApiClient(configuration) as api:
            follower = Follower(
                AsyncCluster(api),
                frozen.environment.namespace,
                "small",
                ["web"],
                frozen.title,
                POLICY,
                said.append,
                what_now,
            )
            return await follower.follow(), said

    return go


async def test_a_good_release_is_complete(roll_out):
    outcome, said = await roll_out()
    assert outcome.complete, outcome.text
    assert outcome.rows == [{"deployment": "web", "revision": "1", "pods": 2}]
    assert said[-1] == "web: rolled out, 2 of 2 pods are new and serve"


@pytest.mark.parametrize(
    ("pairs", "texts"),
    [
        (
            [
                (
                    "import http",
                    "print('cannot find the plants', flush=True); raise SystemExit(3); import http",
                )
            ],
            [
                "was restarted 3 times; it ended with exit code 3",
                "Last log lines of web in pod web-",
                "    cannot find the plants",
            ],
        ),
        (
            [('"/" else', '"/other" else'), ("progressDeadlineSeconds: 60", "progressDeadlineSeconds: 4")],
            [
                "is not ready: Readiness probe failed: HTTP probe failed with statuscode: 404",
                "no progress for 4 s",
            ],
        ),
        ([("kind: Deployment", "kind: Deployment")], ["the quota refuses new pods", "exceeded quota: one"]),
    ],
    ids=["crash loop", "probe", "quota"],
)
async def test_a_bad_release_fails_with_its_reason(roll_out, cluster, namespace, pairs, texts, request):
    if "quota" in request.node.callspec.id:
        limit_pods(cluster, namespace, 1)
    outcome, _ = await roll_out(*pairs)
    assert not outcome.complete
    assert outcome.text.startswith("The rollout of small (small) in test failed: ")
    for text in (
        *texts,
        "Events (last ",
        "What now: the pods of the previous build still serve",
        "in a rollback: nothing",
    ):
        assert text in outcome.text
    # A quota says nothing of the build.
    assert outcome.around == ("quota" in request.node.callspec.id)


async def test_a_caller_with_advice_of_its_own_leaves_out_that_of_a_release(roll_out):
    other = "sha256:" + "0" * 64
    outcome, _ = await roll_out(
        edit=lambda container: container.update(image=f"standin.local/web:9@{other}"), what_now=""
    )
    assert "image standin.local/web:9" in outcome.text
    assert "What now" not in outcome.text
    assert "previous build" not in outcome.text


async def test_an_image_that_does_not_exist_fails_long_before_the_deadline(roll_out):
    other = "sha256:" + "0" * 64
    outcome, _ = await roll_out(edit=lambda container: container.update(image=f"standin.local/web:9@{other}"))
    assert "image standin.local/web:9" in outcome.text
    assert "cannot be pulled" in outcome.text
    assert outcome.around


async def test_a_config_map_that_is_not_there_is_named(roll_out):
    reference = {"configMapRef": {"name": "absent"}}
    outcome, _ = await roll_out(edit=lambda container: container.update(envFrom=[reference]))
    assert "container web of pod web-" in outcome.text
    assert 'configmap "absent" not found' in outcome.text
    assert outcome.around


def limit_pods(cluster: Any, namespace: str, count: int) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "one"},
        "spec": {"hard": {"pods": str(count)}},
    }
    cluster.connect().create(quota, namespace)
