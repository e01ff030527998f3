"""Settings of every test: Airflow with the project's own settings, all files in ``.test/``."""

from __future__ import annotations

import os
from pathlib import Path

from tools.demo.airflow import shared_settings

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".test" / "airflow"

# Before Airflow is imported: it reads its settings then.
for name, value in {
    **shared_settings(),
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
    "AIRFLOW__API_AUTH__JWT_SECRET": "only-for-tests-" * 5,
}.items():
    os.environ.setdefault(name, value)
HOME.mkdir(parents=True, exist_ok=True)

pytest_plugins = ["tests.standin", "tests.postgres"]
