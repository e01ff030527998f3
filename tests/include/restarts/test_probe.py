"""Asking the upstream from inside the cluster: through a Service, or by a command in a Job."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from include.release.kube import Cluster, KubeError, Reply
from include.restarts.guards import Guard, Probe
from include.restarts.probe import ask_upstream, probe_job
from tests.include.restarts.pressing import deployment

SERVER = (
    "import http.server,os\n"
    "class H(http.server.BaseHTTPRequestHandler):\n"
    "  def do_GET(self):\n"
    "    self.send_response(500 if 'bad' in self.path else 200); self.end_headers(); self.wfile.write(b'token=s3cr3t')\n"
    "http.server.ThreadingHTTPServer((os.environ['POD_IP'], 8000), H).serve_forever()\n"
)


def guard(**probe: Any) -> Guard:
    return Guard(name="web", title="t", environment="payments", deployment="web", upstream=Probe(**probe))


def via_service(path: str = "/", service: str = "gateway", port: int = 8000) -> Guard:
    return guard(kind="service", service=service, port=port, path=path)


@pytest.fixture(scope="module")
def town(cluster: Any) -> Iterator[tuple[Cluster, str]]:
    """A namespace with an upstream that answers, and a Service with nobody behind it."""
    from tests.standin import make_namespace

    client, name = cluster.connect(), "probe-tests"
    make_namespace(client, name)
    for service, app in (("gateway", "gateway"), ("deserted", "nobody")):
        spec = {"selector": {"app": app}, "ports": [{"port": 8000}]}
        client.create(
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": service}, "spec": spec}, name
        )
    made = deployment("gateway", 1)
    pod = made["spec"]["template"]["spec"]
    del pod["schedulingGates"]
    address = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    pod["containers"][0] |= {
        "image": "standin.local/python:3",
        "command": ["python3", "-c", SERVER],
        "env": [address, {"name": "WORD", "value": "of the guarded container"}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1},
    }
    pod["terminationGracePeriodSeconds"] = 1
    client.create(made, name)
    deadline = time.monotonic() + 60
    while not ((client.get("Deployment", name, "gateway") or {}).get("status") or {}).get(
        "availableReplicas"
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    yield client, name
    client.delete("Namespace", "", name)


def ask(town: tuple[Cluster, str], asked: Guard, by: str = "run-1") -> Any:
    client, namespace = town
    return ask_upstream(client, namespace, asked, client.get("Deployment", namespace, "gateway"), by)


def test_an_upstream_that_answers_is_up(town):
    found = ask(town, via_service("/ping"))
    assert (found.state, found.text) == ("up", "gateway:8000/ping answers (200)")


def test_an_upstream_that_answers_with_an_error_is_down_and_its_words_are_shown_without_secrets(town):
    found = ask(town, via_service("/bad"))
    assert found.state == "down"
    assert found.text == "gateway:8000/bad answers with an error (500): token=***"


def test_a_service_with_nobody_behind_it_is_down(town):
    found = ask(town, via_service(service="deserted"))
    assert found.state == "down"
    assert "no endpoints available" in found.text


def test_a_service_that_there_is_not_proves_nothing(town):
    found = ask(town, via_service(service="no-such"))
    assert found.state == "unknown"
    assert "could not be asked" in found.text


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (Reply(403, "forbidden", by_server=True), "unknown"),
        (Reply(504, "no answer within 10 s", by_server=True), "down"),
        (Reply(503, "connect: connection refused", by_server=True), "down"),
        (Reply(500, "dial tcp: no route to host", by_server=True), "down"),
        (Reply(400, "bad request", by_server=True), "unknown"),
        (Reply(404, "no such page"), "unknown"),  # it answers: the path of the guard is wrong
        (Reply(403, "log in first"), "unknown"),
        (Reply(429, "not so fast"), "unknown"),
        (Reply(502, "bad gateway"), "down"),
        (Reply(302, ""), "up"),
    ],
)
def test_what_comes_from_the_api_server_is_told_from_what_the_upstream_says(reply, state):
    class Cluster:
        def ask_service(self, *_: Any, **__: Any) -> Reply:
            return reply

    assert ask_upstream(Cluster(), "sre", via_service(), None, "run-1").state == state  # type: ignore[arg-type]


def test_an_api_server_that_does_not_answer_is_an_error():
    class Down:
        def ask_service(self, *_: Any, **__: Any) -> Reply:
            raise KubeError(0, "refused", "GET")

    with pytest.raises(KubeError):
        ask_upstream(Down(), "sre", via_service(), None, "run-1")  # type: ignore[arg-type]


def command(*words: str) -> Guard:
    return guard(kind="job", command=["python3", "-c", *words], timeout_seconds=20)


def test_a_job_asks_in_the_environment_of_the_guarded_container(town):
    asked = command("import os; assert os.environ['WORD'] == 'of the guarded container'")
    assert ask(town, asked).state == "up"
    again = ask(town, asked)  # the same run: its Job is taken up, not a second one started
    client, namespace = town
    assert again.state == "up"
    assert len(client.list("Job", namespace, labels="plan-reduce-repeat/probe=web")) == 1


def test_the_answer_of_a_job_from_long_ago_is_not_taken_for_one_of_now(town, monkeypatch):
    """The task was cut off, its DAG was paused, and a day later it is tried again."""
    client, namespace = town
    asked = command("import os; assert os.environ['WORD']")
    labels = "plan-reduce-repeat/probe=web"

    def jobs() -> set[str]:
        return {each["metadata"]["name"] for each in client.list("Job", namespace, labels=labels)}

    ask(town, asked, by="run-3")
    before = jobs()
    read, looks = Cluster.get, []

    def once(self: Cluster, kind: str, *args: Any) -> Any:
        found = read(self, kind, *args)
        if kind == "Job" and not looks:
            looks.append(found["metadata"]["name"])
            found["metadata"]["creationTimestamp"] = "2026-11-20T09:00:00Z"
        return found

    monkeypatch.setattr(Cluster, "get", once)
    assert ask(town, asked, by="run-3").state == "up"
    assert len(jobs() - before) == 1


def test_a_job_that_fails_says_its_last_words(town):
    found = ask(town, command("import sys; print('password=s3cr3t refused'); sys.exit(3)"), by="run-2")
    assert found.state == "down"
    assert "exit code 3" in found.text
    assert found.text.endswith(": password=*** refused")


def test_the_job_has_nothing_of_the_service_but_what_it_needs():
    source = deployment("web")
    pod = source["spec"]["template"]["spec"]
    pod["containers"][0] |= {"livenessProbe": {}, "ports": [{"containerPort": 1}], "env": [{"name": "A"}]}
    pod["volumes"] = [{"name": "v"}]
    asked = command("pass")
    assert asked.upstream is not None
    job = probe_job("sre", asked, asked.upstream, source, "run-1")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert set(container) == {"name", "image", "env", "command"}
    assert "schedulingGates" not in job["spec"]["template"]["spec"]
    assert "app" not in job["spec"]["template"]["metadata"]["labels"]  # no Service may find it
    assert job["spec"]["backoffLimit"] == 0


JOB = {"metadata": {"name": "probe"}, "status": {}}
START, END = "2026-11-21T09:00:00Z", "2026-11-21T09:00:01Z"


def pod(ended: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    """The probe's pod, beside whose container something has put another one."""
    beside = {"name": "mesh", "state": {"terminated": {"exitCode": 7, "startedAt": START, "reason": "Error"}}}
    own = {"name": "probe", "state": {"terminated": ended} if ended else status.pop("state", {})}
    return {"metadata": {"name": "probe-x"}, "status": {"containerStatuses": [beside, own], **status}}


class Scripted:
    """An API server on which a Job goes through these states, one for each look; the last one stays."""

    def __init__(self, *looks: tuple[dict[str, Any] | None, list[dict[str, Any]]]) -> None:
        self.looks = list(looks)

    def create(self, *_: Any) -> None:
        pass

    def get(self, *_: Any) -> Any:
        return self.looks[0][0]

    def list(self, *_: Any, **__: Any) -> Any:
        return (self.looks.pop(0) if len(self.looks) > 1 else self.looks[0])[1]

    def log(self, *_: Any, **__: Any) -> str:
        return "last words"


def failed(reason: str = "DeadlineExceeded") -> dict[str, Any]:
    condition = {"type": "Failed", "status": "True", "reason": reason, "message": "it failed"}
    return {**JOB, "status": {"conditions": [condition]}}


def ask_scripted(*looks: Any, timeout: int = 1) -> Any:
    asked = guard(kind="job", command=["ask"], timeout_seconds=timeout)
    return ask_upstream(Scripted(*looks), "sre", asked, deployment("web"), "run-1")  # type: ignore[arg-type]


def terminated(code: int, reason: str = "Error", started: str = START, ended: str = END, **more: Any) -> Any:
    return {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": ended, **more}


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (
            pod(
                terminated(
                    128, "StartError", "1970-01-01T00:00:00Z", message='exec: "ask": not found, token=s3cr3t'
                )
            ),
            'exit code 128 (StartError): exec: "ask": not found, token=***',
        ),
        (pod(terminated(127, "ContainerCannotRun", message="no such file")), "no such file"),
        (pod(terminated(127)), "exit code 127"),
        (pod(terminated(126)), "exit code 126"),
        (pod(terminated(137, "OOMKilled")), "exit code 137 (OOMKilled)"),
        (pod(terminated(137), reason="Evicted", message="the node was low on memory"), "Evicted"),
        (pod(terminated(1), reason="Evicted"), "Evicted"),
        (pod(terminated(143, ended=START)), "exit code 143"),
        (pod(terminated(137, "ContainerStatusUnknown", "", "")), "ContainerStatusUnknown"),
    ],
    ids=["no command", "cannot run", "not in the image", "not executable", "memory", "evicted", "told to end by it",
         "killed", "lost"],
)  # fmt: skip
def test_a_probe_that_could_not_ask_proves_nothing(shown, said):
    found = ask_scripted((failed("BackoffLimitExceeded"), [shown]))
    assert found.state == "unknown"
    assert said in found.text
    assert "s3cr3t" not in found.text


@pytest.mark.parametrize(
    ("pods", "said"),
    [
        ([], "DeadlineExceeded"),
        ([pod(state={"waiting": {"reason": "ContainerCreating"}})], "DeadlineExceeded"),
        (
            [pod(state={"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}})],
            "no such image",
        ),
    ],
    ids=["no pod", "a slow pull", "no image"],
)
def test_a_probe_that_was_never_started_proves_nothing(pods, said):
    found = ask_scripted((JOB, pods), (failed(), []))
    assert found.state == "unknown"
    assert said in found.text


def test_a_probe_that_ran_for_its_whole_time_has_no_answer_also_when_its_pod_is_gone():
    running = (JOB, [pod(state={"running": {"startedAt": START}})])
    assert ask_scripted(*[running] * 8, (failed(), [])).state == "down"
    assert ask_scripted(*[running] * 2, (failed(), [])).state == "unknown"


@pytest.mark.parametrize(("seconds", "state"), [(20, "down"), (5, "unknown")])
def test_a_probe_that_is_killed_at_the_end_of_its_time_has_no_answer(seconds, state):
    shown = pod(terminated(143, ended=f"2026-11-21T09:00:{seconds:02}Z"))
    found = ask_scripted((failed(), [shown]), timeout=10)
    assert found.state == state


def test_the_answer_is_that_of_the_probes_container_and_needs_no_end_of_those_beside_it():
    assert ask_scripted((JOB, [pod(terminated(0, "Completed"))])).state == "up"
    found = ask_scripted((JOB, [pod(terminated(3))]))
    assert found.state == "down"
    assert "exit code 3" in found.text
    assert found.text.endswith(": last words")


def test_no_probe_and_a_dry_run_start_nothing():
    plain = Guard(name="web", title="t", environment="payments", deployment="web")
    found = ask_upstream(None, "sre", plain, None, "run-1")  # type: ignore[arg-type]
    assert found.state == "unknown"
    dry = ask_upstream(None, "sre", command("x"), None, "run-1", dry_run=True)  # type: ignore[arg-type]
    assert dry.text == "A Job would ask: python3 -c x"


def test_an_upstream_that_never_answers_is_down_after_its_time_and_is_asked_once():
    import socket

    from kubernetes.client import ApiClient, Configuration

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        settings = Configuration()
        settings.host = f"http://127.0.0.1:{silent.getsockname()[1]}"
        asked = guard(kind="service", service="gateway", port=8000, timeout_seconds=1)
        started = time.monotonic()
        found = ask_upstream(Cluster(ApiClient(settings)), "sre", asked, None, "run-1")
        assert time.monotonic() - started < 1.8
    assert (found.state, found.text) == ("down", "gateway:8000/ does not answer: no answer within 1 s")
