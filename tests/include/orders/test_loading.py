"""What is wrong with the files of order processing is said once, clearly, and with its line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from include.orders.loading import read_errors, read_orders, require_fits
from include.release.loading import PROJECT, Sources
from include.release.problems import RejectedError

ORDERS = """environment: production
database: shop_database
alarm: {count: 960, oldest_minutes: 120}
"""
ERRORS = """unknown: {name: unknown, meaning: Nobody knows., restart_helps: true}
codes:
  - {code: "12", name: no catalog, meaning: It is in no catalog., restart_helps: true}
"""


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    shutil.copy(PROJECT / "include" / "config" / "environments.yaml", tmp_path)
    return Sources(PROJECT / "include" / "releases", tmp_path)


def refused(sources: Sources, file: str, text: str) -> list[tuple[int, str, str, str]]:
    """Line, field, found and expected of every problem."""
    (sources.config / file).write_text(text)
    with pytest.raises(RejectedError) as error:
        read_orders(sources) if file == "orders.yaml" else read_errors(sources)
    return [(each.line, each.field, each.found, each.expected) for each in error.value.problems]


def test_the_files_as_shipped_are_right():
    orders, place = read_orders(Sources.from_environment())
    assert (orders.workload, place.namespace, orders.schedule.every_minutes) == (
        "order-processor",
        "course4",
        60,
    )
    known = read_errors(Sources.from_environment())
    assert known.of_code("12").name == "item in no catalog"
    assert known.of_code("777") is known.unknown


def test_every_code_that_the_processor_has_is_known():
    from include.shop.shop.release_2.processing import problems

    known = read_errors(Sources.from_environment())
    codes = [value for name, value in vars(problems).items() if name.isupper() and isinstance(value, int)]
    codes = [each for each in codes if each < 100]
    assert len(codes) > 5
    assert [each for each in codes if not known.knows(str(each))] == []


def test_the_least_that_a_file_has(sources):
    (sources.config / "orders.yaml").write_text(ORDERS)
    orders, _ = read_orders(sources)
    assert (orders.errors.systemic_orders, orders.schedule.again, orders.capacity) == (5, 2, None)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "schedule: {every_minutes: 45}",
            (
                4,
                "schedule.every_minutes",
                "the number 45",
                "minutes that divide an hour or a day: 5, 6, 10, 12, 15, 20, 30, 60, 120, 180 and so on",
            ),
        ),
        (
            "schedule: {look_every_minutes: 7}",
            (
                4,
                "schedule.look_every_minutes",
                "the number 7",
                "minutes that divide an hour: 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 or 60",
            ),
        ),
        (
            "schedule: {every_minutes: 10, spare_minutes: 10}",
            (
                4,
                "schedule",
                "a mapping",
                "spare_minutes (10) below every_minutes (10): no time is left for a batch",
            ),
        ),
        (
            "capacity: {processes: 4, at_a_time: 2, seconds_per_order: 10, seconds_per_order_at_most: 15}",
            (
                4,
                "capacity",
                "a mapping",
                "at_a_time (2) at least the processes (4): each has an order in work",
            ),
        ),
        (
            "capacity: {processes: 1, at_a_time: 2, seconds_per_order: 20, seconds_per_order_at_most: 15}",
            (4, "capacity", "a mapping", "seconds_per_order (20) at most seconds_per_order_at_most (15)"),
        ),
        (
            "capacity: {processes: 1, at_a_time: 5, seconds_per_order: 10, seconds_per_order_at_most: 15}",
            (1, "errors.systemic_orders", "5", "more than the 5 orders at a time"),
        ),
        (
            "errors: {systemic_orders: 1}",
            (4, "errors.systemic_orders", "the number 1", "input should be greater than or equal to 2"),
        ),
        ("errors: {tries: lots}", (4, "errors.tries", "'lots'", "a whole number")),
        (
            "app: upcommerce-",
            (4, "app", "'upcommerce-'", "text that matches ^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$"),
        ),
        (
            "tell: {devs: []}",
            (4, "tell.devs", "unknown key devs", "one of on_call, ops, developers"),
        ),
        (
            "tell: {ops: [{kind: email}]}",
            (4, "tell.ops[0]", "a mapping", "addresses for an e-mail, such as to: [sre@example.com]"),
        ),
    ],
)
def test_a_mistake_in_orders_yaml(sources, line, problem):
    assert refused(sources, "orders.yaml", f"{ORDERS}{line}\n") == [problem]


def test_an_environment_that_is_not_there(sources):
    text = ORDERS.replace("production", "prod")
    assert refused(sources, "orders.yaml", text) == [
        (1, "environment", "prod", "one of qa, production, payments")
    ]


def test_an_application_that_has_no_place_there(sources):
    text = ORDERS.replace("production", "payments")
    assert refused(sources, "orders.yaml", text) == [(1, "app", "shop", "one of upcommerce")]


def test_every_mistake_is_said_at_once(sources):
    text = "environment: production\nalarm: {count: 0}\nerrors: {tries: 0}\n"
    assert [(each[0], each[1]) for each in refused(sources, "orders.yaml", text)] == [
        (1, "database"),
        (2, "alarm.count"),
        (2, "alarm.oldest_minutes"),
        (3, "errors.tries"),
    ]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            '  - {code: "12", name: again, meaning: Again., restart_helps: true}',
            (4, "codes[1].code", "#12 again (first on line 3)", "each code once"),
        ),
        (
            "  - {code: 13, name: x, meaning: X., restart_helps: true}",
            (4, "codes[1].code", "the number 13", "text"),
        ),
        (
            '  - {code: "#13", name: x, meaning: X., restart_helps: true}',
            (4, "codes[1].code", "'#13'", "text that matches ^[A-Za-z0-9][A-Za-z0-9._-]{0,19}$"),
        ),
        (
            '  - {code: "13", name: x, meaning: X.}',
            (
                4,
                "codes[1].restart_helps",
                "nothing",
                "codes[1].restart_helps: Worth one restart when it hits everything",
            ),
        ),
        (
            '  - {code: "13", name: x, meaning: X., restart_helps: true, tell: boss}',
            (4, "codes[1].tell", "'boss'", "developers, ops or on_call"),
        ),
        (
            "faults:\n  - {name: x, meaning: X., restart_helps: true, says: '(', such_as: [a]}",
            (
                5,
                "faults[0].says",
                "'('",
                "a regular expression (missing ), unterminated subpattern at position 0)",
            ),
        ),
        (
            "faults:\n  - {name: x, meaning: X., restart_helps: true, says: gone, such_as: [it went away]}",
            (5, "faults[0]", "a mapping", "words that are found in 'it went away' (such_as)"),
        ),
    ],
)
def test_a_mistake_in_order_errors_yaml(sources, more, problem):
    assert refused(sources, "order_errors.yaml", f"{ERRORS}{more}\n") == [problem]


def test_the_line_that_stops_a_batch_has_to_fit_the_release_that_is_live(sources):
    (sources.config / "orders.yaml").write_text(ORDERS)
    orders, _ = read_orders(sources)
    require_fits(orders, sources, 4)
    with pytest.raises(RejectedError) as error:
        require_fits(orders, sources, 8)
    assert "write 9 or more" in str(error.value)


@pytest.mark.parametrize("name", ["orders", "order_errors"])
def test_editors_know_the_files(name):
    schema = json.loads((PROJECT / "include" / "config" / "schemas" / f"{name}.schema.json").read_text())
    first = (PROJECT / "include" / "config" / f"{name}.yaml").read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema=schemas/{name}.schema.json"
    assert schema["properties"]
