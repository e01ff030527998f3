"""Deletion of pods, and what becomes of them when the stand-in ends."""

import asyncio
import os
import signal
import time

IGNORES = "trap '' TERM; while :; do sleep 0.05; done"
HANDLES = "trap 'exit 0' TERM; while :; do sleep 0.05; done"


def gone(cluster, name: str) -> bool:
    return cluster.registry.find("pods", "shop", name) is None


async def test_deletion_ends_it_by_term(cluster):
    cluster.run("p", HANDLES, terminationGracePeriodSeconds=30)
    await cluster.phase("p", "Running")
    cluster.delete("p")
    await cluster.until(lambda: gone(cluster, "p"))
    last = cluster.states["p"][-1]
    assert last["status"]["phase"] == "Succeeded"
    assert last["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0
    assert ("Normal", "Killing", "Stopping container app") in cluster.events("p")


async def test_deletion_kills_after_the_grace_period(cluster):
    cluster.run("p", IGNORES, terminationGracePeriodSeconds=1)
    await cluster.phase("p", "Running")
    begun = time.monotonic()
    cluster.delete("p")
    await cluster.until(lambda: gone(cluster, "p"))
    assert 1.9 < time.monotonic() - begun < 4, "never less than two seconds"
    last = cluster.states["p"][-1]["status"]
    assert last["phase"] == "Failed"
    assert last["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 137


async def test_forced_deletion(cluster):
    cluster.run("p", IGNORES, terminationGracePeriodSeconds=30)
    await cluster.phase("p", "Running")
    place = cluster.settings.state_dir / "node/pods" / cluster.pod("p")["metadata"]["uid"]
    cluster.delete("p", grace=0)
    assert gone(cluster, "p")
    await cluster.until(lambda: not place.exists())


async def test_second_deletion_shortens_the_grace_period(cluster):
    cluster.run("p", IGNORES, terminationGracePeriodSeconds=60)
    await cluster.phase("p", "Running")
    cluster.delete("p")
    await asyncio.sleep(0.1)
    cluster.delete("p", grace=1)
    await cluster.until(lambda: gone(cluster, "p"))


async def test_deletion_while_a_container_is_being_restarted(cluster):
    script = f"test ! -e /kept/first && touch /kept/first && exit 1; {IGNORES}"
    container = {"command": ["sh", "-c", script], "volumeMounts": [{"name": "kept", "mountPath": "/kept"}]}
    volumes = [{"name": "kept", "emptyDir": {}}]
    cluster.run("p", container, terminationGracePeriodSeconds=30, volumes=volumes)

    def created() -> int:
        found = [one for one in cluster.registry.list("events", "shop") if one["reason"] == "Created"]
        return sum(one.get("count") or 1 for one in found)

    await cluster.until(lambda: created() == 2 and cluster.status("p")["restartCount"] == 0)
    cluster.delete("p")
    await cluster.until(lambda: gone(cluster, "p"))
    assert cluster.states["p"][-1]["status"]["phase"] == "Failed"


async def test_pre_stop_comes_first(cluster, tmp_path):
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo hook >> /scratch/said; sleep 0.2"]}}}
    script = "trap 'echo term >> /scratch/said; exit 0' TERM; while :; do sleep 0.05; done"
    container = {
        "command": ["sh", "-c", script],
        "lifecycle": hook,
        "volumeMounts": [{"name": "w", "mountPath": "/scratch"}],
    }
    volumes = [{"name": "w", "hostPath": {"path": str(tmp_path / "work"), "type": "DirectoryOrCreate"}}]
    cluster.run("p", container, volumes=volumes, terminationGracePeriodSeconds=30)
    await cluster.phase("p", "Running")
    cluster.delete("p")
    await cluster.until(lambda: gone(cluster, "p"))
    assert (tmp_path / "work/said").read_text() == "hook\nterm\n"


async def test_pre_stop_sleep(cluster):
    container = {"command": ["sh", "-c", HANDLES], "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}
    cluster.run("p", container, terminationGracePeriodSeconds=10)
    await cluster.phase("p", "Running")
    begun = time.monotonic()
    cluster.delete("p")
    await cluster.until(lambda: gone(cluster, "p"))
    assert time.monotonic() - begun > 1


async def test_deletion_of_a_pod_that_never_started(cluster):
    cluster.run("p", {"image": "registry.example.com/team/web:2.0"})
    await cluster.until(
        lambda: cluster.status("p")["state"].get("waiting", {}).get("reason") == "ImagePullBackOff"
    )
    cluster.delete("p")
    await cluster.until(lambda: gone(cluster, "p"))
    last = cluster.states["p"][-1]["status"]
    assert last["phase"] == "Failed"
    assert last["containerStatuses"][0]["state"]["terminated"]["reason"] == "ContainerStatusUnknown"


async def test_finalizer_keeps_the_ended_pod(cluster):
    cluster.run("p", HANDLES, meta={"finalizers": ["example.com/kept"]})
    await cluster.phase("p", "Running")
    cluster.delete("p")
    await cluster.phase("p", "Succeeded")
    cluster.registry.edit(
        "pods", "shop", "p", lambda pod: pod["metadata"].update(finalizers=[]), manager="test"
    )
    await cluster.until(lambda: gone(cluster, "p"))


async def test_restart_is_a_reboot(cluster, restarted):
    cluster.run("always", "exec sleep 60")
    cluster.run("never", "exec sleep 60", restartPolicy="Never")
    cluster.run("done", "echo was here", restartPolicy="Never")
    for name in ("always", "never"):
        await cluster.phase(name, "Running")
    await cluster.ended("done")
    address = cluster.pod("always")["status"]["podIP"]
    again = await restarted(cluster)
    await again.until(lambda: again.status("always")["restartCount"] == 1)
    last = again.status("always")["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (255, "Unknown")
    assert again.pod("always")["status"]["podIP"] == address
    await again.phase("never", "Failed")
    assert again.status("never")["state"]["terminated"]["exitCode"] == 255
    assert again.pod("done")["status"]["phase"] == "Succeeded"
    assert await again.log("done") == "was here\n"


async def test_restart_finishes_a_deletion(cluster, restarted):
    cluster.run("p", IGNORES, terminationGracePeriodSeconds=60)
    await cluster.phase("p", "Running")
    cluster.delete("p")
    again = await restarted(cluster)
    await again.until(lambda: gone(again, "p"))


async def test_killed_shim_takes_its_container_along(cluster):
    cluster.run("p", "exec sleep 60")
    await cluster.phase("p", "Running")
    os.kill(
        cluster.node._workers[cluster.pod("p")["metadata"]["uid"]].containers[0].process.shim_pid,
        signal.SIGKILL,
    )
    await cluster.until(lambda: cluster.status("p")["restartCount"] == 1)
    assert cluster.status("p")["lastState"]["terminated"]["exitCode"] == 137
