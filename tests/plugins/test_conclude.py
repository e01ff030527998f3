"""The task that concludes a run."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from tests.plugins.endings import ended, make_dag


@pytest.fixture
def conclude(cluster: Any, connection: Any) -> Any:
    connection(cluster.kubeconfig)
    return make_dag().get_task("conclude")


def test_a_release_that_went_out(conclude, small):
    context = ended(small(), {}, {("approve", "said"): "Not asked."})
    result = conclude.execute(context)
    assert result == {
        "outcome": "released",
        "text": "small (small) in test was released. Nothing of small is deployed.",
        "good": True,
    }
    assert context["ti"].values["", "conclusion"] == result


def test_one_that_did_not_fails_with_the_paragraph_and_hands_it_on(conclude, small):
    states = {"deploy": "failed", "smoke_check": "upstream_failed", "roll_back.plan": "success",
              "roll_back.restore": "success"}  # fmt: skip
    context = ended(
        small(),
        states,
        {
            ("deploy", "failure"): {"reason": "conflict with kubectl", "kind": "failed"},
            ("roll_back.restore", "said"): "what ran before serves again.",
            ("configure", "said"): "This task does not speak.",
        },
    )
    with pytest.raises(AirflowFailException) as raised:
        conclude.execute(context)
    assert str(raised.value) == (
        "small (small) in test failed at `deploy`: conflict with kubectl. what ran before serves again. "
        "Nothing of small is deployed. Find the cause in the log of `deploy` before the next try."
    )
    assert context["ti"].values["", "conclusion"]["outcome"] == "rolled back"


def test_a_cluster_that_is_down_does_not_hide_what_happened(conclude, small, connection, tmp_path):
    connection(tmp_path / "no-kubeconfig")
    states = {"gate": "failed"} | dict.fromkeys(
        ["preflight", "approve", "configure", "deploy"], "upstream_failed"
    )
    context = ended(
        small(), states, {("gate", "failure"): {"reason": "the gate is closed", "kind": "refused"}}
    )
    with pytest.raises(
        AirflowFailException, match=r"was refused by `gate`: the gate is closed\. Nothing was changed\."
    ):
        conclude.execute(context)


def test_nothing_was_frozen(conclude):
    later = ["gate", "preflight", "approve", "configure", "deploy", "smoke_check"]
    states = {"freeze_and_check": "failed"} | dict.fromkeys(later, "upstream_failed")
    failure = {"reason": "release-1.yaml:3 app: found 7, expected text", "kind": "refused"}
    context = ended(None, states, {("freeze_and_check", "failure"): failure})
    with pytest.raises(AirflowFailException) as raised:
        conclude.execute(context)
    assert str(raised.value).startswith(
        "release-1 in production was refused by `freeze_and_check`: release-1.yaml:3 app: found 7, expected text."
    )
