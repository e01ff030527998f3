"""The demo's processes end with it, however it ends."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from include.cluster import kubeconfig
from tools.demo import cluster, processes, state
from tools.demo.options import ROOT, DemoError, Options
from tools.demo.processes import Supervisor, end_marked, marked

STUBBORN = "import signal,subprocess,sys,time; signal.signal(15, signal.SIG_IGN); subprocess.Popen(['sleep','300']); time.sleep(300)"


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path, lambda _: None)
    (tmp_path / "tmp").mkdir()
    yield made
    made.stop(seconds=0)
    end_marked(tmp_path, 0.5)


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def test_stop_ends_a_process_that_ignores_term_and_its_children(supervisor: Supervisor) -> None:
    supervisor.start("stubborn", [sys.executable, "-c", STUBBORN], {})
    until(lambda: len(marked(supervisor.home)) == 2)
    supervisor.stop(seconds=0.3)
    until(lambda: not marked(supervisor.home))


def test_processes_end_when_the_demo_is_killed(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    code = (
        "import sys, time; from pathlib import Path; from tools.demo.processes import Supervisor\n"
        "Supervisor(Path(sys.argv[1])).start('child', ['sleep', '300'], {}); time.sleep(300)"
    )
    demo = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT)
    try:
        until(lambda: any(each.name() == "sleep" for each in marked(tmp_path)))
        demo.kill()
        demo.wait()
        until(lambda: not marked(tmp_path))
    finally:
        demo.kill()


def test_what_ignores_term_ends_too_when_the_demo_is_killed(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    code = (
        "import sys, time; from pathlib import Path; from tools.demo.processes import Supervisor\n"
        "demo = Supervisor(Path(sys.argv[1])); demo.guard()\n"
        f"demo.start('stubborn', [sys.executable, '-c', {STUBBORN!r}], {{}}); time.sleep(300)"
    )
    demo = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT)
    try:
        until(lambda: any(each.name() == "sleep" for each in marked(tmp_path)))
        demo.kill()
        demo.wait()
        until(lambda: not marked(tmp_path))
    finally:
        demo.kill()


def test_the_watchdog_ends_with_a_demo_that_ends_by_itself(supervisor: Supervisor) -> None:
    supervisor.guard()
    supervisor.start("sleep", ["sleep", "300"], {})
    supervisor.stop_all()
    assert marked(supervisor.home) == []


def test_the_next_demo_ends_what_is_left(tmp_path: Path) -> None:
    options = Options(tmp_path / "demo")
    options.home.mkdir()
    left = subprocess.Popen(["sleep", "300"], env={**os.environ, processes.MARK: str(options.home)})
    try:
        assert state.prepare(options) == 1
        assert left.poll() is not None
    finally:
        left.kill()


def test_a_process_that_keeps_ending_is_started_again_and_then_reported(supervisor: Supervisor) -> None:
    process = supervisor.start("broken", ["sh", "-c", "echo the reason; exit 3"], {})
    with pytest.raises(DemoError, match=r"(?s)broken ended with status 3.*the reason"):
        for _ in range(200):
            supervisor.check()
            time.sleep(0.02)
    assert process.restarts == processes.MOST_RESTARTS


def test_a_failing_command_shows_its_output(supervisor: Supervisor) -> None:
    with pytest.raises(DemoError, match=r"(?s)step failed with status 4.*what went wrong"):
        supervisor.run("step", ["sh", "-c", "echo what went wrong; exit 4"], {})


def test_nothing_of_the_user_s_settings_reaches_airflow(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "64")
    monkeypatch.setenv("KUBECONFIG", "/somewhere")
    environment = supervisor.environment({})
    assert not [name for name in environment if name.startswith(("AIRFLOW", "KUBE"))]
    assert environment["HOME"] == str(supervisor.home / "home")


def test_second_demo_of_a_checkout_is_refused(tmp_path: Path) -> None:
    with (
        state.only_one(tmp_path),
        pytest.raises(DemoError, match=f"already running .pid {os.getpid()}"),
        state.only_one(tmp_path),
    ):
        pass
    with state.only_one(tmp_path):
        pass


def test_nothing_is_cleaned_away_under_a_running_demo(tmp_path: Path) -> None:
    command = [sys.executable, "tools/no_demo.py", str(tmp_path / "demo")]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    with state.only_one(tmp_path / "demo"):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        with pytest.raises(DemoError) as second, state.only_one(tmp_path / "demo"):
            pass
    assert (done.returncode, done.stderr) == (1, f"error: {second.value}\n")
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def test_clean_start_keeps_keys_and_the_empty_database_only(tmp_path: Path) -> None:
    options = Options(tmp_path)
    state.prepare(options)
    made = state.keys(tmp_path)
    (tmp_path / "metadata-1.db").touch()
    locked = tmp_path / "cluster" / "volume"
    locked.mkdir()
    (locked / "file").touch()
    locked.chmod(0o500)
    state.prepare(options)
    assert not locked.exists()
    assert (tmp_path / "metadata-1.db").exists()
    assert state.keys(tmp_path) == made
    assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0
    assert options.airflow_home.stat().st_mode & 0o077 == 0
    assert len(made["jwt"]) >= 64


def test_certificates_of_the_cluster_s_client_stay_in_the_demo_s_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    options = Options(tmp_path / "demo")
    options.home.mkdir()
    state.prepare(options)
    state.keep_temporary_files(options)
    text = kubeconfig.render("https://127.0.0.1:1", b"CA of the demo", "token", user="admin")
    kubeconfig.write(tmp_path / "config", text)
    cluster.connect(tmp_path / "config")
    assert "CA of the demo" in [path.read_text() for path in (options.home / "tmp").iterdir()]


def test_keep_keeps(tmp_path: Path) -> None:
    options = Options(tmp_path, keep=True)
    state.prepare(options)
    (tmp_path / "cluster" / "state.db").touch()
    state.prepare(options)
    assert (tmp_path / "cluster" / "state.db").exists()


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "NEEDED_BYTES", 10**18)
    with pytest.raises(DemoError, match="not enough disk space"):
        state.prepare(Options(tmp_path))


def test_ended_processes_are_no_zombies(supervisor: Supervisor) -> None:
    process = supervisor.start("short", ["true"], {}, restartable=False)
    until(lambda: process.code is not None)
    assert process.popen is not None
    with contextlib.suppress(psutil.NoSuchProcess):
        assert psutil.Process(process.popen.pid).status() != psutil.STATUS_ZOMBIE
