"""The stand-in as a whole: state, API, controllers and node in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import signal
import socket
import sqlite3
import ssl
import sys
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from aiohttp import web

from include.cluster import kubeconfig, network, tls
from include.cluster.auth import Tokens
from include.cluster.errors import ApiError
from include.cluster.http.app import Api
from include.cluster.registry import Registry, addresses
from include.cluster.settings import Settings
from include.cluster.store import Store

NAMESPACES = ("default", "kube-system", "kube-public")
ADMIN = "admin"
_SHUTDOWN = 2.0


class ServeError(Exception):
    """The stand-in cannot start; the text is one line for whoever started it."""


class Stoppable(Protocol):
    """A part that runs until it is stopped."""

    async def stop(self) -> None:
        """Ends it."""


class Server:
    """One running stand-in.

    Args:
        settings: where its state and images are, and its port (0: the one it had before, else a free one).
        workers: start the controllers and the node too; without them only the API answers.
    """

    def __init__(self, settings: Settings, *, workers: bool = True) -> None:
        self.settings = settings
        self._workers = workers
        self._running: list[Stoppable] = []
        self._lock: int | None = None
        self._range: socket.socket | None = None
        self._runner: web.AppRunner | None = None
        self.registry: Registry
        self.tokens: Tokens
        self.api: Api

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"https://{_bracketed(self.settings.host)}:{self.settings.port}"

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig."""
        return self.settings.state_dir / "kubeconfig"

    async def start(self) -> None:
        """Takes the state directory, and serves.

        Raises:
            ServeError: the platform, the state directory or the port will not do.
        """
        if not sys.platform.startswith("linux"):
            raise ServeError(f"the stand-in cluster runs on Linux only, and this is {sys.platform}")
        state = self.settings.state_dir
        self._lock = _locked(state)
        try:
            store = Store(state / "objects.db", self.settings.watch_history)
        except sqlite3.DatabaseError as error:
            raise ServeError(
                f"{state / 'objects.db'} cannot be used ({error}): remove {state} to start afresh"
            ) from None
        listener = _listener(self.settings)
        try:
            services, self._range = network.claim(state)
        except network.RangesTakenError as error:
            raise ServeError(str(error)) from None
        self.settings = replace(self.settings, port=listener.getsockname()[1], service_range=services)
        context, ca = tls.server_context(state, self.settings.host)
        self.tokens = Tokens(state)
        self.registry = Registry(store, self.settings)
        addresses.renumber(self.registry)
        self.api = Api(self.registry, self.tokens)
        await self._serve(listener, context)
        (state / "port").write_text(str(self.settings.port))
        text = kubeconfig.render(self.url, ca, self.tokens.user_token(ADMIN, "admin"), user=ADMIN)
        kubeconfig.write(self.kubeconfig, text)
        if self._workers:
            await self._work()
        for name in NAMESPACES:
            with contextlib.suppress(ApiError):  # it is there from before
                self.registry.create("namespaces", "", {"metadata": {"name": name}})

    async def stop(self) -> None:
        """Ends controllers, containers, requests and the store, in this order."""
        for part in self._running:
            await part.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        if hasattr(self, "registry"):
            self.registry.store.close()
        if self._range is not None:
            self._range.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _serve(self, listener: socket.socket, context: ssl.SSLContext) -> None:
        # A handler whose client has gone is cancelled: a watch or a proxied request ends with its connection.
        self._runner = web.AppRunner(
            self.api.application(), access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN
        )
        await self._runner.setup()
        await web.SockSite(self._runner, listener, ssl_context=context).start()

    async def _work(self) -> None:
        # Imported here: a server for tests of the API alone does without them.
        from include.cluster import controllers  # noqa: PLC0415
        from include.cluster.node.node import Node  # noqa: PLC0415

        self._running.append(controllers.start(self.registry, self.settings))
        node = Node(self.registry, self.settings)
        await node.start()
        self._running.append(node)
        self.api.subresources.node = node


def _locked(state: Path) -> int:
    """The lock on a state directory; held until the process ends."""
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ServeError(f"the state directory {state} cannot be written: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(handle, 32, 0).decode() or "unknown"
        os.close(handle)
        raise ServeError(
            f"another stand-in uses the state directory {state} (process {holder}): stop it, or name another"
        ) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    return handle


def _listener(settings: Settings) -> socket.socket:
    """The socket: on the port asked for, else the one used before if it is free, else any."""
    remembered = settings.state_dir / "port"
    wanted = [settings.port]
    if not settings.port:
        before = remembered.read_text().strip() if remembered.exists() else ""
        wanted = [int(before), 0] if before.isdigit() else [0]
    for port in wanted:
        try:
            return socket.create_server((settings.host, port), backlog=512)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and port != wanted[-1]:
                continue
            if error.errno == errno.EADDRINUSE:
                raise ServeError(
                    f"port {port} on {settings.host} is taken: stop what uses it, or give another with --port"
                ) from None
            raise ServeError(f"cannot listen on {settings.host}:{port}: {error.strerror or error}") from None
    raise AssertionError("no port was tried")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT. Prints one line when ready.

    Raises:
        ServeError: it cannot start.
    """
    server = Server(settings)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    try:
        await server.start()
        print(f"ready {server.url} kubeconfig={server.kubeconfig}", flush=True)  # noqa: T201 - the one line promised
        await ended.wait()
    finally:
        await server.stop()
