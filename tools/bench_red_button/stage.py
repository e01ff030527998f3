"""Where it happens: a cluster, and for each measurement an Airflow of its own with so many guards."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.release.kube import Cluster
from include.restarts.heartbeat import HEARTBEAT, read_beats
from tools.bench_red_button import postgres, setting
from tools.bench_red_button.observer import Observer
from tools.bench_red_button.options import MOST_ON_SQLITE, Options
from tools.bench_red_button.workload import Workload, name_of
from tools.demo import airflow as components
from tools.demo import cluster as stand_in
from tools.demo import ports, state
from tools.demo.api import Airflow
from tools.demo.options import DemoError
from tools.demo.options import Options as DemoOptions
from tools.demo.processes import Process, Supervisor

Say = Callable[[str], None]
NAMESPACE = "bench-red-button"
FIRST_ARMED_WITHIN = 180.0
PER_GUARD = 1.5
"""Seconds to parse a DAG file, make its first run and start its trigger; on a busy machine."""


@dataclass(frozen=True)
class Ground:
    """The cluster: its kubeconfig, and its process when it is the embedded one."""

    kubeconfig: Path
    supervisor: Supervisor
    options: DemoOptions
    keys: dict[str, str]
    process: Process | None

    def connect(self) -> Cluster:
        """A client of its own, whose connections nothing cuts."""
        return stand_in.connect(self.kubeconfig)

    def restart(self) -> None:
        """Restart the API server. Raises DemoError when it does not come back."""
        if self.process is None or self.process.popen is None:
            raise DemoError("only the embedded cluster can be restarted")
        self.process.popen.terminate()
        self.process.popen.wait(60)
        self.process.start()
        stand_in.wait_ready(self.process, self.supervisor)


@dataclass(frozen=True)
class Stage:
    """What a measurement works with."""

    airflow: Airflow
    work: Workload
    observer: Observer
    supervisor: Supervisor
    armed_after: float

    def armed_since(self, name: str, moment: float) -> bool:
        """Whether the watch of a guard gave a sign of life after a moment."""
        beats = read_beats(self.work.cluster.get("ConfigMap", self.work.namespace, HEARTBEAT))
        return any(name in each.watches and each.at.timestamp() > moment for each in beats)

    def until(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        """Wait for something. Raises DemoError when it takes too long."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.supervisor.check()
            if time.monotonic() > deadline:
                raise DemoError(f"not in {seconds:.0f} s: {what}")
            time.sleep(0.2)


@contextlib.contextmanager
def ground(options: Options, say: Say) -> Iterator[Ground]:
    """The cluster; everything that was started is ended afterwards. Raises DemoError."""
    demo = DemoOptions(home=options.home)
    with state.only_one(options.home):
        supervisor = Supervisor(options.home, say)
        try:
            state.prepare(demo)
            state.keep_temporary_files(demo)
            keys = state.keys(options.home)
            if options.kubeconfig is not None:
                yield Ground(options.kubeconfig, supervisor, demo, keys, None)
                return
            process = stand_in.begin(demo, supervisor)
            kubeconfig = stand_in.wait_ready(process, supervisor)
            yield Ground(kubeconfig, supervisor, demo, keys, process)
        finally:
            supervisor.stop_all()


@contextlib.contextmanager
def stage(here: Ground, count: int, say: Say, kubeconfig: Path | None = None) -> Iterator[Stage]:
    """So many Deployments, and an Airflow whose guards watch them. All is gone afterwards.

    Args:
        here: the cluster.
        count: how many.
        say: receives progress.
        kubeconfig: Airflow's way to the cluster, when it is another one.

    Raises:
        DemoError: something does not start, or a guard does not watch in time.
    """
    namespace = f"{NAMESPACE}-{count}"
    work = Workload(here.connect(), namespace, count)
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(work.remove)
        work.create()
        say(f"{count} Deployments are there")
        database = None
        if count > MOST_ON_SQLITE:
            database = cleanup.enter_context(postgres.server(here.options.home / "postgres"))
        settings, base = _settings(here, count, namespace, database, kubeconfig or here.kubeconfig)
        cleanup.callback(_end_airflow, here)
        begun = time.monotonic()
        _start(here, settings, database)
        airflow = Airflow(base, "oncall", here.keys["oncall"])
        components.wait_healthy(base, here.supervisor)
        airflow.login()
        say("Airflow is healthy")
        observer = Observer(client_of(here.kubeconfig), namespace)
        observer.start()
        cleanup.callback(observer.close)
        found = Stage(airflow, work, observer, here.supervisor, 0.0)
        wait_armed(found, count)
        yield Stage(airflow, work, observer, here.supervisor, time.monotonic() - begun)


def client_of(kubeconfig: Path) -> Any:
    """A client of the Kubernetes API, as it is."""
    from kubernetes.config import new_client_from_config  # noqa: PLC0415 (costs a second)

    return new_client_from_config(str(kubeconfig))


def wait_armed(here: Stage, count: int) -> None:
    """Until every guard watches. Raises DemoError, with what Airflow says of DAG files that it cannot import."""
    names = {name_of(number) for number in range(count)}

    def all_watch() -> bool:
        beats = read_beats(here.work.cluster.get("ConfigMap", here.work.namespace, HEARTBEAT))
        wrong = (here.airflow.get("/importErrors") or {}).get("import_errors") or []
        if wrong:
            last = wrong[0]["stack_trace"].strip().splitlines()[-1]
            raise DemoError(f"{wrong[0]['filename']} cannot be imported: {last}")
        return names <= {name for each in beats for name in each.watches}

    here.until(all_watch, f"{count} guards watch", FIRST_ARMED_WITHIN + PER_GUARD * count)


def _settings(
    here: Ground, count: int, namespace: str, database: str | None, kubeconfig: Path
) -> tuple[dict[str, str], str]:
    home = here.options.home
    shutil.rmtree(here.options.airflow_home, ignore_errors=True)
    here.options.airflow_home.mkdir(mode=0o700)
    config = setting.write_config(home / "config", count, namespace)
    dags = setting.write_dags(home / "dags")
    port, _ = ports.choose(None)
    connection: dict[str, Any] = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(kubeconfig)}}
    settings = {
        **components.settings(here.options, port, here.keys),
        **setting.airflow_settings(count, dags, config, database),
        "AIRFLOW_CONN_KUBERNETES_SHOP": json.dumps(connection),
    }
    return settings, f"http://127.0.0.1:{port}"


def _start(here: Ground, settings: dict[str, str], database: str | None) -> None:
    if database is None:
        components.make_database(here.options, here.supervisor, settings)
    else:
        here.supervisor.run("db-migrate", components.command("db", "migrate"), settings)
    components.start(here.options, here.supervisor, settings, here.keys)


def _end_airflow(here: Ground) -> None:
    names = [each.name for each in here.supervisor.processes if each.name in components.COMPONENTS]
    here.supervisor.stop(names)
