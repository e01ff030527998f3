"""Airflow for the demo: settings, metadata database, the four components."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sys
import time
from pathlib import Path

import psutil
import requests

from tools.demo import state
from tools.demo.options import ROOT, DemoError, Options
from tools.demo.processes import Process, Supervisor

SETTINGS = ROOT / "include" / "config" / "airflow.env"
COMPONENTS = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
HEALTHY_WITHIN = 120.0


def shared_settings(path: Path = SETTINGS) -> dict[str, str]:
    """The settings that the demo, the tests and docker-compose.yaml have in common."""
    pairs = {}
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, value = line.partition("=")
            pairs[name.strip()] = value.strip()
    return pairs


def heartbeat_timeout() -> int:
    """Seconds without a sign of life after which Airflow takes a task for dead."""
    return int(shared_settings()["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"])


def settings(options: Options, port: int, made: dict[str, str]) -> dict[str, str]:
    """All settings of Airflow in the demo; ``made`` are the keys of this installation."""
    home = options.airflow_home
    address = f"http://127.0.0.1:{port}"
    kubernetes = {
        "conn_type": "kubernetes",
        "extra": {"kube_config_path": str(options.cluster_dir / "kubeconfig")},
    }
    return {
        **shared_settings(),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__FERNET_KEY": made["fernet"],
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__SECRET_KEY": made["api"],
        "AIRFLOW__API_AUTH__JWT_SECRET": made["jwt"],
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW_CONN_KUBERNETES_SHOP": json.dumps(kubernetes),
        "AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS": json.dumps(
            {"conn_type": "sqlite", "host": str(options.records)}
        ),
        # Read only: a look at the orders must not make a file where the shop has not made its own yet.
        "AIRFLOW_CONN_SHOP_DATABASE": json.dumps(
            {
                "conn_type": "sqlite",
                "host": str(options.shop_data / "shop.db"),
                "extra": {"mode": "ro"},
            }
        ),
        "PLAN_REDUCE_REPEAT_DOCUMENTS": str(options.documents),
    }


def command(*arguments: str) -> list[str]:
    """The command line of Airflow's CLI in this environment."""
    return [sys.executable, "-m", "airflow", *arguments]


def make_database(options: Options, supervisor: Supervisor, environment: dict[str, str]) -> None:
    """A migrated metadata database; an empty one is kept, because migrating takes several seconds."""
    database = options.airflow_home / "airflow.db"
    if database.exists():
        supervisor.run("db-migrate", command("db", "migrate"), environment)
        return
    pins = hashlib.sha256((ROOT / "requirements.txt").read_bytes()).hexdigest()[:12]
    empty = options.home / f"metadata-{pins}.db"
    if not empty.exists():
        for old in options.home.glob("metadata-*.db"):
            old.unlink()
        supervisor.run("db-migrate", command("db", "migrate"), environment)
        partial = empty.with_suffix(".part")
        shutil.copyfile(database, partial)
        partial.replace(empty)
        return
    shutil.copyfile(empty, database)


def start(
    options: Options, supervisor: Supervisor, environment: dict[str, str], made: dict[str, str]
) -> None:
    """Start the four components, each a process of its own."""
    state.write_passwords(options, made)
    for name, arguments in COMPONENTS.items():
        supervisor.start(name, command(*arguments), environment)


def wait_healthy(base: str, supervisor: Supervisor) -> None:
    """Wait until the UI answers and every component reports a heartbeat.

    Raises:
        DemoError: not within two minutes; names the component and the end of its log.
    """
    deadline = time.monotonic() + HEALTHY_WITHIN
    waiting = set(COMPONENTS)
    while time.monotonic() < deadline:
        supervisor.check()
        waiting = _unhealthy(base)
        if not waiting and _listens(base, supervisor):
            return
        time.sleep(0.3)
    late: list[Process] = [process for process in supervisor.processes if process.name in waiting]
    details = "\n".join(f"--- {process.log}\n{process.tail()}" for process in late)
    raise DemoError(f"not healthy after {HEALTHY_WITHIN:.0f} s: {', '.join(sorted(waiting))}\n{details}")


def _listens(base: str, supervisor: Supervisor) -> bool:
    """Whether it is our api-server that answers, not somebody else's on the same port."""
    port = int(base.rpartition(":")[2])
    for process in supervisor.processes:
        if process.name == "api-server" and process.popen is not None:
            with contextlib.suppress(psutil.Error):
                found = psutil.Process(process.popen.pid).net_connections("tcp")
                return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in found)
    return False


def _unhealthy(base: str) -> set[str]:
    try:
        # The first request of a task makes the API server build that API, for seconds: this is the first one.
        requests.get(f"{base}/execution/health", timeout=30)
        answer = requests.get(f"{base}/api/v2/monitor/health", timeout=5).json()
    except (requests.RequestException, ValueError):
        return set(COMPONENTS)
    parts = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}
    return {name for name, key in parts.items() if (answer.get(key) or {}).get("status") != "healthy"}
