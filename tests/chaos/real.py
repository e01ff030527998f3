"""Airflow's own processes, a task's process and the cluster, killed with -9 in the middle of a release."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import requests
from rich.console import Console

from include.release.kube import Cluster, KubeError
from tests.chaos import looking, shop
from tests.chaos.counting import Change
from tests.chaos.points import Left
from tools.demo import airflow as components
from tools.demo import cluster as stand_in
from tools.demo import ports, state
from tools.demo.api import FINISHED, Airflow
from tools.demo.options import Options
from tools.demo.processes import Supervisor

VICTIMS = ("scheduler", "triggerer", "task", "cluster")
RUN_WITHIN = 600.0
MOST_CLEARED = 2
TRIES = 3
VARIANT = "real processes, killed with -9"


class House:
    """Airflow and a cluster, each process of its own, in a directory of its own."""

    def __init__(self, home: Path) -> None:
        self.options = Options(home, port=None, once=True)
        self.supervisor = Supervisor(home, lambda text: None)
        self.folder = home / "shop"

    def start(self) -> None:
        """Start everything. Raises DemoError."""
        options, supervisor = self.options, self.supervisor
        options.home.mkdir(parents=True)
        state.prepare(options)
        made = state.keys(options.home)
        port, _ = ports.choose(None)
        process = stand_in.begin(options, supervisor)
        process.restartable = True
        stand_in.build_images(options, supervisor)
        self.kubeconfig = stand_in.wait_ready(process, supervisor)
        self.cluster: Cluster = stand_in.connect(self.kubeconfig)
        self.place = shop.prepare(self.folder, "chaos", self.kubeconfig)
        environment = components.settings(options, port, made) | self.place.environment(self.kubeconfig)
        components.make_database(options, supervisor, environment)
        components.start(options, supervisor, environment, made)
        self.airflow = Airflow(f"http://127.0.0.1:{port}", shop.USER, made[shop.USER])
        components.wait_healthy(self.airflow.base, supervisor)
        self.airflow.login()
        self.airflow.wait_for_dag(supervisor.check)

    def release(self, victim: str = "", after: float = 0.0) -> Left:
        """Release 2 in a new shop; ``victim`` is killed so many seconds after the run was triggered."""
        begun = time.monotonic()
        namespace = f"chaos-{uuid.uuid4().hex[:8]}"
        shop.describe(self.folder, namespace)
        place = shop.Shop(self.folder, namespace, self.kubeconfig)
        shop.install(place, self.cluster)
        self.before = looking.look(self.cluster, namespace, place.names())
        conf = {
            "release": shop.AFTER,
            "environment": namespace,
            "dry_run": False,
            "reason": "to see it killed",
        }
        self.airflow.trigger(namespace, conf)
        self.triggered = time.monotonic()
        cleared = self._to_the_end(namespace, victim, after)
        self.ran = time.monotonic() - self.triggered
        shop.wait(lambda: shop.is_ready(self.cluster, namespace), "pods that are all ready")
        left = self._look(place)
        left.cleared, left.seconds = cleared, time.monotonic() - begun
        with contextlib.suppress(KubeError):
            self.cluster.delete("Namespace", "", namespace)
        return left

    def _look(self, place: shop.Shop) -> Left:
        namespace = place.namespace
        tasks = {each.name: each.state for each in self.airflow.tasks(namespace)}
        rows = looking.records(self.options.home / "shop" / "records.db", namespace)
        return Left(
            {"run": str(self.airflow.run_state(namespace)), **tasks},
            looking.look(self.cluster, namespace, place.names()),
            place.ledger(self.options.cluster_dir, self.cluster),
            {table: [row.replace(namespace, "NAMESPACE") for row in found] for table, found in rows.items()},
            looking.documents(self.options.documents, namespace),
            [],
            log=self.options.airflow_home / "logs" / "dag_id=release" / f"run_id={namespace}",
        )

    def _to_the_end(self, run_id: str, victim: str, after: float) -> list[list[str]]:
        """Follow the run; what on-call does when it fails because something died: clear what failed."""
        cleared: list[list[str]] = []
        deadline, killed = time.monotonic() + RUN_WITHIN, not victim
        while True:
            self._check()
            if not killed and time.monotonic() - self.triggered >= after:
                killed = self.kill(victim)
            found = self._state(run_id)
            if found in FINISHED:
                if not killed:
                    raise TooLateError(time.monotonic() - self.triggered)
                if found == "success" or not self._died(run_id) or len(cleared) == MOST_CLEARED:
                    return cleared
                cleared.append(self.clear_failed(run_id))
            if time.monotonic() > deadline:
                raise TimeoutError(f"run {run_id} is {found} after {RUN_WITHIN:.0f} s")
            time.sleep(0.2)

    def _check(self) -> None:
        self.supervisor.check()
        for process in self.supervisor.processes:
            process.restarts = 0  # each death here was meant

    def _state(self, run_id: str) -> str | None:
        with contextlib.suppress(requests.RequestException):
            return self.airflow.run_state(run_id)
        return None

    def _died(self, run_id: str) -> bool:
        """Whether the run neither brought the release nor took it back."""
        rows = looking.records(self.options.home / "shop" / "records.db", run_id)
        return not any(row.endswith("rolled back") for row in rows.get("release_changes", []))

    def clear_failed(self, run_id: str) -> list[str]:
        """Clear the failed tasks of a run and what follows them."""
        body = {"dry_run": False, "dag_run_id": run_id, "only_failed": True, "include_downstream": True,
                "reset_dag_runs": True}  # fmt: skip
        answer = self.airflow._send("POST", "/dags/release/clearTaskInstances", json=body)
        answer.raise_for_status()
        return sorted(each["task_id"] for each in answer.json()["task_instances"])

    def kill(self, victim: str) -> bool:
        """SIGKILL; False when there is nothing of this kind now."""
        if victim == "task":
            pids = self._tasks()
        else:
            pids = [
                each.popen.pid for each in self.supervisor.processes if each.name == victim and each.popen
            ]
        for pid in pids[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(pids)

    def _tasks(self) -> list[int]:
        """Processes of tasks: the scheduler's workers fork one for each."""
        with contextlib.suppress(psutil.Error, StopIteration):
            scheduler = next(each.popen for each in self.supervisor.processes if each.name == "scheduler")
            assert scheduler is not None
            workers = psutil.Process(scheduler.pid).children()
            return [task.pid for worker in workers for task in worker.children()]
        return []


class TooLateError(Exception):
    """The run ended before there was a process to kill."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the run ended after {seconds:.1f} s")
        self.seconds = seconds


def try_all(home: Path, seed: int, console: Console, rounds: int = 2) -> Iterator[tuple[Any, ...]]:
    """Each kind of process killed ``rounds`` times; yields the fields of a result each."""
    house = House(home / "real")
    try:
        house.start()
        undisturbed = house.release()
        console.print(
            f"[bold]{VARIANT}[/bold]: undisturbed it ends {undisturbed.states['run']} after {house.ran:.1f} s"
        )
        lasts = house.ran
        pick = random.Random(seed)
        for number, victim in enumerate(VICTIMS * rounds):
            part = (number // len(VICTIMS) + pick.random()) / rounds  # each round in a later part of the run
            fault, seconds, cleared, lasts, after = _in_time(house, undisturbed, victim, part, lasts)
            what = f"{victim} {after:.1f} s after the run was triggered"
            console.print(f"{what}: {'DIFFERS' if fault else 'ok'}, {seconds:.1f} s, cleared {cleared}x")
            if fault:
                console.print(fault, markup=False, highlight=False)
            yield VARIANT, Change(0, "", what), "during", fault, seconds, cleared
    finally:
        house.supervisor.stop_all()


def _in_time(
    house: House, undisturbed: Left, victim: str, part: float, lasts: float
) -> tuple[str, float, int, float, float]:
    """Kill a part of the way through a run; again when the run was over by then, as a machine grows less busy.

    Returns the fault, how long it took, how often it was cleared, how long a run lasts, and after how long it was.
    """
    for _ in range(TRIES):
        after = lasts * part
        try:
            return *_one(lambda: house.release(victim, after), house, undisturbed), lasts, after  # noqa: B023
        except TooLateError as error:
            lasts = error.seconds
    return f"{TRIES} runs ended before a process of {victim} was found to kill", lasts, 0, lasts, after


def _one(release: Callable[[], Left], house: House, undisturbed: Left) -> tuple[str, float, int]:
    begun = time.monotonic()
    try:
        left = release()
    except TooLateError:
        raise
    except Exception as error:  # (a release that never ends is a finding like any other)
        return f"{type(error).__name__}: {error}", time.monotonic() - begun, 0
    fault = undisturbed.difference(left)
    if fault and any(row.endswith("rolled back") for row in left.records.get("release_changes", [])):
        fault = not_as_before(house.before, left)
    return (f"{fault}\nlogs: {left.log}" if fault else ""), left.seconds, len(left.cleared)


def not_as_before(before: dict[str, Any], left: Left) -> str:
    """What a rolled back release has left otherwise than it was; empty when nothing."""
    kinds = ("Deployment/", "Service/", "Pod/")
    chosen = [{name: _serving(each) for name, each in objects.items() if name.startswith(kinds)}
              for objects in (before, left.objects)]  # fmt: skip
    twice = {entry for entry in left.ledger if left.ledger.count(entry) > 1}
    return looking.compare(*chosen) + (f"\nmore than once in the ledger: {sorted(twice)}" if twice else "")


def _serving(item: Any) -> Any:
    """An object without its notes: those tell of the run that brought it."""
    if not isinstance(item, dict):
        return item
    return {key: value for key, value in item.items() if key != "metadata"}
