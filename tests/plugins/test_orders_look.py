"""The look at outstanding orders judges what it can, whatever is wrong beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from plugins.operators.orders_backlog import LOOK, LookAtBacklogOperator
from tests.plugins.conftest import make_context
from tests.plugins.test_orders_hook import migrated


@pytest.fixture
def look(project: Any, records: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Looks at a shop in which 20 orders wait."""
    path = tmp_path / "shop.db"
    migrated(f"sqlite:///{path}")
    value = {"conn_type": "sqlite", "host": str(path), "extra": {"mode": "ro"}}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_DATABASE", json.dumps(value))

    def go() -> dict[str, Any]:
        context = make_context()
        context["dag_run"].dag_id = LOOK
        found: dict[str, Any] = LookAtBacklogOperator(task_id="look").execute(context)
        return found

    return go


def change(project: Any, old: str, new: str) -> None:
    path = project / "config" / "orders.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_mistake_in_the_configuration_is_in_the_log_and_stops_no_look(look, project, capsys):
    change(project, "  count: 960", "  count: many")
    found = look()
    said = capsys.readouterr().out
    assert found["backlog"]["waiting"] == 20
    assert "alarm: until this is put right, the alert is raised above 960 orders or 120 minutes." in said
    assert "alarm.count: found 'many'; expected a whole number." in said


def test_without_a_release_that_can_be_read_the_number_of_orders_is_judged(look, project, records, capsys):
    for path in (project / "releases").glob("*.yaml"):
        path.write_text("name: [\n")
    change(project, "  count: 960", "  count: 19")
    assert look()["raised"]
    said = capsys.readouterr().out
    assert "How long working them off takes is not known." in said
    assert "Too many: more than 19 wait" in said
    kept = records.problems.problem("orders/production/backlog")
    assert kept is not None
    assert kept.open
