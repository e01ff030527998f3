"""A clean-up or restore that is killed at the n-th change it makes, for every n, and run again. Prints one JSON object.

``python -m tests.include.logs.program.killing <directory> <seed> <stride>``: at one in ``stride`` moments; 0: at one of each step.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import random
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from include.logs.program import archiving, chunk, punching, selecting
from include.logs.program.__main__ import main
from include.logs.program.holder import read_holder
from include.logs.program.layout import Layout
from include.logs.program.manifests import Manifest
from tests.include.logs.program.cleaned import Volume

STEPS = ("measure", "plan", "archive", "verify", "delete", "space", "report")
ALL = (*STEPS, "release", "restore")
CALLS = [
    (os, name)
    for name in (
        "open",
        "write",
        "fsync",
        "rename",
        "replace",
        "unlink",
        "link",
        "mkdir",
        "rmdir",
        "ftruncate",
        "utime",
        "fork",
        "read",
    )
] + [(fcntl, "fcntl"), (punching, "_fallocate")]


class Moment:
    """Kills the process group before the n-th of the calls; counts them when n is 0."""

    def __init__(self, number: int = 0) -> None:
        self.number, self.count = number, 0
        self._most = mmap.mmap(-1, 8)

    @property
    def most(self) -> int:
        """So many calls were counted, in whichever of the processes had the most."""
        return int.from_bytes(self._most[:], "little")

    def watch(self) -> None:
        for module, name in CALLS:
            setattr(module, name, self._counted(getattr(module, name)))

    def _counted(self, call: Any) -> Any:
        def counted(*arguments: Any, **more: Any) -> Any:
            self.count += 1
            self._most[:] = max(self.most, self.count).to_bytes(8, "little")
            if self.count == self.number:
                os.killpg(0, signal.SIGKILL)
            return call(*arguments, **more)

        return counted


def forked(volume: Volume, command: str, moment: Moment | None = None) -> int | None:
    """Run a step in a process group of its own. Returns its exit code, None when it was killed."""
    arguments = volume.command(command)[3:]
    pid = os.fork()
    if not pid:
        code = 70
        try:
            os.setsid()
            sys.stdout = sys.stderr = (volume.base / "output").open("a")
            archiving.chunks_of = lambda entries: 3  # several processes, however few files there are
            chunk.LARGE = 100_000
            selecting.AT_ONCE = 4
            if moment is not None:
                moment.watch()
            code = main(arguments)
            sys.stdout.flush()
        finally:
            os._exit(code)
    status = os.waitpid(pid, 0)[1]
    return None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def filled(base: Path) -> tuple[Volume, dict[str, bytes], Any]:
    """A volume with something of each kind; what every file has; the live log, open."""
    shutil.rmtree(base, ignore_errors=True)
    volume = Volume(base, more={"lock_wait_seconds": 5})
    files = {f"{folder}/{number}.log": os.urandom(200 + number) for folder in "abc" for number in range(3)}
    files["large.log"] = os.urandom(200_000)
    for name, data in files.items():
        volume.write(name, data)
    os.link(volume.root / "a/0.log", volume.root / "b/link.log")
    files["b/link.log"] = files["a/0.log"]
    files["live.log"] = b"".join(b"line %07d\n" % number for number in range(100_000))
    live = volume.write("live.log", files["live.log"])
    return volume, files, live.open("ab")


def attempt(base: Path, step: str, moment: Moment) -> tuple[bool, list[str]]:
    """Kill one step at one moment, run it and what follows again. Returns whether it was killed, and what is wrong."""
    volume, files, live = filled(base)
    before, after = before_and_after(step)
    with live:
        for command in before:
            assert forked(volume, command) == 0, (volume.base / "output").read_text()
        if step == "restore":
            assert forked(volume, "release") == 0
            asks_back(volume)
        killed = forked(volume, step, moment) is None
        for command in after:
            code = forked(volume, command)
            if code != 0:
                return killed, [
                    f"{command} ended with {code}: {(volume.base / 'output').read_text()[-3000:]}"
                ]
        return killed, wrong(volume, files)


def before_and_after(step: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The steps of a run before the one that is killed, and those that come then, it among them."""
    if step not in STEPS:  # once the logs are away
        return STEPS[: STEPS.index("delete") + 1], (step,)
    return STEPS[: STEPS.index(step)], STEPS[STEPS.index(step) :]


def asks_back(volume: Volume) -> None:
    """From here on it is a run that restores everything."""
    volume.run = "restore-1"
    volume.more["restore"] = {"globs": ["**"], "to": "back"}


def wrong(volume: Volume, files: dict[str, bytes]) -> list[str]:
    """What is not as it should be after the clean-up, and when everything is restored."""
    found = []
    live = [name for name in volume.live() if not name.startswith("back/")]
    if live != ["live.log"]:
        found.append(f"left: {live}")
    if (volume.root / "live.log").read_bytes().strip(b"\0"):
        found.append("the live log was not emptied")
    times = Counter(
        os.fsdecode(record.path)
        for path in volume.manifests
        for record in Manifest(str(path))
        if not record.link
    )
    expected = {name: 1 for name in files if name not in ("a/0.log", "b/link.log")}
    linked = times.pop("a/0.log", 0) + times.pop("b/link.log", 0)
    if times != expected or linked != 1:
        found.append(f"archived: {times}, linked {linked}")
    if forked(volume, "release") != 0 or read_holder(Layout(str(volume.root), "")) is not None:
        found.append("the volume is not let go")
    leftovers = [str(path) for path in volume.state.rglob("*.partial")]
    if leftovers:
        found.append(f"leftovers: {leftovers}")
    if len(volume.archives) != len(volume.manifests):
        found.append("archives and manifests do not go together")
    return found + not_restored(volume, files)


def not_restored(volume: Volume, files: dict[str, bytes]) -> list[str]:
    """What is not as it was once everything is restored."""
    found = []
    asks_back(volume)
    if forked(volume, "restore") != 0:
        found.append(f"restore: {(volume.base / 'output').read_text()[-3000:]}")
    back = volume.root / "back"
    for name, data in files.items():
        if not (back / name).exists() or (back / name).read_bytes() != data:
            found.append(f"{name} was not restored as it was")
    if len([path for path in back.rglob("*") if not path.is_dir()]) != len(files):
        found.append(f"restored: {volume.live()}")
    return found


def run(base: Path, seed: int, stride: int) -> dict[str, Any]:
    """Every step, killed at every moment or at one in ``stride``; 0: at one of each step."""
    chance = random.Random(seed)
    moments = 0
    for step in ALL:
        number = chance.randint(1, stride or counted(base / "volume", step))
        while True:
            killed, problems = attempt(base / "volume", step, Moment(number))
            if problems:
                return {
                    "moments": moments,
                    "failures": [f"{step} killed at {number}: {each}" for each in problems],
                }
            moments += killed
            if not killed or not stride:
                break
            number += chance.randint(1, 2 * stride - 1)
    return {"moments": moments, "failures": []}


def counted(base: Path, step: str) -> int:
    """How many moments a step has."""
    moment = Moment()
    volume, _, live = filled(base)
    with live:
        for command in before_and_after(step)[0]:
            forked(volume, command)
        if step == "restore":
            forked(volume, "release")
            asks_back(volume)
        forked(volume, step, moment)
    return moment.most


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))) + "\n")
