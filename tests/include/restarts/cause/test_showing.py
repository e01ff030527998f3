"""Evidence is one short line without secrets, whatever a program has written: the watch of all guards waits for it."""

from __future__ import annotations

import json
import time

import pytest

from include.restarts.cause.classifying import classify
from include.restarts.cause.lines import lines_of
from include.restarts.cause.showing import LONGEST, shown


def test_it_is_one_line_and_not_too_long() -> None:
    assert shown("connection\n  refused ") == "connection refused"
    assert len(shown("word " * 100)) == LONGEST
    assert shown("word " * 100).endswith("…")


def test_no_secret_is_cut_in_two() -> None:
    password = "s3cr3t/" * 100
    assert shown(f"{'x' * 200} amqp://shop:{password}@queue/") == f"{'x' * 200} amqp://shop:***@queue/"
    key = f"-----BEGIN PRIVATE KEY-----\n{'MIIs3cr3t' * 900}\n-----END PRIVATE KEY-----"
    assert shown(f"cannot read {key} amqp://shop:{password}@queue/") == "cannot read ***…"


@pytest.mark.parametrize("piece", ["-", "a.b-", "pass-", "eyJ", "a://b:"])
def test_no_termination_message_holds_up_the_watch(piece: str) -> None:
    died = {"exitCode": 1, "reason": "Error", "message": (piece * 4096)[:4096]}
    status = {"name": "main", "restartCount": 1, "lastState": {"terminated": died}, "state": {"running": {}}}
    pod = {
        "metadata": {"name": "web-1"},
        "spec": {"containers": [{"name": "main"}]},
        "status": {"containerStatuses": [status]},
    }
    classify(pod, "main")  # what is read once is read
    started = time.process_time()
    classify(pod, "main")
    shown(piece * 1_000_000)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize("piece", ["x", "eyJ", "timeout ", "a.b-"])
def test_no_long_line_of_a_log_holds_up_the_watch(piece: str) -> None:
    died = {"exitCode": 1, "reason": "Error"}
    status = {"name": "main", "restartCount": 1, "lastState": {"terminated": died}, "state": {"running": {}}}
    pod = {"spec": {"containers": [{"name": "main"}]}, "status": {"containerStatuses": [status]}}
    log = (piece * 65536)[:65536]
    classify(pod, "main")
    started = time.process_time()
    classify(pod, "main", (), {"main": {"previous": log, "current": None}})
    assert time.process_time() - started < 0.5


def test_of_a_long_line_the_beginning_and_the_root_at_its_end_count() -> None:
    (line,) = lines_of(f"ERROR cannot charge {'x' * 5000}: connection refused")
    assert line.level == "error"
    assert line.text.startswith("ERROR cannot charge xxx")
    assert line.text.endswith("xxx: connection refused")
    assert len(line.text) < 2000
    (line,) = lines_of(json.dumps({"level": "warn", "msg": "y" * 5000 + " refused"}))
    assert (line.level, len(line.text) < 2000, line.text[-7:]) == ("warn", True, "refused")
