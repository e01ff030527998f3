"""A stand-in that is killed leaves nothing behind."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {checkout!r})
from include.cluster.node.process import Process, ProcessSpec

async def main():
    place = Path({place!r})
    (place / "root").mkdir()
    spec = ProcessSpec(
        argv=["sh", "-c", "(sleep 600; : {mark}) & setsid sh -c 'sleep 600; : {mark}' & sleep 600; : {mark}"],
        env={{"PATH": "/usr/bin:/bin"}}, cwd="/", root=place / "root", log=place / "log", image=None,
        namespaces={namespaces!r},
    )
    process = await Process.start(spec, place / "errors")
    await asyncio.sleep(0.2)
    print("running", flush=True)
    await process.wait()

asyncio.run(main())
"""


def alive(mark: str) -> list[str]:
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            text = place.read_text()
            if mark in text and "asyncio.run" not in text:
                found.append(text)
    return found


@pytest.mark.parametrize("namespaces", [True, False])
async def test_nothing_outlives_a_killed_stand_in(tmp_path, namespaces):
    mark = uuid.uuid4().hex
    checkout = str(Path(__file__).parents[4])
    text = PROGRAM.format(checkout=checkout, place=str(tmp_path), namespaces=namespaces, mark=mark)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", text, stdout=asyncio.subprocess.PIPE)
    assert await asyncio.wait_for(process.stdout.readline(), 20) == b"running\n"
    assert len(alive(mark)) >= 3
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    for _ in range(40):
        if not alive(mark) and not alive(str(tmp_path)):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(alive(mark) + alive(str(tmp_path)))


_KILLED_BETWEEN_FORK_AND_EXEC = """
import os, sys, time
from include.cluster.node.shim import spawn

real_fork = os.fork
def slow_fork():
    pid = real_fork()
    if pid == 0:
        time.sleep(0.4)
    return pid
os.fork = slow_fork
spec = {"env": {"PATH": "/usr/bin:/bin"}, "cwd": "/", "namespaces": False}
spawn.spawn(["sleep", sys.argv[1]], spec, stdout=1, stderr=2, first=False)
"""


def test_a_shim_killed_while_it_starts_a_program_leaves_none_behind():
    mark = f"60.{uuid.uuid4().int}"
    shim = subprocess.Popen(
        [sys.executable, "-c", _KILLED_BETWEEN_FORK_AND_EXEC, mark], cwd=Path(__file__).parents[4]
    )
    time.sleep(0.3)
    shim.kill()
    shim.wait()
    time.sleep(0.8)
    assert alive(mark) == []
