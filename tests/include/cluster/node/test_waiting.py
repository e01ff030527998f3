"""Pods that cannot start: configuration, volumes, images."""

import pytest

from include.cluster.images import BASE_REFERENCE, ImageStore


def waiting(cluster) -> dict:
    return cluster.status("p")["state"].get("waiting", {})


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"envFrom": [{"configMapRef": {"name": "app-settings"}}]}, 'configmap "app-settings" not found'),
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
            'secret "s" not found',
        ),
        (
            {
                "env": [
                    {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "kube-root-ca.crt", "key": "k"}}}
                ]
            },
            "couldn't find key k in ConfigMap shop/kube-root-ca.crt",
        ),
    ],
)
async def test_missing_configuration(cluster, extra, message):
    cluster.run("p", {"command": ["true"], **extra})
    await cluster.until(
        lambda: waiting(cluster) == {"reason": "CreateContainerConfigError", "message": message}
    )
    assert ("Warning", "Failed", f"Error: {message}") in cluster.events("p")
    assert cluster.pod("p")["status"]["phase"] == "Pending"


async def test_run_as_non_root(cluster):
    pod = cluster.run("p", {"command": ["true"]}, securityContext={"runAsNonRoot": True})
    message = f'container has runAsNonRoot and image will run as root (pod: "p_shop({pod["metadata"]["uid"]})", container: app)'
    await cluster.until(
        lambda: waiting(cluster) == {"reason": "CreateContainerConfigError", "message": message}
    )


async def test_starts_when_the_configuration_comes(cluster):
    cluster.run(
        "p", {"command": ["true"], "envFrom": [{"configMapRef": {"name": "late"}}]}, restartPolicy="Never"
    )
    await cluster.until(lambda: waiting(cluster).get("reason") == "CreateContainerConfigError")
    cluster.add("configmaps", "late", data={})
    await cluster.ended("p")


async def test_missing_volume(cluster):
    volumes = [{"name": "s", "secret": {"secretName": "tls-cert"}}]
    cluster.run(
        "p",
        {"command": ["true"], "volumeMounts": [{"name": "s", "mountPath": "/tls"}]},
        volumes=volumes,
        restartPolicy="Never",
    )
    event = (
        "Warning",
        "FailedMount",
        'MountVolume.SetUp failed for volume "s" : secret "tls-cert" not found',
    )
    await cluster.until(lambda: event in cluster.events("p"))
    assert waiting(cluster) == {"reason": "ContainerCreating"}
    assert cluster.conditions("p")["PodReadyToStartContainers"]["status"] == "False"
    cluster.add("secrets", "tls-cert", data={})
    await cluster.ended("p")


async def test_missing_image(cluster):
    image = "registry.example.com/team/web:2.0"
    cluster.run("p", {"image": image})
    why = (
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": '
        f"failed to resolve image: {image}: not found"
    )
    await cluster.until(lambda: waiting(cluster).get("reason") == "ImagePullBackOff")
    assert waiting(cluster)["message"] == f'Back-off pulling image "{image}": ErrImagePull: {why}'
    seen = [
        pod["status"]["containerStatuses"][0]["state"]
        for pod in cluster.states["p"]
        if "containerStatuses" in pod["status"]
    ]
    assert {"waiting": {"reason": "ErrImagePull", "message": why}} in seen
    assert cluster.events("p")[:5] == [
        ("Normal", "Pulling", f'Pulling image "{image}"'),
        ("Warning", "Failed", f'Failed to pull image "{image}": {why}'),
        ("Warning", "Failed", "Error: ErrImagePull"),
        ("Normal", "BackOff", f'Back-off pulling image "{image}"'),
        ("Warning", "Failed", "Error: ImagePullBackOff"),
    ]
    assert cluster.pod("p")["status"]["phase"] == "Pending"
    store = ImageStore(cluster.settings.images_dir)
    store.tag(store.resolve(BASE_REFERENCE), image)
    cluster.registry.edit("pods", "shop", "p", lambda pod: None, manager="test")
    await cluster.until(
        lambda: cluster.status("p")["imageID"].startswith("registry.example.com/team/web@sha256:")
    )


async def test_image_that_is_never_pulled(cluster):
    cluster.run("p", {"image": "team/web:1", "imagePullPolicy": "Never"})
    text = 'Container image "team/web:1" is not present with pull policy of Never'
    await cluster.until(lambda: waiting(cluster) == {"reason": "ErrImageNeverPull", "message": text})
    assert cluster.events("p")[:2] == [
        ("Warning", "ErrImageNeverPull", text),
        ("Warning", "Failed", "Error: ErrImageNeverPull"),
    ]
