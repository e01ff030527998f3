"""The official Python clients do what the procedures need of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import kubernetes
import kubernetes_asyncio
import pytest

from tests.conformance.kit.api import Object
from tests.conformance.kit.manifests import HELD, container, deployment, job, pod, server, service, sh
from tests.conformance.kit.namespace import Namespace


@pytest.fixture
def client(kubeconfig: str) -> Iterator[kubernetes.client.ApiClient]:
    with kubernetes.config.new_client_from_config(kubeconfig) as made:
        yield made


@pytest.fixture
async def async_client(kubeconfig: str) -> AsyncIterator[kubernetes_asyncio.client.ApiClient]:
    made = await kubernetes_asyncio.config.new_client_from_config(kubeconfig)
    async with made:
        yield made


def test_models_go_there_and_back(ns: Namespace, client: kubernetes.client.ApiClient) -> None:
    core = kubernetes.client.CoreV1Api(client)
    models = kubernetes.client
    body = models.V1ConfigMap(metadata=models.V1ObjectMeta(name="c", labels={"a": "b"}), data={"x": "1"})
    made = core.create_namespaced_config_map(ns.name, body)
    assert made.metadata.uid
    assert made.metadata.creation_timestamp.tzinfo is not None
    made.data["x"] = "2"
    assert core.replace_namespaced_config_map("c", ns.name, made).data == {"x": "2"}
    with pytest.raises(kubernetes.client.ApiException) as conflict:
        core.replace_namespaced_config_map("c", ns.name, made)
    assert conflict.value.status == 409
    assert core.patch_namespaced_config_map("c", ns.name, {"data": {"y": "3"}}).data == {"x": "2", "y": "3"}
    operations = [{"op": "remove", "path": "/data/y"}]
    assert core.patch_namespaced_config_map("c", ns.name, operations).data == {"x": "2"}
    listed = core.list_namespaced_config_map(ns.name, label_selector="a=b")
    assert [item.metadata.name for item in listed.items] == ["c"]
    deleted = core.delete_namespaced_config_map("c", ns.name, propagation_policy="Background")
    assert deleted.status == "Success"
    with pytest.raises(kubernetes.client.ApiException) as gone:
        core.read_namespaced_config_map("c", ns.name)
    assert (gone.value.status, gone.value.reason) == (404, "Not Found")


def test_deployment_scale_and_proxy(ns: Namespace, client: kubernetes.client.ApiClient) -> None:
    apps, core = kubernetes.client.AppsV1Api(client), kubernetes.client.CoreV1Api(client)
    core.create_namespaced_service(ns.name, service("web"))
    apps.create_namespaced_deployment(ns.name, deployment("web", server(ns.image)))
    ns.rolled_out("web")
    assert apps.read_namespaced_deployment_status("web", ns.name).status.available_replicas == 1
    answer = core.connect_get_namespaced_service_proxy_with_path("web:http", ns.name, "hello")
    assert "/hello" in answer
    (found,) = core.list_namespaced_pod(ns.name, label_selector="app=web").items
    assert "GET /hello" in core.read_namespaced_pod_log(found.metadata.name, ns.name)
    apps.patch_namespaced_deployment_scale("web", ns.name, {"spec": {"replicas": 0}})
    assert apps.read_namespaced_deployment_scale("web", ns.name).spec.replicas in (0, None)


def test_watch_follows_a_job_to_its_end(ns: Namespace, client: kubernetes.client.ApiClient) -> None:
    batch = kubernetes.client.BatchV1Api(client)
    batch.create_namespaced_job(ns.name, job("j", container(ns.image, sh("true"))))
    watch = kubernetes.watch.Watch()
    for event in watch.stream(
        batch.list_namespaced_job, ns.name, field_selector="metadata.name=j", timeout_seconds=60
    ):  # fmt: skip
        if event["object"].status.succeeded:
            watch.stop()
            break
    else:
        pytest.fail("the watch ended before the Job did")


def test_log_is_followed_by_the_client(ns: Namespace, client: kubernetes.client.ApiClient) -> None:
    core = kubernetes.client.CoreV1Api(client)
    core.create_namespaced_pod(ns.name, pod("p", container(ns.image, sh("echo one; sleep 1; echo two"))))
    ns.wait(
        "pods",
        "p",
        "started",
        lambda item: (
            item["status"].get("containerStatuses", [{}])[0].get("started")
            or item["status"]["phase"] == "Succeeded"
        ),
    )
    lines = list(kubernetes.watch.Watch().stream(core.read_namespaced_pod_log, "p", ns.name))
    assert lines == ["one", "two"]


def test_server_side_apply_by_the_client(ns: Namespace, client: kubernetes.client.ApiClient) -> None:
    from kubernetes.dynamic import DynamicClient

    resource = DynamicClient(client).resources.get(api_version="apps/v1", kind="Deployment")
    body = deployment("web", container(ns.image, sh("true"), **HELD))
    made = resource.server_side_apply(body=body, name="web", namespace=ns.name, field_manager="alpha")
    assert made.metadata.managedFields[0].manager == "alpha"
    body["spec"]["replicas"] = 2
    from kubernetes.dynamic.exceptions import ConflictError

    with pytest.raises(ConflictError):
        resource.server_side_apply(body=body, name="web", namespace=ns.name, field_manager="beta")


def test_access_review_by_the_client(ns: Namespace, client: kubernetes.client.ApiClient) -> None:
    models = kubernetes.client
    spec = models.V1SelfSubjectAccessReviewSpec(
        resource_attributes=models.V1ResourceAttributes(namespace=ns.name, verb="create", resource="pods")
    )
    review = models.AuthorizationV1Api(client).create_self_subject_access_review(
        models.V1SelfSubjectAccessReview(spec=spec)
    )
    assert review.status.allowed is True


def test_lists_in_pages_by_the_client(ns: Namespace, client: kubernetes.client.ApiClient) -> None:
    core = kubernetes.client.CoreV1Api(client)
    for number in range(3):
        core.create_namespaced_config_map(ns.name, {"metadata": {"name": f"c{number}", "labels": {"p": "1"}}})
    page = core.list_namespaced_config_map(ns.name, limit=2, label_selector="p=1")
    rest = core.list_namespaced_config_map(
        ns.name, limit=2, label_selector="p=1", _continue=page.metadata._continue
    )
    assert [item.metadata.name for item in page.items + rest.items] == ["c0", "c1", "c2"]


async def test_async_client_reads_and_writes(
    ns: Namespace, async_client: kubernetes_asyncio.client.ApiClient
) -> None:
    core = kubernetes_asyncio.client.CoreV1Api(async_client)
    await core.create_namespaced_config_map(ns.name, {"metadata": {"name": "c"}, "data": {"a": "1"}})
    patched = await core.patch_namespaced_config_map("c", ns.name, {"data": {"b": "2"}})
    assert patched.data == {"a": "1", "b": "2"}
    with pytest.raises(kubernetes_asyncio.client.ApiException) as refused:
        await core.create_namespaced_config_map(ns.name, {"metadata": {"name": "c"}})
    assert refused.value.status == 409
    await core.delete_namespaced_config_map("c", ns.name)
    names = [item.metadata.name for item in (await core.list_namespaced_config_map(ns.name)).items]
    assert "c" not in names


async def test_async_client_watches_a_rollout(
    ns: Namespace, async_client: kubernetes_asyncio.client.ApiClient
) -> None:
    apps = kubernetes_asyncio.client.AppsV1Api(async_client)
    await apps.create_namespaced_deployment(ns.name, deployment("web", server(ns.image)))

    async def available() -> Any:
        watch = kubernetes_asyncio.watch.Watch()
        async with watch.stream(
            apps.list_namespaced_deployment, ns.name, field_selector="metadata.name=web", timeout_seconds=60
        ) as events:
            async for event in events:
                if event["object"].status.available_replicas:
                    return event["object"]
        return None

    seen = await asyncio.wait_for(available(), 70)
    assert seen is not None
    assert seen.status.updated_replicas == 1


async def test_async_client_reads_logs_and_events(
    ns: Namespace, async_client: kubernetes_asyncio.client.ApiClient
) -> None:
    core = kubernetes_asyncio.client.CoreV1Api(async_client)
    ns.run(pod("p", container(ns.image, sh("echo hello"))))
    assert await core.read_namespaced_pod_log("p", ns.name) == "hello\n"
    found = await core.list_namespaced_event(ns.name, field_selector="involvedObject.name=p,reason=Started")
    (event,) = found.items
    assert event.involved_object.kind == "Pod"
    one: Object = {"a": 1}
    assert one


async def test_async_client_is_refused_with_a_wrong_token(kubeconfig: str, ns: Namespace) -> None:
    settings = kubernetes_asyncio.client.Configuration()
    await kubernetes_asyncio.config.load_kube_config(kubeconfig, client_configuration=settings)
    settings.cert_file = settings.key_file = None
    settings.api_key["BearerToken"] = "Bearer wrong"
    async with kubernetes_asyncio.client.ApiClient(settings) as wrong:
        with pytest.raises(kubernetes_asyncio.client.ApiException) as refused:
            await kubernetes_asyncio.client.CoreV1Api(wrong).list_namespaced_pod(ns.name)
    assert refused.value.status == 401
