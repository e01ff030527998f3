"""Figures that a spec gives itself, beside the plan's."""

from __future__ import annotations

import re

import pytest

from tests.include.capacity.conftest import change

IMAGE = "              image: shop:2.0.0\n              ports"
APP = "    spec:\n      revisionHistoryLimit: 5"
BECAUSE = ("      users: 500\n", "      pinned_because: the database is the bottleneck\n      users: 500\n")


def resources(text: str) -> tuple[str, str]:
    return IMAGE, f"              image: shop:2.0.0\n              resources: {text}\n              ports"


def replicas(count: int) -> tuple[str, str]:
    return APP, f"    spec:\n      replicas: {count}\n      revisionHistoryLimit: 5"


@pytest.mark.parametrize(
    ("pin", "said"),
    [
        (replicas(6), "objects[1].spec.replicas\n    found:    replicas 6\n    expected: 7, as planned, or a reason"),
        (resources("{requests: {memory: 288Mi}}"), "resources.requests.memory\n    found:    memory request 288Mi\n    expected: 320Mi, as planned"),
        (resources("{limits: {memory: 319Mi}}"), "resources.limits.memory\n    found:    memory limit 319Mi"),
        (resources("{requests: {cpu: 0.2}}"), "resources.requests.cpu\n    found:    cpu request 0.2\n    expected: 250m, as planned"),
        (resources("{limits: {cpu: '1'}}"), "resources.limits.cpu\n    found:    cpu limit 1\n    expected: no cpu limit, as planned"),
    ],
)  # fmt: skip
def test_less_than_the_plan_needs_a_written_reason(rejected, plan, pin, said):
    text = rejected(pin)
    assert text.startswith("1 problem in the capacity of release-2. Nothing has been changed.")
    assert said in text
    assert re.search(r"release-2.yaml:\d\d\d  objects", text)
    assert (
        "fix:      leave it out, and the plan fills it in; or say why in pinned_because: of its facts" in text
    )
    app = plan(BECAUSE).of("app-deployment")
    assert app.differs[0].endswith("pinned by the spec: the database is the bottleneck")
    assert app.runs != app.planned


def test_more_than_the_plan_is_taken_and_named(frozen):
    release = frozen(replicas(9), resources("{requests: {cpu: 500m}}"))
    app = release.capacity().of("app-deployment")
    assert app.differs == [
        "replicas 9 instead of 7: the spec pins more than the plan",
        "cpu request 500m instead of 250m: the spec pins more than the plan",
    ]
    (container,) = release.deployments()[0]["spec"]["template"]["spec"]["containers"]
    assert release.deployments()[0]["spec"]["replicas"] == 9
    assert container["resources"] == {
        "requests": {"memory": "320Mi", "cpu": "500m"},
        "limits": {"memory": "320Mi"},
    }
    # What it holds is told of what runs: 2600 / 9.
    assert app.holds[0].each.startswith("288.9 users")


def test_the_plans_own_figure_is_no_difference(plan):
    assert (
        plan(replicas(7), resources("{requests: {memory: 335544320, cpu: 0.25}}"))
        .of("app-deployment")
        .differs
        == []
    )


def test_a_workload_that_nobody_measured_runs_what_the_spec_says(sources, plan):
    path = sources.releases / "release-2.yaml"
    text = path.read_text()
    start, end = text.index("  queues:\n"), text.index("objects:\n")
    facts = "  unmeasured: [{workload: order-processor, because: it is new}]\n\n"
    path.write_text(text[:start] + facts + text[end:])
    processor = plan().of("order-processor")
    assert (processor.kind, processor.runs.replicas, processor.runs.memory_request) == ("unmeasured", 1, None)
    assert processor.facts == ["No load test: it is new."]
    # Nothing fills its resources in, so what is missing is a risk again.
    risks = sources.read_release("release-2").risks
    assert {each.found for each in risks} == {"no memory limit", "no cpu request", "no memory request"}


def test_the_digest_of_a_release_covers_its_plan(frozen):
    first, second = (
        frozen(),
        frozen(("because: >-\n            It is the one", "because: >-\n            It was the one")),
    )
    assert first.objects == second.objects
    assert first.digest != second.digest
    with pytest.raises(ValueError, match="its content has another"):
        type(first).from_json(first.to_json().replace("2600 / 500 = 5.2", "2600 / 500 = 9.9"))


def test_the_policy_decides_on_cpu_limits_and_spread(sources, frozen):
    path = sources.config / "capacity.yaml"
    change(path, ("cpu: none}", "cpu: request}"))
    text = path.read_text()
    start = text.index("    spread: {")
    path.write_text(text[:start] + "    spread: null" + text[text.index("\n", start) :])
    pod = frozen().deployments()[0]["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"] == {"memory": "320Mi", "cpu": "250m"}
    assert "topologySpreadConstraints" not in pod
