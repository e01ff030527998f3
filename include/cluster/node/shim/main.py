"""Runs one container and speaks with the node in lines of JSON on standard input and output.

From the node: first the container's spec, then ``{"signal": N}`` and ``{"exec": ID, "argv": [...], "timeout": S}``.
To the node: ``{"started": PID}`` or ``{"failed": TEXT}``, ``{"exec": ID, ...}``, and last ``{"exit": CODE, "oom": BOOL}``.
When standard input ends, the node is gone, and the container is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import time
from typing import Any

from include.cluster.node.shim import linux, memory, root
from include.cluster.node.shim.logfile import LogFile
from include.cluster.node.shim.spawn import SpawnError, spawn

_MEMORY_PERIOD = 0.1
_OUTPUT_LIMIT = 10 * 1024
_DRAIN_TIME = 1.0


class Exec:
    """A command that runs inside the container, of a probe or a hook."""

    def __init__(self, identity: int, pid: int, pipe: int, deadline: float) -> None:
        self.identity = identity
        self.pid = pid
        self.pipe = pipe
        self.deadline = deadline
        self.output = b""
        self.timed_out = False


class Shim:
    """The container and everything that is open for it."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.log = LogFile(spec["log"])
        self.pid = 0
        self.code: int | None = None
        self.oom = False
        self.execs: dict[int, Exec] = {}
        self.streams: dict[int, str] = {}
        self.buffer = b""
        self.selector = selectors.DefaultSelector()
        self.wake, wakened = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakened)
        self.selector.register(self.wake, selectors.EVENT_READ)
        self.selector.register(0, selectors.EVENT_READ)

    def tell(self, **message: Any) -> None:
        """Sends one line to the node; a node that is gone does not matter."""
        with contextlib.suppress(OSError):
            os.write(1, json.dumps(message).encode() + b"\n")

    def start(self) -> bool:
        """Makes the root and starts the program. Returns whether it runs."""
        ends = []
        try:
            if self.spec["image"]:
                root.copy_tree(self.spec["image"], self.spec["root"])
            if self.spec["namespaces"]:
                linux.enter_user_namespace(self.spec["uid"], self.spec["gid"])
                linux.set_hostname(self.spec["hostname"])
                root.build(self.spec)
            elif self.spec["cwd"].startswith(self.spec["root"]):
                os.makedirs(self.spec["cwd"], exist_ok=True)
            for name in ("stdout", "stderr"):
                readable, writable = os.pipe2(os.O_CLOEXEC)
                os.set_blocking(readable, False)
                self.streams[readable] = name
                self.selector.register(readable, selectors.EVENT_READ)
                ends.append(writable)
            self.pid = spawn(self.spec["argv"], self.spec, stdout=ends[0], stderr=ends[1], first=True)
        except (SpawnError, OSError) as error:
            self.tell(failed=str(error))
            return False
        finally:
            for end in ends:
                os.close(end)
        self.tell(started=self.pid)
        return True

    def run(self) -> None:
        """Serves until the program has ended and its output is written."""
        next_look = time.monotonic()
        limit = self.spec["memory_limit"]
        while self.code is None:
            timeout = _MEMORY_PERIOD if limit else None
            if self.execs:
                soonest = min(item.deadline for item in self.execs.values()) - time.monotonic()
                timeout = max(0.0, soonest if timeout is None else min(timeout, soonest))
            for key, _ in self.selector.select(timeout):
                self._readable(key.fd)
            self._reap()
            self._end_late_execs()
            if limit and time.monotonic() >= next_look:
                next_look = time.monotonic() + _MEMORY_PERIOD
                self._watch_memory(limit)
        self._end_rest()
        self._drain()
        self.log.close()
        self.tell(exit=self.code, oom=self.oom)

    def _readable(self, descriptor: int) -> None:
        if descriptor == 0:
            self._control()
        elif descriptor == self.wake:
            os.read(self.wake, 4096)
        elif descriptor in self.streams:
            self._output(descriptor)
        else:
            self._exec_output(descriptor)

    def _control(self) -> None:
        data = os.read(0, 65536)
        if not data:
            self.selector.unregister(0)
            self._kill(signal.SIGKILL)
            return
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "signal" in message:
                self._kill(message["signal"])
            else:
                self._exec(message["exec"], message["argv"], message["timeout"])

    def _kill(self, number: int) -> None:
        if self.pid and self.code is None:
            os.kill(self.pid, number)

    def _output(self, descriptor: int) -> bool:
        try:
            data = os.read(descriptor, 65536)
        except BlockingIOError:
            return False
        if not data:
            self.selector.unregister(descriptor)
            os.close(descriptor)
            del self.streams[descriptor]
            return False
        self.log.feed(self.streams[descriptor], data)
        return True

    def _exec(self, identity: int, argv: list[str], timeout: float) -> None:
        readable, writable = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(readable, False)
        try:
            pid = spawn(argv, self.spec, stdout=writable, stderr=writable, first=False)
        except (SpawnError, OSError) as error:
            os.close(readable)
            self.tell(exec=identity, error=str(error))
            return
        finally:
            os.close(writable)
        self.execs[readable] = Exec(identity, pid, readable, time.monotonic() + timeout)
        self.selector.register(readable, selectors.EVENT_READ)

    def _exec_output(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, 65536)
        except BlockingIOError:
            return
        if data:
            item = self.execs[descriptor]
            item.output = (item.output + data)[:_OUTPUT_LIMIT]
        elif descriptor in self.selector.get_map():
            self.selector.unregister(descriptor)

    def _end_late_execs(self) -> None:
        now = time.monotonic()
        for item in self.execs.values():
            if now >= item.deadline:
                item.timed_out = True
                item.deadline = now + 3600
                _kill_group(item.pid)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            code = 128 - code if code < 0 else code
            if pid == self.pid:
                self.code = code
            for item in [item for item in self.execs.values() if item.pid == pid]:
                self._finish_exec(item, code)

    def _finish_exec(self, item: Exec, code: int) -> None:
        self._exec_output(item.pipe)
        if item.pipe in self.selector.get_map():
            self.selector.unregister(item.pipe)
        os.close(item.pipe)
        del self.execs[item.pipe]
        text = item.output.decode(errors="replace")
        self.tell(exec=item.identity, code=code, output=text, timed_out=item.timed_out)

    def _watch_memory(self, limit: int) -> None:
        # a /proc of the container's own PID namespace does not show this process
        own_numbers = not os.path.exists("/proc/self/stat")
        pids = memory.all_pids() if own_numbers else [self.pid, *memory.descendants(self.pid)]
        victim = memory.over_limit(pids, limit)
        if victim is None:
            return
        self.oom = True
        if not own_numbers:
            _kill_one(victim)
        elif victim == 1:
            self._kill(signal.SIGKILL)
        elif (
            helper := os.fork()
        ) == 0:  # a child is born into the namespace where the number means something
            _kill_one(victim)
            os._exit(0)
        else:
            os.waitpid(helper, 0)

    def _end_rest(self) -> None:
        """Ends what the program left behind; with a PID namespace the kernel has done so."""
        if self.spec["namespaces"]:
            return
        _kill_group(self.pid)
        for pid in memory.descendants(os.getpid()):
            _kill_one(pid)

    def _drain(self) -> None:
        until = time.monotonic() + _DRAIN_TIME
        while self.streams and time.monotonic() < until:
            for key, _ in self.selector.select(0.05):
                if key.fd in self.streams:
                    while self._output(key.fd):
                        pass


def _kill_one(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _read_spec() -> Any:
    data = b""
    while not data.endswith(b"\n"):
        more = os.read(0, 1 << 20)
        if not more:
            raise SystemExit("the node went away before it had said what to run")
        data += more
    return json.loads(data)


def main() -> None:
    """Reads the spec, runs the container, ends."""
    spec = _read_spec()
    linux.adopt_orphans()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    shim = Shim(spec)
    if shim.start():
        shim.run()
