"""A container as the node sees it: one shim process, spoken to in lines of JSON."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from include.cluster.node.paths import PathMap

_CHECKOUT = Path(__file__).resolve().parents[3]
_BOOT = f"import sys; sys.path.insert(0, {str(_CHECKOUT)!r}); from include.cluster.node.shim.main import main; main()"
_EXEC_SLACK = 5.0
PYTHON = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
"""The interpreter behind a virtual environment: a virtual environment's own would not be found inside a container."""
PROGRAMS_DIR = "/opt/standin/bin"
"""Where a container finds ``python3``, first in the PATH of the built-in image."""


@dataclass(frozen=True)
class Mount:
    """A directory or file of the host, shown at ``target`` in a container."""

    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class ProcessSpec:
    """All that a shim has to know of a container. Paths are the host's, but for ``cwd`` and the mounts' targets."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    root: Path
    log: Path
    image: Path | None
    mounts: list[Mount] = field(default_factory=list)
    namespaces: bool = True
    uid: int = 0
    gid: int = 0
    hostname: str = "localhost"
    memory_limit: int = 0
    read_only_root: bool = False

    def line(self) -> bytes:
        """The spec as the shim reads it."""
        prefixes = dict.fromkeys([sys.base_prefix, sys.base_exec_prefix, str(PYTHON.parent.parent)])
        body = {
            "argv": self.argv,
            "env": self.env,
            "cwd": self.cwd,
            "root": str(self.root),
            "log": str(self.log),
            "image": str(self.image) if self.image else "",
            "mounts": [
                {"source": str(item.source), "target": item.target, "read_only": item.read_only}
                for item in self.mounts
            ],
            "namespaces": self.namespaces,
            "uid": self.uid,
            "gid": self.gid,
            "hostname": self.hostname,
            "memory_limit": self.memory_limit,
            "read_only_root": self.read_only_root,
            "prefixes": list(prefixes),
            "programs": {f"{PROGRAMS_DIR}/{name}": str(PYTHON) for name in ("python3", "python")},
        }
        return json.dumps(body).encode() + b"\n"


@dataclass(frozen=True)
class ExecResult:
    """How a command inside a container ended; ``error`` when it could not be run at all."""

    code: int = 0
    output: str = ""
    timed_out: bool = False
    error: str = ""


class StartError(Exception):
    """The container's program could not be started; the text is what a real node reports."""


class Process:
    """One running container. Made with :meth:`start`."""

    def __init__(self, shim: asyncio.subprocess.Process, paths: PathMap | None) -> None:
        self._paths = paths
        self._shim = shim
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[ExecResult]] = {}
        self._began: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._ended: asyncio.Future[tuple[int, bool]] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, spec: ProcessSpec, errors: Path, paths: PathMap | None = None) -> Process:
        """Starts the container and returns when its program runs.

        Args:
            spec: what to run.
            errors: the file for what the shim itself has to complain about.
            paths: replaces paths in the commands that are run in it later, where it has no files of its own.

        Raises:
            StartError: the program cannot be executed.
        """
        with errors.open("ab") as file:
            shim = await asyncio.create_subprocess_exec(
                str(PYTHON), "-I", "-S", "-c", _BOOT, str(spec.root),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=file,
                start_new_session=True,
            )  # fmt: skip
        process = cls(shim, paths)
        process._send(spec.line())
        try:
            await asyncio.shield(process._began)
        except StartError:
            await process._reader
            raise
        except asyncio.CancelledError:
            process._began.add_done_callback(asyncio.Future.exception)  # nobody else will ask for it
            if shim.returncode is None:
                shim.kill()
            await asyncio.wait({process._reader})
            raise
        return process

    @property
    def shim_pid(self) -> int:
        """Process id of the shim."""
        return self._shim.pid

    async def wait(self) -> tuple[int, bool]:
        """The exit code (128 + n for signal n), and whether the memory limit ended a process of the container."""
        return await asyncio.shield(self._ended)

    @property
    def alive(self) -> bool:
        """Whether the program still runs."""
        return not self._ended.done()

    def signal(self, number: int) -> None:
        """Sends a signal to the container's first process; no effect after its end."""
        self._send(json.dumps({"signal": int(number)}).encode() + b"\n")

    async def execute(self, argv: list[str], timeout: float) -> ExecResult:
        """Runs a command inside the container; it is killed after ``timeout`` seconds."""
        if not self.alive:
            return ExecResult(error="container is in CONTAINER_EXITED state")
        identity = next(self._ids)
        future: asyncio.Future[ExecResult] = asyncio.get_running_loop().create_future()
        self._waiting[identity] = future
        if self._paths is not None:
            argv = self._paths.words(argv)
        self._send(json.dumps({"exec": identity, "argv": argv, "timeout": timeout}).encode() + b"\n")
        try:
            return await asyncio.wait_for(future, timeout + _EXEC_SLACK)
        except TimeoutError:
            return ExecResult(timed_out=True)
        finally:
            self._waiting.pop(identity, None)

    def _send(self, line: bytes) -> None:
        writer = self._shim.stdin
        if writer is not None and not writer.is_closing():
            writer.write(line)

    async def _read(self) -> None:
        assert self._shim.stdout is not None
        last: dict[str, Any] = {}
        async for line in self._shim.stdout:
            message = json.loads(line)
            if "started" in message:
                self._began.set_result(message["started"])
            elif "failed" in message:
                self._began.set_exception(StartError(message["failed"]))
            elif "exec" in message:
                self._answer(message)
            else:
                last = message
        await self._shim.wait()
        if not self._began.done():
            self._began.set_exception(StartError(f"the container's shim ended with {self._shim.returncode}"))
        for future in self._waiting.values():
            if not future.done():
                future.set_result(ExecResult(error="container is in CONTAINER_EXITED state"))
        # a shim that was killed says nothing; its container was killed with it
        self._ended.set_result((last.get("exit", 137), last.get("oom", False)))
        if self._shim.stdin is not None:
            self._shim.stdin.close()

    def _answer(self, message: dict[str, Any]) -> None:
        future = self._waiting.get(message["exec"])
        if future is None or future.done():
            return
        future.set_result(
            ExecResult(
                code=message.get("code", 0),
                output=message.get("output", ""),
                timed_out=message.get("timed_out", False),
                error=message.get("error", ""),
            )
        )
