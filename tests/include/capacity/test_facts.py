"""Facts that cannot be right: one error each, with file and line."""

from __future__ import annotations

import re

import pytest

from include.release.problems import RejectedError
from tests.include.capacity.conftest import change

USERS = '            - {name: "2600, as stated", users_at_peak: 2600}'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("      users: 500", "      users: 0",
         "capacity.serving[0].users\n    found:    the number 0\n    expected: a number above 0, such as 500, 2.5 or 1300/3"),
        ("seconds_per_order: 10", "seconds_per_order: 0", "capacity.queues[0].seconds_per_order\n    found:    the number 0"),
        ("memory_used_at: 1300/3", "memory_used_at: 1300/0", "found:    '1300/0'\n    expected: a number above 0"),
        ("memory_used: 85 %", "memory_used: 0.85", "memory_used\n    found:    the number 0.85\n    expected: a share above 0 % and at most 100 %, such as 85 %"),
        ("memory_used: 85 %", "memory_used: 185 %", "found:    '185 %'\n    expected: a share above 0 %"),
        ("memory_change: +25 %", "memory_change: -100 %", "expected: a change above -100 %, such as +25 %"),
        ("      memory: 256Mi", "      memory: 256mb", "found:    '256mb'\n    expected: a quantity above 0 like 256Mi or 250m; write 256Mi"),
        ("      cpu: 250m", "      cpu: 0", "found:    the number 0\n    expected: a quantity above 0"),
        ("    - workload: app-deployment\n      container", "    - workload: app\n      container",
         "capacity.serving[0].workload\n    found:    app\n    expected: a Deployment of this release: app-deployment, order-processor"),
        ("    - workload: order-processor\n      container", "    - workload: app-deployment\n      container",
         "found:    no facts about Deployment order-processor\n    expected: facts about every Deployment\n    fix:      add order-processor to serving or queues; or to unmeasured, with the reason"),
        ("container: main-app", "container: app", "capacity.serving[0].container\n    found:    app\n    expected: a container of the pod: main-app"),
        ("      users: 500\n", "", "capacity.serving[0].users\n    found:    nothing\n    expected: capacity.serving[0].users: Users that one container served at once"),
        (", memory_used_at: 500}", ", growth: {times: 2, read_as: addition}}", "no memory_used_at\n    expected: the users of a container when its memory was measured"),
        ("binding: 2600, as stated", "binding: 2700", "assumptions[0].binding\n    found:    the number 2700"),
        ("binding: 2600, as stated", "binding: as stated", "found:    as stated\n    expected: the name of one of its readings: 2600, as stated, 1.5 times"),
        ("users_at_peak: 2600}", "users_at_peak: 0}", "readings[0].users_at_peak\n    found:    the number 0"),
        (', users_at_peak: 2600}', "}", "'2600, as stated' sets nothing\n    expected: memory_used_at, users_at_peak or growth"),
        ("read_as: addition", "read_as: sum", "read_as\n    found:    'sum'\n    expected: addition or multiplication"),
        ("      users_now: 2000\n", "", "a growth of a number that is not given\n    expected: users_now and users_now_at_once"),
        ("of: app-deployment}", "of: database}", "capacity.queues[0].cpu.of\n    found:    database\n    expected: a workload of capacity.serving: app-deployment"),
        ("name: each process, ", "name: the container, ", "'the container' 2 times\n    expected: a name of its own"),
        (", users_at_peak: 2600}", ", users_at_peak: 26000000}", "facts that ask for 65000 pods of app-deployment\n    expected: at most 5000"),
        ("      processes: 2\n", "      process: 2\n", "unknown key process"),
    ],
)  # fmt: skip
def test_facts_that_cannot_be_right_are_named_with_their_line(rejected, old, new, said):
    text = rejected((old, new))
    assert said in text
    assert re.search(r"release-2.yaml:\d+  capacity", text)


def test_a_workload_with_two_sets_of_facts_is_named(rejected):
    both = "  unmeasured: [{workload: order-processor, because: it is new}]\n  queues:\n"
    assert "order-processor 2 times\n    expected: each workload once" in rejected(("  queues:\n", both))


def test_more_readings_than_a_table_can_show_are_refused(rejected):
    readings = "\n".join(f'            - {{name: "reading {n}", users_at_peak: {n}}}' for n in range(1, 40))
    text = rejected((USERS, f"{USERS}\n{readings}"))
    assert "combinations of readings\n    expected: at most 64" in text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{users: 80 %, memory: 80 %", "{users: 80 %, memory: -20 %",
         "capacity.yaml:9  policies[0].at_peak.memory\n    found:    '-20 %'\n    expected: a share above 0 % and at most 100 %"),
        ("memory: 90 %", "memory: 190 %", "policies[0].with_pods_out.memory\n    found:    '190 %'"),
        ("pods_out: 1", "pods_out: -1", "policies[0].pods_out\n    found:    the number -1"),
        ("{memory: 32Mi", "{memory: 0", "round_up_to.memory\n    found:    the number 0"),
        ("replicas: 2\n", "replicas: 0\n", "policies[0].replicas\n    found:    the number 0"),
        ("name: trial", "name: tryout", "no policy 'trial'\n    expected: one of full, tryout\n    fix:      correct capacity: of qa"),
        ("like: full", "like: small", "policies[1].like\n    found:    small\n    expected: another policy that is like none: full"),
        ("like: full", "like: trial", "policies[1].like\n    found:    trial"),
        ("name: trial", "name: full", "policies[1].name\n    found:    full 2 times"),
    ],
)  # fmt: skip
def test_a_policy_that_cannot_be_right_is_named_with_its_line(sources, old, new, said):
    change(sources.config / "capacity.yaml", (old, new))
    where = sources.environments().find("qa")
    with pytest.raises(RejectedError) as raised:
        sources.capacity_policy(where)
    assert said in str(raised.value)


def test_the_trial_has_the_rules_of_the_policy_that_it_is_like(sources):
    change(sources.config / "capacity.yaml", ("memory: 90 %", "memory: 70 %"))
    policy = sources.capacity_policy(sources.environments().find("qa"))
    assert (policy.name, policy.with_pods_out.memory, policy.trial.replicas) == ("trial", "70 %", 2)
