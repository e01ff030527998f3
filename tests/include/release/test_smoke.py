from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from include.release.pressed import NOTE_PRESSED
from include.release.smoke import (
    Answered,
    ask_workload,
    check_answer,
    failure_text,
    serving_pods,
    summarise,
)
from include.release.spec import HttpCheck, SmokeCheck
from include.release.storing import document_store

VERSION = HttpCheck(path="/version", json_fields={"release": 2}, build=True)


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (200, '{"release": 2, "build": "abc"}', ""),
        (200, '{"release": 1, "build": "abc"}', "release is 1 instead of 2"),
        (
            200,
            '{"release": 2, "build": "xyz"}',
            'build is "xyz" instead of "abc": the pod runs another program',
        ),
        (200, '{"release": true, "build": "abc"}', "release is true instead of 2"),
        (200, "<html>", "no JSON: <html>"),
        (200, "[]", "no JSON object: []"),
        (503, "draining\n", "status 503 instead of 200: draining"),
    ],
)
def test_an_answer_is_compared_with_what_the_release_promises(status, body, fault):
    assert check_answer("pod-1", VERSION, status, body, "abc").fault == fault


def test_true_is_not_one():
    check = HttpCheck(path="/version", json_fields={"release": 1})
    assert (
        check_answer("pod-1", check, 200, '{"release": true}', None).fault == "release is true instead of 1"
    )


def test_an_unknown_build_is_not_compared():
    assert check_answer("pod-1", VERSION, 200, '{"release": 2}', None).fault == ""


def test_equal_answers_are_counted_and_wrong_ones_are_all_named():
    good, bad = Answered("a", "/", 200, ""), Answered("b", "/", 500, "status 500 instead of 200: oh")
    rows = summarise("web", [good, Answered("c", "/", 200, ""), bad])
    assert [(row.status, row.pods, row.fault) for row in rows] == [(200, 2, ""), (500, 1, bad.fault)]
    text = failure_text("x in qa", [good, bad])
    assert "in a release: it goes back by itself" in text
    assert "in a rollback: these pods serve, and nothing goes back by itself" in text
    assert text.splitlines()[:2] == [
        "x in qa is rolled out, but 1 of 2 answers are not as they should be:",
        "  b /: status 500 instead of 200: oh",
    ]


def test_only_ready_pods_that_stay_are_asked():
    def pod(name: str, ready: str, **more: str) -> dict:
        return {
            "metadata": {"name": name, **more},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }

    pods = [pod("b", "True"), pod("a", "True"), pod("c", "False"), pod("d", "True", deletionTimestamp="now")]
    assert serving_pods(pods) == ["a", "b"]


def test_documents_go_where_the_environment_or_the_setting_says(frozen, monkeypatch):
    monkeypatch.delenv("PLAN_REDUCE_REPEAT_DOCUMENTS", raising=False)
    assert document_store(frozen).startswith("file:///")
    assert document_store(frozen).endswith("/.demo/documents")
    monkeypatch.setenv("PLAN_REDUCE_REPEAT_DOCUMENTS", "s3://store@bucket/as-built")
    assert document_store(frozen) == "s3://store@bucket/as-built"


def test_nobody_is_asked_where_the_red_button_is_pressed():
    class Cluster:
        """A Deployment without pods."""

        def __init__(self, notes: dict[str, str]) -> None:
            self.notes = notes

        def list(self, kind: str, namespace: str, labels: str = "") -> list[Any]:
            return []

        def get(self, kind: str, namespace: str, name: str) -> Any:
            return {"metadata": {"name": name, "annotations": self.notes}}

    manifest = {
        "metadata": {"name": "web"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}},
                 "template": {"spec": {"containers": [{"image": "a"}]}}},
    }  # fmt: skip
    frozen: Any = SimpleNamespace(
        environment=SimpleNamespace(namespace="n"), builds={}, deployments=lambda: [manifest]
    )
    check = SmokeCheck(workload="web", port=80, requests=[HttpCheck(path="/")])
    said: list[str] = []
    (answer,) = ask_workload(Cluster({}), frozen, check, said.append)  # type: ignore[arg-type]
    assert answer.fault == "no pod is ready"
    pressed: Any = Cluster({NOTE_PRESSED: "2026-11-21T03:00:00Z"})
    assert ask_workload(pressed, frozen, check, said.append) == []
    assert said == ["web: its red button is pressed, it has no pods and nobody is asked"]
