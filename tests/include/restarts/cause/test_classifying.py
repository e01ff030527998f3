"""Single rules of the classifier, each with the pair of deaths that it tells apart."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from include.restarts.cause import Finding, classify
from tests.include.restarts.cause.building import build, event, stamp

REFUSED = "dial tcp 10.96.4.4:5432: connect: connection refused\n"
KILLING = {
    "type": "Normal",
    "reason": "Killing",
    "message": "Container app failed liveness probe, will be restarted",
}


def found(**death: Any) -> Finding:
    return build({"case": "x", "label": "", **death}).finding()[1]


def test_the_plain_case() -> None:
    finding = found(log=f"starting\n{REFUSED}")
    assert finding == Finding(
        "network",
        "main",
        "exit code 1, connection refused: dial tcp 10.96.4.4:5432: connect: connection refused",
    )


@pytest.mark.parametrize("reason", ["OOMKilled"])
@pytest.mark.parametrize("code", [1, 137])
def test_the_oom_killer_is_believed_with_any_exit_code_and_any_log(reason: str, code: int) -> None:
    assert found(exit=code, reason=reason, log=REFUSED, events=[KILLING]).cause == "oom"


@pytest.mark.parametrize("code", [0, 1, 137, 143])
def test_a_liveness_kill_is_one_with_any_exit_code(code: int) -> None:
    finding = found(exit=code, log=REFUSED, events=[KILLING])
    assert finding.cause == "liveness"
    assert finding.alternatives == ("network",)


@pytest.mark.parametrize(
    ("ago", "cause"), [(2, "liveness"), (18, "liveness"), (22, "network"), (600, "network"), (-60, "network")]
)
def test_a_kill_explains_only_the_death_that_it_brought(ago: int, cause: str) -> None:
    assert found(log=REFUSED, events=[{**KILLING, "ago": ago}]).cause == cause


def test_a_kill_that_was_repeated_before_and_after_explains_a_death_by_signal_only() -> None:
    def died(code: int) -> str:
        case = build({"case": "x", "label": "", "exit": code, "log": REFUSED})
        repeated = event(KILLING) | {"count": 9, "firstTimestamp": stamp(900), "lastTimestamp": stamp(-60)}
        return classify(case.pod, "app", [repeated], case.logs).cause

    assert died(137) == "liveness"
    assert died(1) == "network"


def test_a_liveness_failure_without_its_kill_explains_a_death_by_signal_only() -> None:
    failed = {
        "reason": "Unhealthy",
        "message": "Liveness probe failed: dial tcp 10.244.0.8:80: connection refused",
    }
    assert found(exit=137, events=[failed]).cause == "liveness"
    assert found(exit=1, log=REFUSED, events=[failed]).cause == "network"


def test_a_probe_that_asks_another_host_is_one_of_the_network() -> None:
    def killed(message: str, probe: dict[str, Any]) -> Finding:
        case = build({"case": "x", "label": "", "exit": 137})
        case.pod["spec"]["containers"][0]["livenessProbe"] = probe
        failed = {"reason": "Unhealthy", "message": f"Liveness probe failed: {message}"}
        return classify(case.pod, "app", [event(failed), event(KILLING)], case.logs)

    refused = 'Get "http://gateway:80/": dial tcp 10.96.8.8:80: connect: connection refused'
    assert killed(refused, {"httpGet": {"host": "gateway", "port": 80}}).cause == "network"
    assert killed(refused, {"httpGet": {"port": 80}}).cause == "liveness"
    script = {"exec": {"command": ["check"]}}
    assert killed("curl: (6) Could not resolve host: gateway", script).cause == "network"
    assert (
        killed("curl: (7) Failed to connect to localhost port 80: Connection refused", script).cause
        == "liveness"
    )
    assert (
        killed("curl: (7) Failed to connect to 10.244.0.8 port 80: Connection refused", script).cause
        == "liveness"
    )
    assert killed('command timed out: "check" timed out after 1s', script).cause == "liveness"


def test_the_event_of_a_missing_cluster_dns_is_no_failure() -> None:
    missing = {
        "reason": "MissingClusterDNS",
        "message": 'kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy',
    }
    assert found(log="", events=[missing]).cause == "unknown"


def test_without_a_log_nothing_is_invented() -> None:
    gone = {"code": 400, "message": 'previous terminated container "app" not found: connection refused'}
    absent = "unable to retrieve container logs for containerd://0e: dial tcp: connection refused"
    for log in (None, gone, absent, ""):
        finding = found(log=log, current=log)
        assert finding.cause == "unknown"
        assert "network" in finding.alternatives


def test_the_log_of_the_next_run_speaks_only_when_that_of_the_death_cannot_be_had() -> None:
    assert found(log=None, current=REFUSED).cause == "network"
    assert found(log="", current=REFUSED).cause == "unknown"
    assert found(log="ValueError: bad row\n", current=REFUSED).cause == "application"


def test_a_container_that_was_not_started_again_has_its_last_words_in_its_current_log() -> None:
    case = build({"case": "x", "label": ""})
    status = case.pod["status"]["containerStatuses"][0]
    status["state"] = {"terminated": status["lastState"]["terminated"]}
    logs = {"app": {"previous": "ValueError: bad row\n", "current": REFUSED}}
    assert classify(case.pod, "app", [], logs).cause == "network"


def test_a_termination_message_comes_before_the_log() -> None:
    assert found(message="upstream refused: " + REFUSED, log="ValueError: bad row\n").cause == "network"
    assert found(message="schema is too old", log=REFUSED).cause == "application"


def test_evidence_has_no_secrets_and_is_one_line() -> None:
    line = "cannot connect to postgres://app:hunter2@db:5432/x?sslmode=off password=hunter3 token: hunter4\n  more\n"
    finding = found(log=line * 9)
    assert finding.cause == "network"
    assert "hunter" not in finding.evidence
    assert "\n" not in finding.evidence
    assert len(finding.evidence) <= 240


@pytest.mark.parametrize(
    "pod",
    [
        {},
        {"status": None},
        {"spec": {"containers": [{"name": "app"}]}, "status": {}},
        {"status": {"containerStatuses": [{"name": "app"}]}},
        {"status": {"containerStatuses": [{"name": "app", "state": None, "lastState": None}]}},
        {"status": {"containerStatuses": [{"name": "app", "lastState": {"terminated": {"exitCode": None}}}]}},
        {
            "status": {
                "containerStatuses": [{"name": "app", "lastState": {"terminated": {"finishedAt": "soon"}}}]
            }
        },
    ],
)
def test_a_pod_of_which_little_is_known_has_an_unknown_cause(pod: dict[str, Any]) -> None:
    assert classify(pod, "app").cause == "unknown"
    assert (
        classify(pod, "app", [{}, {"reason": None, "involvedObject": None}], {"app": {}}).cause == "unknown"
    )


def test_times_that_jump_do_not_lose_a_kill() -> None:
    case = build({"case": "x", "label": "", "exit": 137, "events": [KILLING]})
    ended = case.pod["status"]["containerStatuses"][0]["lastState"]["terminated"]
    for changes in (
        {"startedAt": "1970-01-01T00:00:00Z"},
        {"startedAt": None},
        {"startedAt": stamp(-999)},
        {"finishedAt": None},
    ):
        pod = copy.deepcopy(case.pod)
        pod["status"]["containerStatuses"][0]["lastState"]["terminated"] = {**ended, **changes}
        assert classify(pod, "app", case.events, case.logs).cause == "liveness"


def test_roles_are_told_by_the_spec() -> None:
    for role in ("main", "init", "sidecar"):
        finding = found(role=role, log=REFUSED)
        assert (finding.cause, finding.role) == ("network", role)


def test_an_init_container_that_succeeded_in_the_end_explains_the_death_before() -> None:
    case = build({"case": "x", "label": "", "role": "init", "log": REFUSED})
    status = case.pod["status"]["initContainerStatuses"][0]
    status["state"] = {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": stamp(-10)}}
    assert (
        classify(case.pod, "app", [], {"app": {"previous": REFUSED, "current": "done\n"}}).cause == "network"
    )


def test_a_pull_that_fails_on_the_network_is_the_registrys_and_not_the_upstreams() -> None:
    waiting = {"reason": "ImagePullBackOff", "message": f"Back-off pulling image: {REFUSED}"}
    assert found(waiting=waiting, restarts=0).cause == "image"


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ('0/3 nodes are available: persistentvolumeclaim "data" not found.', "config"),
        ("0/3 nodes are available: 3 Insufficient memory.", "config"),
        (
            "0/3 nodes are available: 3 node(s) had untolerated taint {node.kubernetes.io/unreachable: }.",
            "node",
        ),
    ],
)
def test_a_pod_that_no_node_takes(message: str, cause: str) -> None:
    pod = {"spec": {"containers": [{"name": "app"}]}, "status": {"phase": "Pending"}}
    assert classify(pod, "app", [{"reason": "FailedScheduling", "message": message}]).cause == cause


def test_a_node_that_was_lost_right_then_explains_a_death_by_signal() -> None:
    lost = {"reason": "NodeNotReady", "message": "Node is not ready"}
    assert found(exit=137, events=[lost]).cause == "node"
    assert found(exit=1, log=REFUSED, events=[lost]).cause == "network"
    assert found(exit=137, events=[{**lost, "ago": 900}]).cause == "signal"
