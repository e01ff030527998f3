"""The benchmark of the red button: its arithmetic, its configuration, and the proxy that cuts."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from include.release.loading import Sources
from include.restarts.loading import placed_guards
from tools.bench_red_button.cutting import Proxy, between
from tools.bench_red_button.figures import Cut, Press, Size, Usage, line, misses, percentile, split
from tools.bench_red_button.measure import _spread
from tools.bench_red_button.options import Options, read
from tools.bench_red_button.setting import write_config
from tools.bench_red_button.timeline import parts_of
from tools.demo.options import DemoError


def size(*seconds: float, guards: int = 100, **more: object) -> Size:
    return Size(guards, [Press("a", each, {"tasks": each / 2}) for each in seconds], **more)  # type: ignore[arg-type]


def test_percentiles_lie_between_values_in_proportion():
    assert [percentile([1, 2, 3, 4, 5], rank) for rank in (0, 50, 95, 100)] == [1, 3, 4.8, 5]
    assert percentile([7], 99) == 7
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_the_last_line_has_every_key_and_says_why_one_is_missing():
    sizes = [size(1.0, 2.0, guards=1), size(3.0, idle=Usage(512.34, 1.0)), Size(1000, reason="not asked for")]
    found = json.loads(line(sizes, Cut(20, 20, 90, 2)))
    assert found["guards_1"] == {"p50_s": 1.5, "p95_s": 1.95, "p99_s": 1.99, "presses": 2}
    assert found["guards_1000"] == {"p50_s": None, "p95_s": None, "p99_s": None, "reason": "not asked for"}
    assert (found["triggerer_rss_mb"], found["presses_expected"], found["presses_made"]) == (512.3, 20, 20)
    none = json.loads(line([Size(1, reason="x")], Cut(reason="y")))
    assert (none["presses_made"], none["presses_reason"], none["triggerer_rss_mb"]) == (None, "y", None)


def test_what_is_missed_is_said():
    assert misses([size(1.0)], Cut(20, 20)) == []
    assert "p95 with 100 guards is 3.00 s" in misses([size(3.0)], Cut())[0]
    assert misses([size(9.0, guards=1000)], Cut()) == []
    assert "1 presses were lost and 2 were too many" in misses([size(1.0, lost=1, extra=2)], Cut())[0]
    assert "20 presses were expected and 21 made" in misses([], Cut(20, 21))[0]


def test_the_split_leaves_out_what_is_not_known():
    assert split([Press("a", 1, {"call": 0.1}), Press("b", 1)]) == [("call", 0.1, 0.1)]


def test_where_the_time_of_a_press_goes():
    def at(second: float) -> str:
        return f"2026-11-21T03:00:{second:06.3f}+00:00"

    start = 1795230000.0
    watch = {"task_id": "watch", "scheduled_when": at(0.2), "queued_when": at(0.5), "start_date": at(0)}
    found = {"decided_at": at(0.1), "woke_at": at(0.9)}
    tasks = [{"task_id": "tell"}, watch]
    parts = parts_of(start, start + 1.5, {"at": at(1.4)}, found, tasks)
    assert {name: round(value, 3) for name, value in parts.items()} == {
        "watch and decision": 0.1,
        "trigger to Airflow": 0.1,
        "scheduler": 0.3,
        "task starts": 0.4,
        "confirm and evidence": 0.5,
        "call": 0.1,
    }
    assert sum(parts.values()) == pytest.approx(1.5)
    assert parts_of(start, start + 1.5, {}, found, tasks) == {}
    assert parts_of(start, start + 1.5, {"at": at(0.7)}, found, tasks) == {}


def test_options_from_outside(tmp_path: Path):
    assert read({}) == Options()
    assert read({"GUARDS": "1, 100", "PRESSES": "7", "CUT_PRESSES": "0"}).guards == (1, 100)
    for wrong in (
        {"GUARDS": "many"},
        {"GUARDS": "0"},
        {"PRESSES": "-1"},
        {"KUBECONFIG": str(tmp_path / "none")},
    ):
        with pytest.raises(DemoError, match=next(iter(wrong))):
            read(wrong)


def test_the_configuration_of_so_many_guards_is_valid_and_has_no_brake(tmp_path: Path):
    write_config(tmp_path / "config", 100, "somewhere")
    found = placed_guards(Sources(Path("include/releases"), tmp_path / "config"))
    assert len(found) == 100
    guard, place, guards = found[7]
    assert (guard.name, guard.deployment, place.namespace) == ("bench-0007", "bench-0007", "somewhere")
    assert guards.storm.guards > 100_000
    assert guard.cooldown_minutes < 0.01


def test_places_are_spread_over_a_sequence():
    assert _spread(20, 2) == [6, 13]
    assert _spread(1, 2) == [0]
    assert _spread(0, 2) == []


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that answers what it gets."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(100):
                    connection.sendall(data)
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.close()


def test_the_proxy_passes_on_until_it_cuts(echo: int):
    proxy = Proxy("127.0.0.1", echo)
    proxy.start()
    try:
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"
            proxy.cut_every = 0.2
            begun = time.monotonic()
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(100) == b""
            assert time.monotonic() - begun < 4
        assert proxy.cuts == 1
    finally:
        proxy.close()


def test_a_kubeconfig_by_way_of_the_proxy(echo: int, tmp_path: Path):
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": f"https://localhost:{echo}"}}],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    with between(tmp_path / "config", tmp_path / "way") as proxy:
        cluster = yaml.safe_load((tmp_path / "way").read_text())["clusters"][0]["cluster"]
        assert cluster == {"server": f"https://127.0.0.1:{proxy.port}", "tls-server-name": "localhost"}
    (tmp_path / "config").write_text("{}")
    with pytest.raises(DemoError, match="no current context"), between(tmp_path / "config", tmp_path / "way"):
        pass
