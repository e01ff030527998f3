"""Pods and Services reached through the API server, and Services by their variables from within."""

from __future__ import annotations

import json

from tests.conformance.kit.api import Answer, until
from tests.conformance.kit.manifests import (
    IDLE,
    container,
    deployment,
    pod,
    python,
    server,
    service,
    sh,
)
from tests.conformance.kit.namespace import Namespace


def test_a_pod_answers_through_the_api_server(ns: Namespace) -> None:
    ns.create("pods", pod("web", server(ns.image)))
    ns.pod_ready("web")
    answer = ns.fetch("pods", "web:8080", "/some/path?x=1&y=a%20b", headers={"X-Probe": "seen"})
    assert answer.code == 200
    assert answer.body["path"] == "/some/path?x=1&y=a%20b"
    assert answer.body["method"] == "GET"
    assert answer.body["header"] == "seen"
    assert answer.headers["X-Served-By"] == "web"
    assert answer.headers["Content-Type"] == "application/json"
    # the first port of the pod is the one that is meant when none is named
    assert ns.fetch("pods", "web", "/").code == 200
    assert ns.fetch("pods", "http:web:8080", "/").code == 200


def test_methods_bodies_and_codes_pass_through(ns: Namespace) -> None:
    ns.create("pods", pod("web", server(ns.image)))
    ns.pod_ready("web")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = ns.fetch("pods", "web:8080", "/x", method, body='{"a": 1}' if method != "DELETE" else None)
        assert answer.code == 200
        assert answer.body["method"] == method
        assert answer.body["body"] == ('{"a": 1}' if method != "DELETE" else "")
    for code in (404, 409, 500, 503):
        answer = ns.fetch("pods", "web:8080", f"/status/{code}")
        assert answer.code == code
        assert answer.body["pod"] == "web"


def test_a_pod_that_cannot_be_reached(ns: Namespace) -> None:
    missing = ns.fetch("pods", "nope:8080", "/")
    assert (missing.code, missing.message) == (404, 'pods "nope" not found')
    ns.create("pods", pod("idle", container(ns.image, python(IDLE))))
    ns.pod_ready("idle")
    refused = ns.fetch("pods", "idle:8080", "/")
    assert refused.code == 503
    assert refused.body["reason"] == "ServiceUnavailable"
    assert "error trying to reach service: dial tcp " in refused.message
    assert refused.message.endswith("connect: connection refused")


def test_a_service_answers_by_port_name_and_number(ns: Namespace) -> None:
    ns.create("services", service("web", port=80, target="http"))
    ns.create("pods", pod("web", server(ns.image, port=8088)))
    ns.pod_ready("web")
    for target in ("web:http", "web:80", "http:web:http"):
        answer = until(target, lambda target=target: _answer(ns, target), 20)
        assert answer["pod"] == "web"
    # a port that has a name is not meant by none
    unnamed = ns.fetch("services", "web", "/")
    assert (unnamed.code, unnamed.message) == (503, 'no endpoints available for service "web"')
    wrong = ns.fetch("services", "web:nope", "/")
    assert wrong.code == 503
    assert "no service port" in wrong.message or "no endpoints available" in wrong.message


def _with_code(ns: Namespace, target: str, code: int) -> Answer | None:
    answer = ns.fetch("services", target, "/")
    return answer if answer.code == code else None


def _answer(ns: Namespace, target: str, path: str = "/") -> dict[str, str] | None:
    answer = ns.fetch("services", target, path)
    return answer.body if answer.code == 200 else None


def test_a_service_without_ready_pods(ns: Namespace) -> None:
    ns.create("services", service("web"))
    # until its endpoints are made, the service itself is not found
    nobody = until("503", lambda: _with_code(ns, "web:http", 503), 20)
    assert nobody.message == 'no endpoints available for service "web"'
    missing = ns.fetch("services", "nope:http", "/")
    assert (missing.code, missing.message) == (404, 'services "nope" not found')
    never = {"readinessProbe": {"exec": {"command": sh("exit 1")}, "periodSeconds": 1}}
    ns.create("pods", pod("web", server(ns.image, **never)))
    ns.wait("pods", "web", "running", lambda item: item["status"].get("phase") == "Running")
    until("it listens", lambda: ns.fetch("pods", "web:8080", "/").code == 200, 30)
    assert ns.fetch("services", "web:http", "/").code == 503


def test_a_service_is_posted_to_through_the_api_server(ns: Namespace) -> None:
    ns.create("services", service("web", port=80, target="http"))
    ns.create("pods", pod("web", server(ns.image, port=8088)))
    ns.pod_ready("web")
    until("it answers", lambda: _answer(ns, "web:80"), 20)
    posted = ns.fetch("services", "web:80", "/queue/hold?x=1", "POST", body='{"reason": "a b"}')
    assert posted.code == 200
    assert (posted.body["method"], posted.body["path"]) == ("POST", "/queue/hold?x=1")
    assert posted.body["body"] == '{"reason": "a b"}'
    # the program's own errors come through as they are, and are told from those of the API server
    for code in (404, 409, 500, 503):
        answer = ns.fetch("services", "web:80", f"/status/{code}", "POST", body="{}")
        assert (answer.code, answer.body["pod"]) == (code, "web")
        assert answer.body.get("kind") != "Status"


def test_a_service_sends_to_every_ready_pod(ns: Namespace) -> None:
    ns.create("services", service("web"))
    ns.create("deployments", deployment("web", server(ns.image), replicas=2))
    ns.rolled_out("web")
    names = {item["metadata"]["name"] for item in ns.list("pods")}
    seen: set[str] = set()

    def ask() -> bool:
        answer = _answer(ns, "web:http")
        if answer:
            seen.add(answer["pod"])
        return seen == names

    until("each pod has answered", ask, 30, every=0.02)


def test_a_pod_that_ends_is_no_longer_sent_to(ns: Namespace) -> None:
    ns.create("services", service("web"))
    hook = {"lifecycle": {"preStop": {"exec": {"command": sh("sleep 3")}}}}
    for name in ("leaving", "staying"):
        ns.create("pods", pod(name, server(ns.image, **hook), labels={"app": "web"}))
    for name in ("leaving", "staying"):
        ns.pod_ready(name)
    ns.delete("pods", "leaving").expect(200)

    def settled() -> bool:
        found = {(_answer(ns, "web:http") or {}).get("pod") for _ in range(20)}
        return found == {"staying"}

    until("only the other pod answers", settled, 3)
    assert ns.read("pods", "leaving").code == 200


def test_a_service_without_a_selector_has_no_endpoints(ns: Namespace) -> None:
    body = service("web")
    del body["spec"]["selector"]
    ns.create("services", body)
    answer = ns.fetch("services", "web:http", "/")
    assert (answer.code, answer.message) == (404, 'services "web" not found')


REFUSED = """
import os, socket, time
place = os.environ["WEB_SERVICE_HOST"], int(os.environ["WEB_SERVICE_PORT"])
for attempt in range(50):
    try:
        with socket.create_connection(place, 5) as one:
            answer = "connected"
    except ConnectionRefusedError:
        answer = "refused"
        break
    except OSError as error:
        answer = str(error)
    time.sleep(0.2)
print(answer)
"""


def test_a_service_without_pods_refuses_connections(ns: Namespace) -> None:
    # Who calls it can tell that nothing has arrived anywhere.
    ns.create("services", service("web", port=8000))
    assert ns.output(pod("caller", container(ns.image, python(REFUSED)))) == "refused\n"


CALLER = """
import os, time, urllib.request
base = f"http://{os.environ['WEB_SERVICE_HOST']}:{os.environ['WEB_SERVICE_PORT']}"
for attempt in range(100):
    try:
        print(urllib.request.urlopen(base + "/from-within", timeout=2).read().decode())
        break
    except OSError as failed:
        last = failed
        time.sleep(0.2)
else:
    raise SystemExit(f"{base}: {last}")
"""


def test_a_service_is_found_by_its_variables(ns: Namespace) -> None:
    address = ns.create("services", service("web", port=8000))["spec"]["clusterIP"]
    ns.create("services", service("other-name", port=9000))
    out = ns.output(
        pod("env", container(ns.image, python("import os, json; print(json.dumps(dict(os.environ)))")))
    )
    env = json.loads(out)
    assert env["WEB_SERVICE_HOST"] == address
    assert env["WEB_SERVICE_PORT"] == "8000"
    assert env["WEB_SERVICE_PORT_HTTP"] == "8000"
    assert env["WEB_PORT"] == f"tcp://{address}:8000"
    assert env["WEB_PORT_8000_TCP_ADDR"] == address
    assert env["OTHER_NAME_SERVICE_PORT"] == "9000"
    assert env["KUBERNETES_SERVICE_HOST"]
    off = pod("off", container(ns.image, sh("echo ${WEB_SERVICE_HOST:-none}")), enableServiceLinks=False)
    assert ns.output(off) == "none\n"


def test_a_service_is_reached_from_a_pod(ns: Namespace) -> None:
    ns.create("services", service("web", port=8000))
    ns.create("pods", pod("web", server(ns.image)))
    ns.pod_ready("web")
    out = ns.output(pod("caller", container(ns.image, python(CALLER))))
    assert '"path": "/from-within"' in out
    assert '"pod": "web"' in out
