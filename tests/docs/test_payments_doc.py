"""docs/payments.md: what a shop of one's own is promised is what it gets."""

from __future__ import annotations

import json
import re
from typing import Any

from include.payments.job_manifest import Errand, manifest_of
from include.payments.journal import KEY, JournalStore
from include.payments.over_http import HttpShop
from include.payments.shop import UNDECIDED, read_answer
from include.release.kube import Reply
from include.release.loading import PROJECT
from include.restarts.guards import Payments
from plugins.operators.payments import ReleasePaymentsOperator

DOC = (PROJECT / "docs" / "payments.md").read_text()
CODE = re.findall(r"`([^`\n]+)`", DOC)


class Cluster:
    """Keeps what a shop is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, Any]] = []

    def ask_service(self, *where: Any, method: str, body: Any, timeout: float) -> Reply:
        self.sent.append((method, where[3], body))
        return Reply(200, '{"states": {"held": 3}, "holding": false}')


def test_a_shop_is_sent_what_the_page_shows() -> None:
    cluster: Any = Cluster()
    paths: Any = {"hold": "/hold", "roll_back": "/back", "release": "/release", "state": "/state"}
    shop = HttpShop(cluster, "sre", "shop", 80, paths, by="swype")
    example = json.loads(next(line for line in DOC.splitlines() if line.startswith('    {"step"')))
    assert shop.hold(example["reason"], example["run"]).holding is False
    assert cluster.sent == [("POST", "/hold", example)]
    shop.roll_back("why", "run-1")
    shop.release("run-1")
    shop.state()
    assert [(method, (body or {}).get("step")) for method, _, body in cluster.sent[1:]] == [
        ("POST", "roll_back"),
        ("POST", "release"),
        ("GET", None),
    ]
    assert cluster.sent[2][2]["run"] == "run-1"


def test_the_answers_that_the_page_shows_are_understood() -> None:
    start = DOC.index('      {"states"')
    answer = read_answer(json.loads(DOC[start : DOC.index("\n\n", start)]))
    assert answer.states["held"].cents == 4500
    assert answer.states[UNDECIDED].payments == 1
    assert answer.settlement("swype_guard/...") is not None
    assert (answer.holds[0].by, answer.holds[0].run) == ("swype", "swype_guard/...")
    assert '{"states": {"held": 3}}' in CODE
    assert read_answer({"states": {"held": 3}}).states["held"].payments == 3


def test_a_command_is_told_what_the_page_names() -> None:
    pod = {
        "containers": [{"name": "app", "image": "app:1", "env": [{"name": "PAYMENTS_RUN", "value": "old"}]}]
    }
    errand = Errand("hold", "run-1", "why", "swype", ("ask",), 30)
    job = manifest_of(errand, {"spec": {"template": {"spec": pod}}}, "sre")
    env = job["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {each["name"]: each["value"] for each in env} == {
        "PAYMENTS_STEP": "hold",
        "PAYMENTS_RUN": "run-1",
        "PAYMENTS_BY": "swype",
        "PAYMENTS_REASON": "why",
    }
    assert {each["name"] for each in env} <= set(CODE)
    # Named by its content: another run is another Job, another try or other words are the same.
    names = [
        manifest_of(
            Errand("hold", run, why, "swype", ("ask",), 30), {"spec": {"template": {"spec": pod}}}, "sre"
        )
        for run, why in (("run-1", "other words"), ("run-2", "why"))
    ]
    same, other = (each["metadata"]["name"] for each in names)
    assert same == job["metadata"]["name"] != other


def test_names_and_numbers_are_those_of_the_code() -> None:
    nobody: Any = None
    store = JournalStore(nobody, "sre", "swype")
    assert f"configmap {store.name} -o jsonpath='{{.data.{KEY}}}'" in DOC
    assert Payments.model_fields.keys() - {"timeout_seconds"} <= {
        w for c in CODE for w in re.findall(r"\w+", c)
    }
    looks_on = ReleasePaymentsOperator(task_id="release_payments", guard="swype").settle_within_seconds
    assert f"`release_payments` looks on for {looks_on:g} s" in DOC
