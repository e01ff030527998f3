"""Settings of every test: Airflow with the project's own settings, all files in ``.test/``; and their order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools.demo.airflow import shared_settings

ROOT = Path(__file__).resolve().parents[1]
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
HOME = ROOT / ".test" / "airflow" / WORKER
"""Each process that runs tests has a metadata database of its own."""

# Before Airflow is imported: it reads its settings then. A worker's own replace those of the process that started it.
os.environ.update(
    {
        **shared_settings(),
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
        "AIRFLOW__API_AUTH__JWT_SECRET": "only-for-tests-" * 5,
    }
)
HOME.mkdir(parents=True, exist_ok=True)

pytest_plugins = ["tests.standin", "tests.postgres"]

FIRST = (
    "tests/e2e/test_demo.py",
    "tests/dags/test_rollback_runs.py",
    "tests/dags/test_release_runs.py",
    "tests/dags/test_gate_runs.py",
    "tests/include/release/test_traffic.py",
    "tests/chaos/test_points.py",
    "tests/tools/test_make_venv.py",
    "tests/tools/test_bench_cleanup.py",
)
"""The files that take longest, mostly waiting: begun last, one of them would keep a worker when the others have ended."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; within a file, and among the others, the order stays."""
    place = {ROOT / name: number for number, name in enumerate(FIRST)}
    if gone := [path.name for path in place if not path.is_file()]:
        raise pytest.UsageError(f"{__file__}: FIRST names files that are not there: {', '.join(gone)}")
    items.sort(key=lambda item: place.get(item.path, len(place)))
