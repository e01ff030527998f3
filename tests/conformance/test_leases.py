"""A Lease as a lock: whoever writes first holds it, and who read before that is told."""

from __future__ import annotations

import pytest

from tests.conformance.kit.api import Object
from tests.conformance.kit.namespace import Namespace


def lease(holder: str) -> Object:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "lock"},
        "spec": {
            "holderIdentity": holder,
            "acquireTime": "2026-01-02T03:04:05.000006Z",
            "leaseDurationSeconds": 60,
            "leaseTransitions": 0,
        },
    }


def test_only_one_creates_the_lease(ns: Namespace) -> None:
    created = ns.create("leases", lease("dag/run-1"))
    assert created["spec"]["acquireTime"] == "2026-01-02T03:04:05.000006Z"
    answer = ns.post("leases", lease("dag/run-2"))
    assert answer.code == 409
    assert answer.message == 'leases.coordination.k8s.io "lock" already exists'
    assert ns.get("leases", "lock")["spec"]["holderIdentity"] == "dag/run-1"


def test_only_one_takes_the_lease_over(ns: Namespace) -> None:
    seen = ns.create("leases", lease("dag/run-1"))
    first, second = ({**seen, "spec": lease(holder)["spec"]} for holder in ("dag/run-2", "dag/run-3"))
    ns.put("leases", "lock", first).expect(200)
    answer = ns.put("leases", "lock", second)
    assert answer.code == 409
    assert answer.message == (
        'Operation cannot be fulfilled on leases.coordination.k8s.io "lock": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert ns.get("leases", "lock")["spec"]["holderIdentity"] == "dag/run-2"


def test_a_lease_is_released_by_whom_still_holds_it(ns: Namespace) -> None:
    seen = ns.create("leases", lease("dag/run-1"))
    ns.patch("leases", "lock", {"spec": {"holderIdentity": "dag/run-2"}}).expect(200)
    stale = {"preconditions": {"resourceVersion": seen["metadata"]["resourceVersion"]}}
    assert ns.delete("leases", "lock", stale).code == 409
    assert ns.get("leases", "lock")["spec"]["holderIdentity"] == "dag/run-2"


def test_lease_fields_are_checked(ns: Namespace) -> None:
    body = lease("x")
    body["spec"]["leaseDurationSeconds"] = 0
    answer = ns.post("leases", body)
    assert answer.code == 422
    assert "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0" in answer.message
    body["spec"] = {"acquireTime": "yesterday"}
    assert ns.post("leases", body).code == 400


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("2026-01-02T03:04:05Z", '"Z" as ".000000"'),
        ("2026-01-02T03:04:05.123Z", '".123Z" as ".000000"'),
        ("2026-01-02T03:04:05+00:00", '"+00:00" as ".000000"'),
        ("2026-01-02T03:04:05.123456789Z", '"789Z" as "Z07:00"'),
        ("2026-01-02T03:04:05.123456", '"" as "Z07:00"'),
    ],
)
def test_a_leases_times_have_microseconds(ns: Namespace, text: str, rest: str) -> None:
    body = lease("x")
    body["spec"]["renewTime"] = text
    answer = ns.post("leases", body)
    assert answer.code == 400
    assert answer.message.endswith(f"cannot parse {rest}")
    body["spec"]["renewTime"] = "2026-01-02T03:04:05.123456+02:00"
    assert ns.create("leases", body)["spec"]["renewTime"] == "2026-01-02T01:04:05.123456Z"
