"""What must hold for any figures."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest

from include.capacity.figures import MEBIBYTE, amount
from include.capacity.plan import Size
from include.capacity.policy import CapacityPolicy, Use
from include.capacity.serving import Load, bearing, size_of, work_out
from include.capacity.serving_text import under


def load(peak: int, users: int = 500, per_user: Fraction = Fraction(272, 500)) -> Load:
    return Load(
        users=Fraction(users),
        memory_used=Fraction(1),
        memory_used_at=Fraction(1),
        memory_change=Fraction(0),
        memory_per_user=per_user * MEBIBYTE,
        cpu_per_user=Fraction(1, 2000),
        peak=Fraction(peak),
    )


POLICIES = [
    CapacityPolicy(),
    CapacityPolicy(pods_out=0, replicas=1),
    CapacityPolicy(pods_out=3, at_peak=Use(users="60 %", memory="50 %", cpu="33.3 %")),
]


@pytest.mark.parametrize("policy", POLICIES)
def test_more_users_never_need_fewer_pods_nor_less_in_all(policy):
    found = [work_out(load(peak), policy) for peak in range(1, 6000, 7)]
    for less, more in itertools.pairwise(found):
        assert more.replicas >= less.replicas
        assert more.load.peak * more.load.memory_per_user <= more.replicas * more.memory


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("users", [1, 7, 500, 10_000])
def test_the_result_keeps_every_rule_and_one_pod_less_would_not(policy, users):
    for peak in (1, 2, 499, 500, 501, 2600, 99_999):
        worked = work_out(load(peak, users), policy)
        assert keeps(worked.replicas, peak, users, policy)
        assert not keeps(worked.replicas - 1, peak, users, policy)
        size = size_of(worked, policy)
        assert under(size, worked.load, min(policy.pods_out, size.replicas - 1)).startswith("holds it")
        assert amount(size.memory_limit) >= users * worked.load.memory_per_user


def keeps(replicas: int, peak: int, users: int, policy: CapacityPolicy) -> bool:
    """The rules, said in another way than the code does."""
    shares = {name: Fraction(text.removesuffix(" %")) / 100 for name, text in
              (("peak", policy.at_peak.users), ("out", policy.with_pods_out.users))}  # fmt: skip
    return (
        replicas >= policy.replicas
        and peak <= replicas * users * shares["peak"]
        and peak <= (replicas - policy.pods_out) * users * shares["out"]
    )


def test_exact_figures_are_not_rounded_up_twice():
    # 400 users a pod at peak: exactly 6.5 x 400 = 2600, and exactly 7 x 400 = 2800 still fits 7.
    assert work_out(load(2800), CapacityPolicy(pods_out=0)).replicas == 7
    assert work_out(load(2801), CapacityPolicy(pods_out=0)).replicas == 8


def test_a_cpu_limit_is_hard_and_a_request_is_not():
    tight = Size(replicas=1, memory_limit="1Gi", cpu_request="100m", cpu_limit="100m")
    assert bearing(tight, load(1)).of_a_pod == 200
    assert bearing(tight.model_copy(update={"cpu_limit": None}), load(1)).of_a_pod == 500


def test_what_no_pod_holds_is_said():
    assert under(Size(replicas=1, memory_limit="512Mi"), load(400), 1) == (
        "holds it while every pod runs; short by 400 with 1 out"
    )
