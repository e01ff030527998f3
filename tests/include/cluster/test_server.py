"""The stand-in as a process: start, lock, port, kill, restart, stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]


class Process:
    """One ``serve``."""

    def __init__(self, state: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "include.cluster", "serve", "--state-dir", str(state)]
        command += ["--images-dir", str(state.parent / "images"), *arguments]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture
def started() -> Iterator[list[Process]]:
    running: list[Process] = []
    yield running
    for one in running:
        if one.process.poll() is None:
            one.end(signal.SIGKILL)


def _ask(state: Path, path: str, body: Any = None, config: str = "kubeconfig") -> Any:
    settings = yaml.safe_load((state / config).read_text())
    cluster = settings["clusters"][0]["cluster"]
    context = ssl.create_default_context(cafile=str(state / "tls" / "ca.crt"))
    request = urllib.request.Request(cluster["server"] + path, json.dumps(body).encode() if body else None)
    request.add_header("Authorization", f"Bearer {settings['users'][0]['user']['token']}")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:
        return json.load(answer)


def test_a_killed_cluster_comes_back_as_it_was(tmp_path: Path, started: list[Process]) -> None:
    state = tmp_path / "state"
    started.append(Process(state))
    assert started[0].line.startswith("ready https://127.0.0.1:")
    assert started[0].line.strip().split(" ", 2)[2] == f"kubeconfig={state / 'kubeconfig'}"
    made = _ask(
        state, "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "x"}, "data": {"a": "1"}}
    )
    config = (state / "kubeconfig").read_text()
    assert oct(state.stat().st_mode & 0o777) == "0o700"
    for name in ("kubeconfig", "objects.db", "objects.db-wal", "objects.db-shm"):
        assert oct((state / name).stat().st_mode & 0o777) == "0o600", name
    started[0].end(signal.SIGKILL)
    started.append(Process(state))
    assert (state / "kubeconfig").read_text() == config
    found = _ask(state, "/api/v1/namespaces/default/configmaps/x")
    assert (found["data"], found["metadata"]["uid"]) == ({"a": "1"}, made["metadata"]["uid"])
    assert started[1].end() == 0


def test_two_clusters_do_not_share_a_state_directory(tmp_path: Path, started: list[Process]) -> None:
    state = tmp_path / "state"
    started.append(Process(state))
    second = Process(state)
    assert second.process.wait(10) == 1
    told = second.process.stderr.read() if second.process.stderr else ""
    assert told == (
        f"error: another stand-in uses the state directory {state} (process {started[0].process.pid}): "
        "stop it, or name another\n"
    )
    assert started[0].end(signal.SIGINT) == 0


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = Process(tmp_path / "state", "--port", str(port))
        assert refused.process.wait(10) == 1
        told = refused.process.stderr.read() if refused.process.stderr else ""
    assert (
        told == f"error: port {port} on 127.0.0.1 is taken: stop what uses it, or give another with --port\n"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_state_directory_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    refused = Process(tmp_path / "state")
    assert refused.process.wait(10) == 1
    told = refused.process.stderr.read() if refused.process.stderr else ""
    assert told.startswith(f"error: the state directory {tmp_path / 'state'} cannot be written")


def test_a_kubeconfig_for_a_viewer_may_look_and_not_touch(tmp_path: Path, started: list[Process]) -> None:
    state = tmp_path / "state"
    started.append(Process(state))
    command = [sys.executable, "-m", "include.cluster", "kubeconfig", "--state-dir", str(state)]
    command += ["--user", "jane", "--role", "view", "--output", str(state / "jane")]
    subprocess.run(command, cwd=ROOT, check=True)
    assert _ask(state, "/api/v1/namespaces", config="jane")["kind"] == "NamespaceList"
    with pytest.raises(urllib.error.HTTPError) as refused:
        _ask(state, "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "x"}}, config="jane")
    assert json.load(refused.value)["message"] == (
        'configmaps is forbidden: User "jane" cannot create resource "configmaps" in API group "" in the namespace "default"'
    )
