"""From a log to statements: levels, JSON lines, exceptions with their causes."""

from __future__ import annotations

import json
import time

import pytest

from include.restarts.cause import rules
from include.restarts.cause.last_words import last_words
from include.restarts.cause.lines import level_of, lines_of
from include.restarts.cause.statements import statements_of


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("2026-11-21 09:00:00,123 WARNING shop: slow", "warn"),
        ('time="2026-11-21T09:00:00Z" level=fatal msg="no"', "error"),
        ("2026/11/21 09:00:00 [emerg] 1#1: no", "error"),
        ("I1121 09:00:00.000001       1 main.go:30] up", "info"),
        ("F1121 09:00:00.000001       1 main.go:30] no", "error"),
        ("%3|1763712000.001|FAIL|rdkafka#consumer-1| no", "error"),
        ("fail: Shop.Gateway[0]", "error"),
        ("[2026-11-21 09:00:00,113: CRITICAL/MainProcess] no", "error"),
        ("log level: error", "none"),
        ("KeyError: 'ERROR'", "none"),
        ("    at ERROR", "none"),
        ("listening on :8080", "none"),
    ],
)
def test_the_level_of_a_line(line: str, level: str) -> None:
    assert level_of(line) == level


def test_what_collectors_put_before_a_line_is_taken_off() -> None:
    stamped = "2026-11-21T09:00:00.123456789Z stderr F \x1b[31mTraceback (most recent call last):\x1b[0m"
    assert lines_of(stamped)[0].text == "Traceback (most recent call last):"


def test_a_json_line_is_its_message_its_errors_and_its_stack() -> None:
    line = {
        "level": 50,
        "msg": "boot failed",
        "err": {"message": "connect ECONNREFUSED", "code": "ECONNREFUSED"},
    }
    assert [(each.text, each.level) for each in lines_of(json.dumps(line))] == [
        ("boot failed: connect ECONNREFUSED: ECONNREFUSED", "error")
    ]
    stack = {"level": "error", "message": "no", "stack_trace": "a.B: no\n\tat a.C\nCaused by: d.E: why"}
    assert len(statements_of(lines_of(json.dumps(stack)))[1].links) == 2


def chain(*exceptions: tuple[str, str]) -> str:
    """A Python traceback: each exception with how it came from the one before."""
    between = {
        "cause": "\nThe above exception was the direct cause of the following exception:\n\n",
        "handling": "\nDuring handling of the above exception, another exception occurred:\n\n",
        "": "",
    }
    parts = []
    for relation, text in exceptions:
        source = "raise error" if text.endswith("!") else "value = table[key]"
        frame = f'  File "/srv/app/main.py", line 1, in <module>\n    {source}'
        parts.append(f"{between[relation]}Traceback (most recent call last):\n{frame}\n{text}\n")
    return "".join(parts)


REFUSED = "ConnectionRefusedError: [Errno 111] Connection refused"


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        (chain(("", REFUSED)), "network"),
        (chain(("", REFUSED), ("cause", "ConfigError: no configuration!")), "network"),
        (chain(("", REFUSED), ("handling", "ConfigError: no configuration!")), "network"),
        (chain(("", REFUSED), ("cause", "KeyError: 'rates'!")), "network"),
        (chain(("", REFUSED), ("handling", "KeyError: 'rates'")), "application"),
        (chain(("", REFUSED), ("handling", "ValueError: could not convert string to float")), "application"),
        (chain(("", "IndexError: pop from empty list"), ("handling", REFUSED)), "network"),
        (chain(("", "KeyError: 'rates'"), ("cause", "ConfigError: no configuration!")), "application"),
        (chain(("", REFUSED)) + "2026-11-21 INFO shop: bye\n", "network"),
        ("2026-11-21 ERROR push failed\n" + chain(("", REFUSED)) + "2026-11-21 INFO 12 orders\n", None),
        ("2026-11-21 ERROR push failed\n" + chain(("", REFUSED)) + "licence expired\n", "unknown"),
    ],
)
def test_the_last_exception_decides_unless_it_only_passes_on_another(log: str, cause: str | None) -> None:
    found = last_words(log, rules())
    assert (found.cause if found else None) == cause


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        ("a.B: no\n\tat a.C\nCaused by: java.net.ConnectException: Connection refused\n", "network"),
        (
            "java.net.ConnectException: Connection refused\n\tat a.C\nCaused by: java.lang.NullPointerException\n",
            "application",
        ),
        (
            "a.B: no\n\tat a.C\n\tSuppressed: java.net.ConnectException: Connection refused\n\t\tat a.C\n",
            "application",
        ),
        (
            "panic: dial tcp 1.2.3.4:5: i/o timeout\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:5\n",
            "network",
        ),
        (
            "panic: no rows\n\ngoroutine 1 [running]:\nnet.(*conn).timeout(0x1)\n\t/src/net/connection_refused.go:5\n",
            "application",
        ),
        (
            "Error: cannot load\n    at main (/srv/app/a.js:1:1) {\n  [cause]: Error: connect ECONNREFUSED 1.2.3.4:5\n}\n",
            "network",
        ),
        (
            "thread 'main' panicked at src/main.rs:1:1:\nindex out of bounds: the len is 3 but the index is 3\n",
            "application",
        ),
    ],
    ids=[
        "java-cause",
        "java-root-is-a-bug",
        "java-suppressed",
        "go-panic",
        "go-frames",
        "node-cause",
        "rust-panic",
    ],
)
def test_the_root_of_a_chain_decides(log: str, cause: str) -> None:
    found = last_words(log, rules())
    assert found is not None
    assert found.cause == cause


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        ("WARN db: connection refused, retrying\nERROR giving up after 3 attempts\n", "network"),
        ("WARN db: connection refused, retrying\nERROR licence expired, exiting\n", "application"),
        ("WARN db: connection refused, using the replica\nERROR startup failed\n", "unknown"),
        ("ERROR db: connection refused\nINFO 12 orders\nERROR startup failed\n", "application"),
        ("ERROR db: connection refused\nERROR order 7 is not payable, invalid total\n", "unknown"),
        ("WARN db: connection refused\nERROR order 7 is not payable, invalid total\n", "application"),
        ("retry policy 'connection refused' is unknown\n", "application"),
        ("ERROR stopped, reason: 'connection refused'\n", "network"),
    ],
)
def test_lines_above_the_last_count_only_as_far_as_they_belong_to_it(log: str, cause: str) -> None:
    found = last_words(log, rules())
    assert found is not None
    assert found.cause == cause


@pytest.mark.parametrize("text", ["connect to ", "x", "upstream", "connect:", "Connect", "1", '"', " "])
def test_a_log_as_long_as_one_may_be_does_not_hold_up_the_watch(text: str) -> None:
    started = time.monotonic()
    last_words("ERROR " + text * (64 * 1024 // len(text)), rules())
    last_words("\n".join(["WARN retrying " + text * (1200 // len(text)) + "."] * 50), rules())
    assert time.monotonic() - started < 5
