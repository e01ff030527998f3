"""Which pods the service proxy sends to: what it last learnt, a moment behind the pods as kube-proxy is.

On a cluster a pod that becomes ready or begins to end passes through the endpoints controller, a watch and a rewrite of
the node's rules. Connections still go to a pod for that long after it was told to end; a program that closes its port
at once loses them. A stand-in that knew at once would hide that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from include.cluster.controllers import services
from include.cluster.controllers.base import Key
from include.cluster.controllers.services import Address
from include.cluster.registry import Registry
from include.cluster.settings import Settings

Table = dict[tuple[Key, int], list[Address]]


class Routes:
    """The addresses of each port of each service, rewritten some time after something has changed.

    Args:
        registry: where services and pods are looked up.
        settings: ``proxy_delay`` and ``proxy_min_sync``.
        turned: told of each service that has come to be served at a port, or is no longer.
    """

    def __init__(self, registry: Registry, settings: Settings, turned: Callable[[Key], None]) -> None:
        self._registry = registry
        self._delay, self._apart = settings.proxy_delay, settings.proxy_min_sync
        self._turned = turned
        self._table: Table = {}
        self._turns: dict[tuple[Key, int], int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._written = float("-inf")

    def start(self) -> None:
        """Learn the state of now. Needs a running event loop."""
        self._write(asyncio.get_running_loop().time)

    def stop(self) -> None:
        """Learn nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def changed(self) -> None:
        """Something that routes depend on has changed: they are rewritten when it is time."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            when = max(loop.time() + self._delay, self._written + self._apart)
            self._timer = loop.call_at(when, self._write, loop.time)

    def next(self, key: Key, port: int) -> Address | None:
        """Where the next connection to a port of a service goes, taken in turn; None when no pod serves it."""
        found = self._table.get((key, port))
        if not found:
            return None
        turn = self._turns.get((key, port), 0)
        self._turns[(key, port)] = turn + 1
        return found[turn % len(found)]

    def serves(self, key: Key, port: int) -> bool:
        """Whether any pod serves a port of a service."""
        return bool(self._table.get((key, port)))

    def _write(self, now: Callable[[], float]) -> None:
        self._timer = None
        self._written = now()
        pods: dict[str, list[dict[str, Any]]] = {}
        for pod in self._registry.list("pods"):
            pods.setdefault(pod["metadata"]["namespace"], []).append(pod)
        table: Table = {}
        for service in self._registry.list("services"):
            key = (service["metadata"]["namespace"], service["metadata"]["name"])
            for port in service["spec"].get("ports") or []:
                found = services.addresses(service, port, pods.get(key[0], []), leaving=True)
                table[(key, int(port["port"]))] = found
        before, self._table = self._table, table
        for where in before.keys() | table.keys():
            if bool(before.get(where)) != bool(table.get(where)):
                self._turned(where[0])
        self._turns = {where: turn for where, turn in self._turns.items() if where in table}
