"""The way to a service inside the stand-in: a listener on its cluster address that passes each connection on once.

A connection goes to one ready pod, taken in turn, and is never tried again elsewhere: what a client sees during a
rollout is what it would see on a cluster. Which pods are ready is known a moment late, as there (see ``routes``). With no
ready pod a connection goes to one that still serves on its way out, and with none of those it is refused, as kube-proxy's
rules do: a client must be able to tell that nothing it sent has arrived. One that runs goes on until either side ends it,
so that a pod on its way out can finish what it has begun.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterable
from typing import Any

from include.cluster.controllers import services
from include.cluster.controllers.base import Cluster, Controller, Key, RetryError
from include.cluster.controllers.routes import Routes
from include.cluster.store import Change

Object = dict[str, Any]
Endpoint = tuple[str, int]

Listener = asyncio.Server | socket.socket
"""A socket that only keeps the port, and refuses, stands in for a server while no pod serves."""

logger = logging.getLogger(__name__)

_CONNECT_WITHIN = 10.0
_CHUNK = 65536


class ServiceProxy(Controller):
    """Listens for each TCP port of each service with a cluster address, and for node ports on the stand-in's host."""

    name = "service-proxy"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._listeners: dict[Key, dict[Endpoint, Listener]] = {}
        self._connections: set[asyncio.Task[None]] = set()
        self._routes = Routes(cluster.registry, cluster.settings, self.enqueue)

    def start(self) -> None:
        """Begins to work, with the pods of now."""
        self._routes.start()
        super().start()

    def initial(self) -> Iterable[Key]:
        """All services."""
        for service in self.registry.list("services"):
            yield service["metadata"]["namespace"], service["metadata"]["name"]

    def observe(self, change: Change) -> None:
        """Services, which it listens for, and whatever changes where connections go."""
        if change.key[0] == "services":
            self.enqueue((change.key[1], change.key[2]))
            self._routes.changed()
        elif change.key[0] == "pods" and services.concerns(change):
            self._routes.changed()

    async def reconcile(self, key: Key) -> float | None:
        """Opens and closes listeners until they are those of the service."""
        wanted = self._endpoints(self.registry.find("services", *key))
        present = self._listeners.setdefault(key, {})
        for endpoint, listener in list(present.items()):
            serving = isinstance(listener, asyncio.Server)
            if endpoint not in wanted or serving != self._routes.serves(key, wanted[endpoint]):
                present.pop(endpoint).close()
        try:
            for endpoint, port in wanted.items():
                if endpoint not in present:
                    present[endpoint] = await self._listen(key, endpoint, port)
        finally:
            if not present:
                del self._listeners[key]
        return None

    async def stop(self) -> None:
        """Closes all listeners and connections."""
        await super().stop()
        self._routes.stop()
        for present in self._listeners.values():
            for server in present.values():
                server.close()
        self._listeners.clear()
        running = list(self._connections)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _endpoints(self, service: Object | None) -> dict[Endpoint, int]:
        """Where to listen, and for which port of the service."""
        if service is None or service["spec"].get("clusterIP") in (None, "", "None"):
            return {}
        found: dict[Endpoint, int] = {}
        for port in service["spec"].get("ports") or []:
            if port.get("protocol", "TCP") == "TCP":
                found[(service["spec"]["clusterIP"], int(port["port"]))] = int(port["port"])
                if port.get("nodePort"):
                    found[(self.settings.host, int(port["nodePort"]))] = int(port["port"])
        return found

    async def _listen(self, key: Key, endpoint: Endpoint, port: int) -> Listener:
        def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._serve(key, port, reader, writer))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

        try:
            if not self._routes.serves(key, port):
                return _kept(endpoint)
            return await asyncio.start_server(accepted, *endpoint)
        except OSError as error:
            service = self.registry.find("services", *key)
            text = f"cannot listen on {endpoint[0]}:{endpoint[1]}: {error.strerror or error}"
            if isinstance(error, PermissionError):
                text += " (without privileges, service ports have to be 1024 or higher)"
            if service is not None:
                self.registry.event(service, "Warning", "FailedToListen", text, component=self.name)
            raise RetryError(text) from error

    async def _serve(
        self, key: Key, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        backend = self._routes.next(key, port)
        if backend is None:
            writer.transport.abort()
            return
        try:
            async with asyncio.timeout(_CONNECT_WITHIN):
                pod_reader, pod_writer = await asyncio.open_connection(*backend)
        except OSError as error:
            logger.info("service %s: %s:%s: %s", "/".join(key), *backend, error)
            writer.transport.abort()
            return
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pass(reader, pod_writer))
                group.create_task(_pass(pod_reader, writer))
        except* OSError:
            # One side was reset: the other side is told the same way.
            writer.transport.abort()
            pod_writer.transport.abort()
        finally:
            for one in (writer, pod_writer):
                one.close()
                with contextlib.suppress(OSError):
                    await one.wait_closed()


def _kept(endpoint: Endpoint) -> socket.socket:
    """A port that is bound and not listened at: connections to it are refused."""
    found = socket.socket(socket.AF_INET6 if ":" in endpoint[0] else socket.AF_INET)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(endpoint)
    except OSError:
        found.close()
        raise
    return found


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes bytes on until the end, then passes on the end: the other direction may still run."""
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
    with contextlib.suppress(OSError):
        if writer.can_write_eof():
            writer.write_eof()
