"""The page about the restart watch: its example is a DAG that Airflow takes."""

from __future__ import annotations

import re
from pathlib import Path

from airflow.sdk import DAG

PAGE = Path(__file__).resolve().parents[2] / "docs" / "restart-watch.md"


def test_the_example_is_a_dag():
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(example.replace("\nsoak()\n", "\nmade = soak()\n"), str(PAGE), "exec"), names)
    made = names["made"]
    assert isinstance(made, DAG)
    task = made.get_task("soak")
    assert (task.soak_minutes, task.watch["threshold"], task.watch["causes"]) == (20, 1, "any")
    task.render_template_fields({"params": {"app": "shop-app"}})
    assert (task.watch["deployment"], task.watch["name"]) == ("shop-app", "soak-shop-app")
