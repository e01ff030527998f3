"""Reading logs."""

import asyncio
import re

import pytest

from include.cluster.errors import ApiError

LINES = "for i in 1 2 3 4; do echo line $i; done"


async def test_whole_and_tail(cluster):
    cluster.run("p", LINES, restartPolicy="Never")
    await cluster.ended("p")
    assert await cluster.log("p") == "line 1\nline 2\nline 3\nline 4\n"
    assert await cluster.log("p", tail_lines=2) == "line 3\nline 4\n"
    assert await cluster.log("p", tail_lines=0) == ""
    assert await cluster.log("p", tail_lines=9) == "line 1\nline 2\nline 3\nline 4\n"
    assert await cluster.log("p", limit_bytes=10) == "line 1\nlin"
    assert await cluster.log("p", since_time="2000-01-01T00:00:00Z", tail_lines=1) == "line 4\n"
    assert await cluster.log("p", since_time="2100-01-01T00:00:00Z") == ""


async def test_both_streams_and_no_newline(cluster):
    cluster.run(
        "p", "echo done; sleep 0.05; echo err >&2; sleep 0.05; printf 'no newline'", restartPolicy="Never"
    )
    await cluster.ended("p")
    assert await cluster.log("p") == "done\nerr\nno newline"
    stamped = await cluster.log("p", timestamps=True)
    assert re.fullmatch(r"(20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (done\n|err\n|no newline)){3}", stamped)


async def test_long_lines_come_whole(cluster):
    cluster.run(
        "p", {"command": ["python3", "-c", "print('x' * 100_000); print('end')"]}, restartPolicy="Never"
    )
    await cluster.ended("p")
    assert await cluster.log("p") == "x" * 100_000 + "\nend\n"


async def test_since_seconds(cluster):
    cluster.run("p", "echo old; sleep 1.2; echo new", restartPolicy="Never")
    await cluster.ended("p")
    assert await cluster.log("p", since_seconds=1) == "new\n"


async def test_follow_ends_with_the_container(cluster):
    cluster.run("p", "echo a; sleep 0.3; echo b", restartPolicy="Never")
    await cluster.phase("p", "Running")
    assert await asyncio.wait_for(cluster.log("p", follow=True), 5) == "a\nb\n"


async def test_follow_hands_out_what_comes(cluster):
    cluster.run("p", "while :; do echo tick; sleep 0.1; done")
    await cluster.phase("p", "Running")
    stream = cluster.node.read_log(cluster.pod("p"), "app", follow=True)
    assert [await asyncio.wait_for(anext(stream), 2) for _ in range(3)] == [b"tick\n"] * 3
    await stream.aclose()


async def test_previous(cluster):
    script = (
        "if test -e /scratch/x; then echo second; exec sleep 60; fi; touch /scratch/x; echo first; exit 1"
    )
    container = {"command": ["sh", "-c", script], "volumeMounts": [{"name": "w", "mountPath": "/scratch"}]}
    cluster.run("p", container, volumes=[{"name": "w", "emptyDir": {}}])
    await cluster.until(
        lambda: cluster.status("p")["restartCount"] == 1 and "running" in cluster.status("p")["state"]
    )
    await cluster.until(lambda: cluster.node._workers)
    assert await cluster.log("p", previous=True) == "first\n"
    assert await cluster.log("p", follow=False, tail_lines=5) in ("second\n", "")


async def test_while_it_waits_both_are_the_last_one(cluster, settings):
    cluster.run("p", "echo try; exit 1")
    await cluster.until(
        lambda: cluster.status("p")["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff"
    )
    assert await cluster.log("p") == await cluster.log("p", previous=True) == "try\n"


async def test_no_previous(cluster):
    cluster.run("p", "exec sleep 60")
    await cluster.phase("p", "Running")
    with pytest.raises(ApiError) as error:
        await cluster.log("p", previous=True)
    assert error.value.message == 'previous terminated container "app" in pod "p" not found'
    assert error.value.code == 400


async def test_waiting(cluster):
    cluster.run("image", {"image": "gone:1"})
    cluster.run("config", {"envFrom": [{"configMapRef": {"name": "gone"}}]})
    for name, reason, text in (
        ("image", "ImagePullBackOff", "trying and failing to pull image"),
        ("config", "CreateContainerConfigError", "CreateContainerConfigError"),
    ):
        await cluster.until(
            lambda name=name, reason=reason: cluster.status(name)["state"]["waiting"]["reason"] == reason
        )
        with pytest.raises(ApiError) as error:
            await cluster.log(name)
        assert error.value.message == f'container "app" in pod "{name}" is waiting to start: {text}'
