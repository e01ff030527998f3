"""Orders that were set aside are opened again: which ones, and by which Job."""

from __future__ import annotations

import pytest
import yaml

from include.orders.job import processor_of
from include.orders.reopening import answers_text, not_there, numbers_of, reopen_load, wrong_numbers
from include.release.loading import PROJECT
from tests.include.orders.world import orders


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        (None, ()),
        ("", ()),
        (" 4 ", (4,)),
        ("4, 17;4\n21", (4, 17, 21)),
        ("9223372036854775807", (2**63 - 1,)),
    ],
)
def test_numbers_are_read_as_people_write_them(text, numbers):
    assert numbers_of(text) == numbers
    assert wrong_numbers(text) == []


@pytest.mark.parametrize(
    "text", ["#4", "4-7", "0", "-3", "four", "9223372036854775808", "1" * 5000, "\uff14"]
)
def test_what_is_no_number_is_refused_by_name(text):
    (problem,) = wrong_numbers(f"4, {text}")
    assert (problem.where, problem.found) == ("param reopen", repr(text[:40]))
    assert numbers_of(text) == ()


def test_more_than_fit_on_a_command_line_are_refused():
    (problem,) = wrong_numbers(" ".join(map(str, range(1, 502))))
    assert (problem.found, problem.expected) == ("501 orders", "500 at most")


def test_the_job_runs_the_live_build_and_is_no_batch():
    release = yaml.safe_load((PROJECT / "include" / "releases" / "release-2.yaml").read_text())
    (live,) = [each for each in release["objects"] if each["metadata"]["name"] == "order-processor"]
    processor = processor_of(live, orders(), "course4")
    load = reopen_load(processor, orders(), "course4", (4, 17), "order_processor/manual/0")
    assert load.command == "python3 -m shop.orders --reopen 4 17"
    pod = load.manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == processor.image
    assert pod["restartPolicy"] == "Never"
    assert "ports" not in container
    # A run that looks for its batches does not find it, and a retry does.
    assert not [label for label in load.manifest["metadata"]["labels"] if label.endswith("/order-batch")]
    again = reopen_load(processor, orders(), "course4", (4, 17), "order_processor/manual/0")
    assert again.name == load.name
    assert reopen_load(processor, orders(), "course4", (4,), "order_processor/manual/0").name != load.name


def test_orders_that_are_not_there_are_named():
    lines = ["order processor: order 4 is open again, with all its tries",
             "order processor: there is no order 99: nothing done"]  # fmt: skip
    assert not_there(lines) == [99]


def test_what_became_of_each_order_is_said_in_a_line_and_not_without_end():
    start = "2026-11-20T10:00:00.000Z order processor: "
    lines = [
        f"{start}order 4 is open again, with all its tries",
        "something else",
        f"{start}order 3 is not set aside, it is processed: nothing to do",
        f"{start}there is no order 999: nothing done",
    ]
    assert answers_text(lines) == (
        "order 4 is open again, with all its tries; order 3 is not set aside, it is processed: nothing to do; there is no "
        "order 999: nothing done"
    )
    assert answers_text(["Startup..."]) == ""
    many = answers_text([f"{start}order {each} is open again" for each in range(1, 31)])
    assert many.endswith("order 20 is open again; and 10 more")
