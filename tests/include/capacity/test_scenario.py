"""The figures of the two releases, worked by hand.

Release 2. A container with 256 MiB serves 500 users; 85 % of it, 217.6 MiB, is in use at 1300 / 3 = 433.33 users; the
new build takes a quarter more for the same users: 272 MiB, which is 272 / 433.33 = 0.62769 MiB a user.

2600 users, every pod at most 80 % of 500 = 400: 6.5, so 7. With one out, at most 500: 5.2, so 6, and one more: 7.
7 pods: 371.43 users each, 233.14 MiB, / 0.8 = 291.43. 6 pods: 433.33 users, 272 MiB, / 0.9 = 302.22. 500 users:
313.85 MiB. The largest is 313.85, so 320 MiB. CPU 0.5m a user: 185.7m / 0.8 = 232.1m; 216.7m; so 250m.
"""

from __future__ import annotations

import pytest

from include.capacity.plan import Plan, Size

PRODUCTION_TODAY = "in production, 1300 users on 3 containers"
LOAD_TEST = "in the load test, 500 users on a container"


def size(replicas: int, memory: str, cpu: str) -> Size:
    return Size(replicas=replicas, memory_request=memory, memory_limit=memory, cpu_request=cpu)


def test_release_2_runs_7_pods_of_the_main_application(plan, frozen):
    found = plan()
    app = found.of("app-deployment")
    assert app.planned == app.runs == size(7, "320Mi", "250m")
    assert [(each.pods, each.each, each.memory) for each in app.holds] == [
        (7, "371.4 users (74 % of 500)", "233.1 MiB (73 % of 320Mi)"),
        (6, "433.3 users (87 % of 500)", "272 MiB (85 % of 320Mi)"),
    ]
    # 320 / 0.62769 = 509.8 users; 7 x 509.8 = 3568.
    assert [(each.at, each.in_all) for each in app.gives_way] == [
        ("500 users a pod", "3500 with 7 pods"),
        ("500 users a pod", "3500 with 7 pods"),
        ("509.8 users a pod", "3568 with 7 pods"),
    ]
    assert found.in_all == "8 pods, which ask for 3520 MiB memory and 2250m CPU"


def test_the_objects_get_what_the_spec_leaves_out(frozen):
    release = frozen()
    app, processor = release.deployments()
    assert app["spec"]["replicas"] == 7
    (container,) = app["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {
        "requests": {"memory": "320Mi", "cpu": "250m"},
        "limits": {"memory": "320Mi"},
    }
    (spread,) = app["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert (spread["maxSkew"], spread["topologyKey"]) == (1, "kubernetes.io/hostname")
    assert spread["labelSelector"] == {"matchLabels": {"app": "app-deployment"}}
    assert processor["spec"]["replicas"] == 1
    assert "topologySpreadConstraints" not in processor["spec"]["template"]["spec"]


# By hand, for each reading of the users at peak (row) and of the memory (a user takes 0.62769 or 272 / 500 = 0.544 MiB):
#   1950: max(1950/400 = 4.9 -> 5, 1950/500 = 3.9 -> 4 + 1 = 5) = 5; one out: 487.5 users
#         x 0.62769 = 306 / 0.9 = 340 -> 352; x 0.544 = 265.2 / 0.9 = 294.7 -> 320
#   3250: max(8.1 -> 9, 6.5 -> 7 + 1 = 8) = 9; 500 users: 313.8 -> 320; x 0.544 = 272 -> 288
#   4550: max(11.4 -> 12, 9.1 -> 10 + 1 = 11) = 12; the same
@pytest.mark.parametrize(
    ("users", "at_once", "replicas", "memory", "memory_of_load_test", "runs"),
    [
        (None, "2600 (stated)", 7, "320Mi", "288Mi", "holds it, with 1 out too"),
        ("1.5 times today's users", "3000 users, of whom 65 % at once = 1950", 5, "352Mi", "320Mi", "holds it, with 1 out too"),
        ("2.5 times today's users", "5000 users, of whom 65 % at once = 3250", 9, "320Mi", "288Mi", "short by 250 with 1 out"),
        ("1.5 times today's users on top", "5000 users, of whom 65 % at once = 3250", 9, "320Mi", "288Mi", "short by 250"),
        ("2.5 times today's users on top", "7000 users, of whom 65 % at once = 4550", 12, "320Mi", "288Mi", "does not hold it: 3500 of 4550"),
    ],
)  # fmt: skip
def test_every_reading_of_the_facts_is_worked_out(
    plan, users, at_once, replicas, memory, memory_of_load_test, runs
):
    rows = {each.reading: each for each in plan().of("app-deployment").readings}
    assert len(rows) == 10
    first = rows[users or "as planned"]
    assert first.binding is (users is None)
    assert first.needs.endswith(at_once)
    assert first.planned == size(replicas, memory, "250m")
    assert runs in first.runs
    other = rows[f"{users}; {LOAD_TEST}" if users else LOAD_TEST]
    assert other.planned == size(replicas, memory_of_load_test, "250m")


def test_each_ambiguous_fact_is_an_assumption_with_its_reason(plan):
    users, memory = plan().of("app-deployment").assumptions
    assert users.binding == "2600, as stated"
    assert len(users.others) == 4
    assert (memory.binding, memory.others) == (PRODUCTION_TODAY, [LOAD_TEST])
    assert "98 %" in memory.because
    assert memory.question.startswith("At how many users")


def test_the_arithmetic_is_written_out(plan):
    app = plan().of("app-deployment")
    for line in (
        "Pods while every one runs, each at most 80 % full: 80 % of 500 = 400 users; 2600 / 400 = 6.5, so 7.",
        "Pods with 1 pod out, each at most 100 % full: 2600 / 500 = 5.2, so 6, and 1 that may be out: 7.",
        "Memory of a user: 85 % of 256 MiB = 217.6 MiB, +25 % = 272 MiB, at 433.3 users: 0.6277 MiB.",
        "With the 256 MiB of the load test a pod would now hold 407 users.",
        "Memory of a pod at peak: 371.4 users x 0.6277 MiB = 233.1 MiB; that may be 80 % of the limit: 291.4 MiB.",
        "Memory of a pod with 1 out: 433.3 users x 0.6277 MiB = 272 MiB; that may be 90 % of the limit: 302.2 MiB.",
        "Memory: the largest, 313.8 MiB, rounded up to a multiple of 32Mi: 320 MiB.",
    ):
        assert line in app.arithmetic


def test_the_documents_answer_is_compared_figure_by_figure(plan):
    found = plan()
    rows = {
        (work, each.figure): each
        for work in ("app-deployment", "order-processor")
        for each in found.of(work).compared
    }
    replicas = rows["app-deployment", "replicas"]
    assert (replicas.documented, replicas.planned, replicas.same) == ("6", "7", False)
    # 2600 / 6 = 433.3; one out: 2600 / 5 = 520, and 5 x 500 = 2500.
    assert "2600 / 6 = 433.3 users a pod while every pod runs" in replicas.words
    assert "2600 / 5 = 520 users a pod" in replicas.words
    assert replicas.words.endswith("5 hold 2500, short by 100")
    assert rows["app-deployment", "memory"].same
    assert (
        rows["app-deployment", "memory"].words
        == "the same: 313.8 MiB are needed; 256 MiB +25 % is 320 MiB as well"
    )
    assert rows["app-deployment", "cpu"].same
    cpu = rows["order-processor", "cpu"]
    assert (cpu.documented, cpu.planned) == ("1000m", "500m")
    assert cpu.words.startswith("2 times 250m, a container of app-deployment, is 500m; 1000m is 4 times")
    assert cpu.words.endswith("right if the recommendation is for each of its 2 processes")
    memory = rows["order-processor", "memory"]
    assert (memory.documented, memory.planned) == ("1Gi", "1280Mi")
    assert "100 % of 1024 MiB; the policy allows 80 %" in memory.words
    pods = rows["order-processor", "replicas"]
    # Six processors: 6 x 4 orders at a time, 6 x 1 GiB and 6 x 1000m.
    assert pods.words.startswith("6 x 4 = 24 orders at a time, 4 in all are meant, and 6144 MiB and 6000m")


def test_the_order_processor_is_sized_by_its_queue(plan):
    # 4 orders at a time: 4 x 3600 / 15 = 960, 4 x 3600 / 10 = 1440. 1024 MiB / 0.8 = 1280. Twice 250m = 500m.
    found = plan()
    processor = found.of("order-processor")
    assert processor.planned == processor.runs == size(1, "1280Mi", "500m")
    assert processor.holds[0].each == "960 to 1440 orders an hour"
    assert found.resources("order-processor") == {
        "requests": {"memory": "1280Mi", "cpu": "500m"},
        "limits": {"memory": "1280Mi"},
    }
    rows = {
        each.reading: (each.planned.memory_request, each.planned.cpu_request) for each in processor.readings
    }
    # 1 GB is 953.7 MiB, / 0.8 = 1192.1, so 1216; two processes, each twice 250m: 1000m.
    assert rows == {
        "as planned": ("1280Mi", "500m"),
        "each process": ("1280Mi", "1000m"),
        "1 GB, 1000 million bytes": ("1216Mi", "500m"),
        "1 GB, 1000 million bytes; each process": ("1216Mi", "1000m"),
    }


def test_more_orders_than_a_pod_gets_done_ask_for_more_pods(plan):
    # 2000 an hour / 960 of a pod with slow orders = 2.1, so 3.
    found = plan(("      cpu: {times: 2", "      orders_per_hour: 2000\n      cpu: {times: 2"))
    assert found.of("order-processor").planned.replicas == 3


def test_release_1_runs_what_it_ran_with_the_reason_why_that_is_less(plan):
    # 1300 / 400 = 3.25, so 4; the release pins 3. 500 users x 217.6 / 433.33 = 251.1 MiB, so 256.
    app = plan(release="release-1").of("app-deployment")
    assert app.planned == size(4, "256Mi", "250m")
    assert app.runs == size(3, "256Mi", "250m")
    assert app.differs[0].startswith("replicas 3 instead of 4, pinned by the spec: Release 1 ran with 3 pods")
    assert app.holds[1].each == "650 users (130 % of 500, more than was measured)"


@pytest.mark.parametrize(("release", "full"), [("release-1", 3), ("release-2", 7)])
def test_qa_runs_the_same_pods_but_few_of_them_and_says_why(plan, release, full):
    app = plan(release=release, environment="qa").of("app-deployment")
    production = plan(release=release).of("app-deployment")
    assert app.planned == production.planned
    assert app.runs == production.runs.model_copy(update={"replicas": 2})
    assert f"replicas 2 instead of {full}, because this environment is a trial" in app.differs[-1]


def test_a_trial_never_runs_more_than_the_plan(plan):
    processor = plan(environment="qa").of("order-processor")
    assert (processor.runs.replicas, processor.differs) == (1, [])


def test_more_cpu_for_the_same_users_asks_for_more(plan):
    # 250m + 40 % = 350m for 500 users: 0.7m each; 371.43 x 0.7 / 0.8 = 325, so 350. The queue's twice that: 700m.
    found = plan(("cpu_change: 0 %", "cpu_change: +40 %"))
    assert found.of("app-deployment").planned.cpu_request == "350m"
    assert found.of("order-processor").planned.cpu_request == "700m"


def test_a_plan_survives_the_way_through_json(plan):
    found = plan()
    again = Plan.from_dict(found.to_dict())
    assert again == found
    assert again.digest == found.digest
    assert (
        plan(('2600, as stated", users_at_peak: 2600', '2600, as stated", users_at_peak: 2700')).digest
        != found.digest
    )


def test_a_workload_that_the_plan_does_not_have_is_named(plan):
    with pytest.raises(
        KeyError, match="the plan has no workload batch, only app-deployment, order-processor"
    ):
        plan().resources("batch")
