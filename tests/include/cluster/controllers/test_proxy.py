"""Services on loopback addresses, with real connections."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from include.cluster.controllers import services
from include.cluster.registry import DeleteOptions
from include.cluster.registry.clock import stamp
from tests.include.cluster.controllers.kit import NS, World

Object = dict[str, Any]


class Backend:
    """Answers each connection with its name and what it was sent, and counts them."""

    running: list[Backend] = []

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address, self.accepted, self.port = name, address, 0, 0
        self.running.append(self)

    async def start(self, port: int = 0) -> Backend:
        self.server = await asyncio.start_server(self.serve, self.address, port)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        while line := await reader.readline():
            writer.write(f"{self.name}:".encode() + line)
        # The client has ended its half; the answer's last word still gets through.
        writer.write(b"bye\n")
        writer.close()


@pytest.fixture(autouse=True)
async def close_backends() -> AsyncIterator[None]:
    yield
    while Backend.running:
        Backend.running.pop().server.close()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def pod(world: World, name: str, address: str, port: int, *, ready: bool = True) -> None:
    container = {"name": "app", "image": "app:1", "ports": [{"name": "web", "containerPort": port}]}
    world.behave = lambda found: "run"
    world.create(
        "pods", {"metadata": {"name": name, "labels": {"app": "web"}}, "spec": {"containers": [container]}}
    )
    set_ready(world, name, address, ready)


def set_ready(world: World, name: str, address: str, ready: bool) -> None:
    def change(found: Object) -> None:
        condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": stamp()}
        found["status"] = {"phase": "Running", "podIP": address, "conditions": [condition]}

    world.registry.edit("pods", NS, name, change, manager="test", subresource="status")


async def service(world: World, port: int, target: Any = "web") -> str:
    ports = [{"name": "http", "port": port, "targetPort": target}]
    made = world.create(
        "services", {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": ports}}
    )
    await world.settle()
    return str(made["spec"]["clusterIP"])


async def ask(address: str, port: int, text: str = "hello") -> str:
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(address, port)
        writer.write(f"{text}\n".encode())
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer.decode()


async def test_connections_go_round_the_ready_pods(world: World) -> None:
    first = await Backend("first", "127.77.0.1").start()
    second = await Backend("second", "127.77.0.2").start(first.port)
    pod(world, "a", first.address, first.port)
    pod(world, "b", second.address, second.port)
    pod(world, "c", "127.77.0.3", first.port, ready=False)
    port = free_port()
    address = await service(world, port)
    answers = [await ask(address, port) for _ in range(4)]
    assert sorted(answers) == ["first:hello\nbye\n"] * 2 + ["second:hello\nbye\n"] * 2


async def test_a_connection_is_tried_once(world: World) -> None:
    good = await Backend("good", "127.77.1.1").start()
    pod(world, "dead", "127.77.1.2", good.port)
    pod(world, "good", good.address, good.port)
    port = free_port()
    address = await service(world, port)
    failed = 0
    for _ in range(4):
        try:
            failed += not await ask(address, port)
        except ConnectionError:
            failed += 1
    assert (failed, good.accepted) == (2, 2)


async def test_without_a_ready_pod_a_connection_is_refused_and_an_old_one_goes_on(world: World) -> None:
    backend = await Backend("one", "127.77.2.1").start()
    pod(world, "a", backend.address, backend.port)
    port = free_port()
    address = await service(world, port, target=backend.port)
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(b"before\n")
    assert await reader.readline() == b"one:before\n"
    set_ready(world, "a", backend.address, False)
    await world.settle()
    with pytest.raises(ConnectionRefusedError):
        await ask(address, port)
    writer.write(b"after\n")
    assert await reader.readline() == b"one:after\n"
    writer.close()
    set_ready(world, "a", backend.address, True)
    await world.settle()
    assert await ask(address, port) == "one:hello\nbye\n"


async def test_a_deleted_service_is_listened_for_no_more(world: World) -> None:
    port = free_port()
    address = await service(world, port)
    world.registry.delete("services", NS, "web")
    await world.settle()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(address, port)


async def test_a_port_that_cannot_be_had_is_told_and_tried_again(world: World) -> None:
    backend = await Backend("one", "127.77.6.1").start()
    pod(world, "a", backend.address, backend.port)
    port = free_port()
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", port))
        taken.listen()
        address = await service(world, port)
        assert world.events("Service", "FailedToListen")
    await world.soon(lambda: can_connect(address, port))


def can_connect(address: str, port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex((address, port)) == 0


async def test_a_node_port_is_served_on_the_stand_ins_host(world: World) -> None:
    backend = await Backend("one", "127.77.3.1").start()
    pod(world, "a", backend.address, backend.port)
    number = 30000 + free_port() % 2700
    ports = [{"port": free_port(), "targetPort": "web", "nodePort": number}]
    spec = {"type": "NodePort", "selector": {"app": "web"}, "ports": ports}
    world.create("services", {"metadata": {"name": "web"}, "spec": spec})
    await world.settle()
    assert await ask(world.settings.host, number) == "one:hello\nbye\n"


@pytest.mark.parametrize(
    ("leaving", "pods", "expected"),
    [
        (True, [("a", True, True), ("b", False, True)], ["a"]),
        (True, [("a", True, True), ("b", True, False)], ["b"]),
        (False, [("a", True, True)], []),
    ],
)
def test_a_pod_that_leaves_stands_in_for_ready_ones(
    leaving: bool, pods: list[tuple[str, bool, bool]], expected: list[str]
) -> None:
    candidates = [
        {
            "metadata": {"labels": {"app": "web"}, **({"deletionTimestamp": stamp()} if dying else {})},
            "spec": {"containers": []},
            "status": {"podIP": name, "conditions": [{"type": "Ready", "status": str(ready)}]},
        }
        for name, ready, dying in pods
    ]
    port = {"port": 80, "targetPort": 80}
    found = services.addresses({"spec": {"selector": {"app": "web"}}}, port, candidates, leaving=leaving)
    assert [address for address, _ in found] == expected


@pytest.fixture
async def late(tmp_path: Path) -> AsyncIterator[World]:
    """A world whose proxy is late, as kube-proxy is."""
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "ca.crt").write_text("a certificate")
    made = World(tmp_path, proxy_delay=0.3, proxy_min_sync=0.6)
    await made.start()
    yield made
    await made.stop()


async def until_asked(address: str, port: int, expected: set[str]) -> None:
    """Until connections go to these backends and no others."""
    async with asyncio.timeout(5):
        while True:
            with contextlib.suppress(ConnectionError):
                if {(await ask(address, port)).partition(":")[0] for _ in range(4)} == expected:
                    return
            await asyncio.sleep(0.01)


async def test_a_pod_on_its_way_out_gets_connections_for_a_moment(late: World) -> None:
    """What makes a preStop hook necessary: a pod is told to end before those who send to it know."""
    staying = await Backend("staying", "127.77.4.1").start()
    leaving = await Backend("leaving", "127.77.4.2").start(staying.port)
    pod(late, "staying", staying.address, staying.port)
    pod(late, "leaving", leaving.address, leaving.port)
    port = free_port()
    address = await service(late, port)
    await until_asked(address, port, {"staying", "leaving"})

    def hold(found: Object) -> None:
        found["metadata"]["finalizers"] = ["example.com/hold"]

    late.registry.edit("pods", NS, "leaving", hold, manager="test")
    late.registry.delete("pods", NS, "leaving", DeleteOptions())
    assert {await ask(address, port) for _ in range(2)} == {"staying:hello\nbye\n", "leaving:hello\nbye\n"}
    await until_asked(address, port, {"staying"})


async def test_a_change_soon_after_another_waits(late: World) -> None:
    first = await Backend("first", "127.77.5.1").start()
    second = await Backend("second", "127.77.5.2").start(first.port)
    pod(late, "a", first.address, first.port)
    pod(late, "b", second.address, second.port, ready=False)
    port = free_port()
    address = await service(late, port)
    await until_asked(address, port, {"first"})
    begun = time.monotonic()
    set_ready(late, "b", second.address, True)
    await until_asked(address, port, {"first", "second"})
    assert time.monotonic() - begun > 0.45
