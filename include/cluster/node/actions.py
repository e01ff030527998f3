"""What probes and lifecycle hooks do: run a command, ask by HTTP, open a connection."""

from __future__ import annotations

import asyncio
import errno
import ssl
from dataclasses import dataclass
from typing import Any

import aiohttp

from include.cluster.node.process import Process

Object = dict[str, Any]

_BODY_LIMIT = 10 * 1024
_INSECURE = ssl.create_default_context()
_INSECURE.check_hostname = False
_INSECURE.verify_mode = ssl.CERT_NONE


@dataclass(frozen=True)
class Outcome:
    """How it went. ``output`` is what the Unhealthy event quotes; ``error``: it could not be tried at all."""

    ok: bool
    output: str = ""
    error: str = ""
    code: int = 0


def port_number(value: int | str, container: Object) -> int | None:
    """The number of a port given by number or by name."""
    if isinstance(value, int) or str(value).isdigit():
        return int(value)
    ports = container.get("ports") or []
    return next((int(port["containerPort"]) for port in ports if port.get("name") == value), None)


async def run(action: Object, container: Object, process: Process, address: str, timeout: float) -> Outcome:
    """Does what a probe or hook describes (exec, httpGet, tcpSocket)."""
    if "exec" in action:
        return await _exec(process, list(action["exec"].get("command") or []), timeout)
    if "httpGet" in action:
        spec = action["httpGet"]
        port = port_number(spec["port"], container)
        if port is None:
            return Outcome(False, error=f"strconv.Atoi: parsing {str(spec['port'])!r}: invalid syntax")
        return await _http(spec, spec.get("host") or address, port, timeout)
    spec = action["tcpSocket"]
    port = port_number(spec["port"], container)
    if port is None:
        return Outcome(False, error=f"strconv.Atoi: parsing {str(spec['port'])!r}: invalid syntax")
    return await _tcp(spec.get("host") or address, port, timeout)


async def _exec(process: Process, argv: list[str], timeout: float) -> Outcome:
    result = await process.execute(argv, timeout)
    if result.timed_out:
        return Outcome(False, f'command timed out: "{" ".join(argv)}" timed out after {duration(timeout)}')
    if result.error:
        prefix = "rpc error: code = Unknown desc = failed to exec in container: "
        return Outcome(False, error=prefix + result.error)
    return Outcome(result.code == 0, result.output, code=result.code)


async def _http(spec: Object, host: str, port: int, timeout: float) -> Outcome:
    scheme = (spec.get("scheme") or "HTTP").lower()
    path = spec.get("path") or "/"
    url = f"{scheme}://{host}:{port}{path if path.startswith('/') else '/' + path}"
    headers = {"User-Agent": "kube-probe/1.36", "Accept": "*/*"}
    headers |= {entry["name"]: entry["value"] for entry in spec.get("httpHeaders") or []}
    prefix = f'Get "{url}": '
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout)) as session,
            session.get(url, headers=headers, ssl=_INSECURE) as response,
        ):
            await response.content.read(_BODY_LIMIT)
            if 200 <= response.status < 400:
                return Outcome(True)
            return Outcome(False, f"HTTP probe failed with statuscode: {response.status}")
    except TimeoutError:
        waited = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        return Outcome(False, prefix + waited)
    except aiohttp.ClientConnectorError as error:
        return Outcome(False, f"{prefix}dial tcp {host}:{port}: connect: {_reason(error.os_error)}")
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError):
        return Outcome(False, prefix + "EOF")
    except aiohttp.ClientOSError as error:
        return Outcome(False, f"{prefix}read tcp {host}:{port}: read: {_reason(error)}")
    except aiohttp.ClientError as error:
        return Outcome(False, prefix + str(error))


async def _tcp(host: str, port: int, timeout: float) -> Outcome:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), timeout)
    except TimeoutError:
        return Outcome(False, f"dial tcp {host}:{port}: i/o timeout")
    except OSError as error:
        return Outcome(False, f"dial tcp {host}:{port}: connect: {_reason(error)}")
    writer.close()
    return Outcome(True)


def _reason(error: OSError) -> str:
    if error.errno == errno.ECONNREFUSED:
        return "connection refused"
    if error.errno == errno.ECONNRESET:
        return "connection reset by peer"
    return (error.strerror or str(error)).lower()


def duration(seconds: float) -> str:
    """Seconds as Go writes durations: ``10s``, ``1m20s``, ``500ms``."""
    milliseconds = round(seconds * 1000)
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
