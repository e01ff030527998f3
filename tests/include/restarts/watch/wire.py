"""A wire to the API server that can be cut, silenced and taken down."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import yaml


class Wire:
    """Passes bytes on to a server, as long as it is told to."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._silent: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.opened = 0
        """Connections so far."""

    async def up(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Refuse connections; those that are open end."""
        if self._server is not None:
            self._server.close()
        self.cut()

    def cut(self) -> None:
        """End all connections that are open, without a word."""
        for writer in list(self._open):
            writer.transport.abort()

    def silence(self) -> None:
        """The connections that are open stay open, and nothing comes through them any more."""
        self._silent |= self._open

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        there, back = await asyncio.open_connection(self._host, self._port)
        self._open |= {writer, back}
        await asyncio.gather(self._pass(reader, back, writer), self._pass(there, writer, writer))
        self._open -= {writer, back}

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, side: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while data := await reader.read(65536):
                if side not in self._silent:
                    writer.write(data)
                    await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()


@contextlib.asynccontextmanager
async def wire_to(kubeconfig: Path, folder: Path, *, up: bool = True) -> AsyncIterator[tuple[Wire, Path]]:
    """A wire to the cluster of a kubeconfig, and a kubeconfig that goes through it."""
    config = yaml.safe_load(kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    place = urlsplit(cluster["server"])
    assert place.hostname and place.port
    wire = Wire(place.hostname, place.port)
    await wire.up()
    if not up:
        await wire.down()
    cluster["server"] = f"https://127.0.0.1:{wire.port}"
    through = folder / "through-the-wire.yaml"
    through.write_text(yaml.safe_dump(config))
    try:
        yield wire, through
    finally:
        await wire.down()
