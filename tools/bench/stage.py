"""Where the benchmark happens: a cluster and Airflow of its own, an environment per measurement."""

from __future__ import annotations

import contextlib
import copy
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from include.jobs.state import job_state
from include.release.kube import Cluster
from include.release.loading import CONFIG_SETTING, PROJECT
from tools.demo import airflow as components
from tools.demo import cluster as stand_in
from tools.demo import ports, state
from tools.demo.api import Airflow
from tools.demo.options import ROOT, DemoError, Options
from tools.demo.processes import Supervisor

HOME = ROOT / ".test" / "bench"
MANIFESTS = ROOT / "include" / "shop" / "manifests" / "shop"
MANAGER = "benchmark"
WITHIN = 90.0


@dataclass(frozen=True)
class Stage:
    """What the measurements work with.

    ``settings`` are those of Airflow and of the script.
    """

    airflow: Airflow
    cluster: Cluster
    supervisor: Supervisor
    settings: Mapping[str, str]

    def environment(self, name: str) -> str:
        """Install the shop in the namespace of an environment, with a fresh database; returns the namespace."""
        namespace = namespace_of(name)
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        self.cluster.apply(body, "", manager=MANAGER, force=True)
        for part in ("storage", "database-secret", "service", "baseline-job"):
            for manifest in yaml.safe_load_all((MANIFESTS / f"{part}.yaml").read_text()):
                self.cluster.apply(manifest, namespace, manager=MANAGER, force=True)
        self.until(lambda: self._complete(namespace), f"the database of {namespace}")
        return namespace

    def settle(self, namespace: str) -> None:
        """Wait until the pods that a release replaced have ended: they would take time from what comes next."""

        def settled() -> bool:
            pods = self.cluster.list("Pod", namespace)
            return not any(pod["metadata"].get("deletionTimestamp") for pod in pods)

        self.until(settled, f"the old pods of {namespace}")

    def remove(self, namespace: str) -> None:
        """Remove a namespace and all that runs there."""
        self.cluster.delete("Namespace", "", namespace)
        self.until(lambda: self.cluster.get("Namespace", None, namespace) is None, f"the end of {namespace}")

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something. Raises DemoError when it takes too long."""
        deadline = time.monotonic() + WITHIN
        while not condition():
            self.supervisor.check()
            if time.monotonic() > deadline:
                raise DemoError(f"not in {WITHIN:.0f} s: {what}")
            time.sleep(0.2)

    def _complete(self, namespace: str) -> bool:
        phase = job_state(self.cluster.get("Job", namespace, "shop-baseline") or {}).phase
        if phase == "failed":
            raise DemoError(f"the baseline of {namespace} failed")
        return phase == "complete"


def namespace_of(environment: str) -> str:
    """The namespace of one of the benchmark's environments."""
    return f"bench-{environment}"


def write_config(target: Path, names: Sequence[str]) -> Path:
    """The project's configuration with the benchmark's environments: each as ``qa``, which needs no approval."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(PROJECT / "include" / "config", target)
    path = target / "environments.yaml"
    content = yaml.safe_load(path.read_text())
    qa: dict[str, Any] = next(each for each in content["environments"] if each["name"] == "qa")
    made = [
        {**copy.deepcopy(qa), "name": name, "namespace": namespace_of(name), "may_trigger": ["*"]}
        for name in names
    ]
    content["environments"] = made
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return target


@contextlib.contextmanager
def stage(names: Sequence[str], say: Callable[[str], None], home: Path = HOME) -> Iterator[Stage]:
    """Cluster and Airflow, healthy, with an environment for each name; everything is ended afterwards.

    Raises:
        DemoError: something does not start.
    """
    options = Options(home=home)
    with state.only_one(home):
        supervisor = Supervisor(home, say)
        try:
            state.prepare(options)
            state.keep_temporary_files(options)
            made = state.keys(home)
            port, _ = ports.choose(None)
            config = write_config(home / "config", names)
            settings = {
                **components.settings(options, port, made),
                CONFIG_SETTING: str(config),
                "PLAN_REDUCE_REPEAT_DOCUMENTS": str(options.documents),
            }
            process = stand_in.begin(options, supervisor)
            components.make_database(options, supervisor, settings)
            components.start(options, supervisor, settings, made)
            stand_in.build_images(options, supervisor)
            cluster = stand_in.connect(stand_in.wait_ready(process, supervisor))
            airflow = Airflow(f"http://127.0.0.1:{port}", "oncall", made["oncall"])
            components.wait_healthy(airflow.base, supervisor)
            airflow.login()
            airflow.wait_for_dag(supervisor.check)
            yield Stage(airflow, cluster, supervisor, settings)
        finally:
            supervisor.stop_all()
