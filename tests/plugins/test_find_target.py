"""What a rollback is asked is checked before anything is looked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from include.release.loading import Sources
from include.release.targeting import Found, Route, Undone
from plugins.operators.find_target import FindTargetOperator, summary
from plugins.params import rollback_params


def refused(made: Any) -> str:
    made["dag"] = SimpleNamespace(params=rollback_params(Sources.from_environment()))
    with pytest.raises(AirflowFailException) as raised:
        FindTargetOperator(task_id="find_target").execute(made)
    return str(raised.value)


def test_an_app_that_there_is_not_is_refused_with_those_that_there_are(project, context):
    text = refused(context(app="shoop", target="previous"))
    assert text.startswith("1 problem in the rollback in 'production'. Nothing has been changed.")
    assert "param app\n    found:    'shoop'\n    expected: one of shop\n    fix:      choose one" in text, (
        text
    )


def test_everything_that_is_wrong_is_said_together_the_app_first(project, context):
    text = refused(context(environment="moon", app="shoop", target="previous"))
    assert text.startswith("2 problems in")
    assert text.index("param app") < text.index("param environment")


@pytest.mark.parametrize("line", ["app: shop", 'app: "shop"', "app: 'shop'  # the course's"])
def test_an_app_is_known_however_its_file_writes_it(project, line):
    for path in (project / "releases").glob("*.yaml"):
        path.write_text(path.read_text().replace("app: shop", line))
    assert Sources.from_environment().app_names() == ["shop"]


def test_where_no_file_names_an_app_a_rollback_is_not_refused_for_it(project):
    for path in (project / "releases").glob("*.yaml"):
        path.unlink()
    assert Sources.from_environment().wrong_app("shop") is None


def test_an_app_is_not_rolled_back_in_an_environment_of_others(project, context):
    text = refused(context(environment="payments", user="admin", app="shop", target="previous"))
    assert "payments.apps\n    found:    application shop\n    expected: one of upcommerce" in text


def test_what_was_gone_back_from_meanwhile_is_told(small):
    aside = Undone(spec="r3-spec-1", applied=["b"], came="3")
    layers = [Undone(spec="r2-spec-1", applied=[], came="2")]
    route = Route(layers=layers, target="r1-spec-1", before="small-before-1", aside=[aside])
    told = summary(Found(small(), route, ["r2-spec-1"]))
    assert "Undone on the way: r2-spec-1\nGone back from meanwhile: r3-spec-1; migrations of it" in told
