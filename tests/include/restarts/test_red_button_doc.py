"""docs/red-button.md says what the code does: fields and their defaults, kinds, states, names."""

from __future__ import annotations

import re
from typing import Any

import pytest

from include.release.loading import PROJECT
from include.restarts import decision
from include.restarts.guards import Guard, Guards, Payments, Probe, Storm
from include.restarts.heartbeat import HEARTBEAT
from include.restarts.liveness import STATES
from include.restarts.rollouts import MOST_EXCUSED
from include.restarts.state import ledger_name

DOC = (PROJECT / "docs" / "red-button.md").read_text()
CODE = re.findall(r"`([^`\n]+)`", DOC)


def _rows(header: str) -> dict[str, list[str]]:
    """The rows of a table by their first cell, without its marks."""
    found: dict[str, list[str]] = {}
    for line in DOC[DOC.index(header) :].splitlines()[2:]:
        if not line.startswith("|"):
            break
        first, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        found[first.strip("*")] = cells
    return found


@pytest.mark.parametrize("model", [Guard, Guards, Storm, Probe, Payments])
def test_every_field_of_the_configuration_is_there(model: Any) -> None:
    words = {word for code in CODE for word in re.findall(r"\w+", code)}
    assert model.model_fields.keys() - words == set()


def test_defaults_are_those_of_the_code() -> None:
    rows = _rows("| field | as a rule | |")
    for field in ("threshold", "window_minutes", "cooldown_minutes"):
        assert rows[f"`{field}`"][0] == f"{Guard.model_fields[field].default:g}"
    assert rows["`causes`"][0] == "[network]"
    assert Guard.model_fields["causes"].default == ["network"]
    minutes = Guard.model_fields["answer_within_minutes"].default
    assert rows["`approval`, `answer_within_minutes`"][0] == f"false, {minutes}"
    storm = Storm()
    assert f"(`guards`: {storm.guards}, `minutes`: {storm.minutes:g}, `nodes`: true)" in DOC
    assert f"`liveness_minutes` ({Guards().liveness_minutes:g})" in DOC
    assert f"`relist_seconds` ({Guards().relist_seconds})" in DOC
    assert f"({MOST_EXCUSED.total_seconds() / 60:g} minutes at most)" in DOC


def test_every_kind_of_alert_and_every_state_is_explained() -> None:
    kinds = {decision.OTHER, decision.UNKNOWN, decision.REARMED, decision.SCALED_UP}
    assert _rows("| kind of alert |").keys() == kinds
    assert _rows("| state | |").keys() == set(STATES)


def test_what_is_looked_at_in_the_cluster_has_these_names() -> None:
    assert f"configmap {HEARTBEAT} " in DOC
    assert f"configmap {ledger_name('swype')} " in DOC
