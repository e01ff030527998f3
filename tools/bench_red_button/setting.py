"""The configuration of the benchmark: guards, their environment, their DAG files, and Airflow's settings for so many."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from include.release.loading import PROJECT
from tools.bench_red_button.workload import THRESHOLD, name_of
from tools.demo.airflow import shared_settings

ENVIRONMENT = "bench"
DAG_FILE = PROJECT / "dags" / "swype_guard.py"
CAPACITY = "AIRFLOW__TRIGGERER__CAPACITY"
ROOM = 100
"""Triggers beside those of the guards."""
NO_LIMIT = 1_000_000
MOMENT = 0.001


def write_config(target: Path, count: int, namespace: str) -> Path:
    """The project's configuration with so many guards and nothing else.

    The brakes that would stop a benchmark are let go here: many presses in a short time, and presses right after a re-arm.
    """
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(PROJECT / "include" / "config", target)
    path = target / "environments.yaml"
    places = yaml.safe_load(path.read_text())
    payments = next(each for each in places["environments"] if each["name"] == "payments")
    kept = {name: payments[name] for name in ("connection", "image_lock", "may_approve", "documents")}
    place = {
        **kept,
        "name": ENVIRONMENT,
        "title": "Benchmark",
        "namespace": namespace,
        "may_trigger": ["*"],
        "tell": [],
    }
    places["environments"] = [place]
    path.write_text(yaml.safe_dump(places, sort_keys=False))
    guards = {
        "storm": {"guards": NO_LIMIT, "minutes": MOMENT, "nodes": False},
        "guards": [guard(name_of(number)) for number in range(count)],
    }
    (target / "guards.yaml").write_text(yaml.safe_dump(guards, sort_keys=False))
    return target


def guard(name: str) -> dict[str, Any]:
    """One guard: that of the payment service, without a shop behind it."""
    return {
        "name": name,
        "title": "A Deployment of the benchmark",
        "environment": ENVIRONMENT,
        "deployment": name,
        "threshold": THRESHOLD,
        "window_minutes": 15,
        "causes": ["network"],
        "cooldown_minutes": MOMENT,
    }


def write_dags(target: Path) -> Path:
    """The DAG file of the guards, which makes a DAG for each of them; the other procedures have no part in this."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copy(DAG_FILE, target)
    return target


def airflow_settings(count: int, dags: Path, config: Path, database: str | None) -> Mapping[str, str]:
    """What differs from the project's own settings, because of the number of guards."""
    settings = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "PLAN_REDUCE_REPEAT_CONFIG": str(config),
        # The DAG file does not change here; reading it again every 30 s takes seconds for hundreds of guards.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "86400",
        "AIRFLOW__SCHEDULER__MAX_DAGRUNS_TO_CREATE_PER_LOOP": str(max(10, count)),
    }
    if count + ROOM > int(shared_settings()[CAPACITY]):
        settings[CAPACITY] = str(count + ROOM)
    if database:
        settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = database
    return settings
