"""Init containers and native sidecars."""

from include.cluster.images import BASE_REFERENCE


def init(name: str, script: str, **extra) -> dict:
    return {"name": name, "image": BASE_REFERENCE, "command": ["sh", "-c", script], **extra}


SIDECAR = "trap 'exit 0' TERM; while :; do sleep 0.05; done"


async def test_order_of_init_sidecar_and_main(cluster):
    inits = [init("i1", "sleep 0.2"), init("side", SIDECAR, restartPolicy="Always"), init("i2", "sleep 0.2")]
    cluster.run("p", "sleep 0.2", restartPolicy="Never", initContainers=inits)
    await cluster.phase("p", "Succeeded")
    texts = [
        entry.get("message")
        for pod in cluster.states["p"]
        for entry in pod["status"].get("conditions", [])
        if entry["type"] == "Initialized"
    ]
    order = [f"containers with incomplete status: [{names}]" for names in ("i1 side i2", "side i2", "i2")] + [
        None
    ]
    assert list(dict.fromkeys(texts)) == order
    started = [
        event["involvedObject"]["fieldPath"]
        for event in cluster.store.list("events")
        if event["reason"] == "Started"
    ]
    assert started == [
        "spec.initContainers{i1}",
        "spec.initContainers{side}",
        "spec.initContainers{i2}",
        "spec.containers{app}",
    ]
    assert ("Normal", "Killing", "Stopping container side") in cluster.events("p")
    assert cluster.status("p", "side")["state"]["terminated"]["exitCode"] == 0
    assert cluster.conditions("p")["Initialized"]["reason"] == "PodCompleted"
    assert [cluster.status("p", name)["ready"] for name in ("i1", "side", "i2")] == [True, False, True]


async def test_pod_is_pending_until_initialized(cluster):
    cluster.run("p", "exec sleep 60", initContainers=[init("wait", "exec sleep 60")])
    await cluster.until(lambda: "running" in cluster.status("p", "wait")["state"])
    assert cluster.pod("p")["status"]["phase"] == "Pending"
    assert cluster.status("p")["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert cluster.conditions("p")["Ready"]["message"] == "containers with unready status: [app]"


async def test_failed_init_is_tried_again(cluster):
    script = "test -e /scratch/second || { touch /scratch/second; exit 3; }"
    mounts = [{"name": "work", "mountPath": "/scratch"}]
    cluster.run(
        "p", "exec sleep 60",
        initContainers=[init("prepare", script, volumeMounts=mounts)], volumes=[{"name": "work", "emptyDir": {}}],
    )  # fmt: skip
    await cluster.phase("p", "Running")
    status = cluster.status("p", "prepare")
    assert status["restartCount"] == 1 and status["lastState"]["terminated"]["exitCode"] == 3


async def test_failed_init_fails_a_pod_that_is_never_restarted(cluster):
    inits = [init("side", SIDECAR, restartPolicy="Always"), init("prepare", "exit 3")]
    cluster.run("p", "true", restartPolicy="Never", initContainers=inits)
    await cluster.phase("p", "Failed")
    await cluster.until(lambda: "terminated" in cluster.status("p", "side")["state"])
    assert cluster.status("p")["state"] == {"waiting": {"reason": "PodInitializing"}}


async def test_sidecar_is_restarted_beside_the_main_container(cluster):
    cluster.run(
        "p", "exec sleep 60", initContainers=[init("proxy", "sleep 0.2; exit 1", restartPolicy="Always")]
    )
    await cluster.until(lambda: cluster.status("p", "proxy")["restartCount"] >= 1)
    assert cluster.status("p")["restartCount"] == 0
    assert cluster.pod("p")["status"]["phase"] == "Running"


async def test_sidecars_end_last_on_deletion(cluster):
    cluster.run("p", SIDECAR, initContainers=[init("side", SIDECAR, restartPolicy="Always")])
    await cluster.phase("p", "Running")
    cluster.delete("p")
    await cluster.until(lambda: cluster.registry.find("pods", "shop", "p") is None)
    killed = [text for _, reason, text in cluster.events("p") if reason == "Killing"]
    assert killed == ["Stopping container app", "Stopping container side"]
