"""The proxy to pods and services: any method, streams both ways, each request once, Kubernetes' words for failures."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.include.cluster.http.serving import Cluster

HOST = "127.0.0.1"


class _Echo(BaseHTTPRequestHandler):
    """Answers with what it got."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        seen = f"{self.command} {self.path} {body} auth={self.headers.get('Authorization')}"
        self.send_response(302 if self.path.startswith("/moved") else 207)
        if self.path.startswith("/moved"):
            self.send_header("Location", "/there?x=1")
        self.send_header("X-Seen-Host", self.headers["Host"])
        self.send_header("Content-Length", str(len(seen)))
        self.end_headers()
        self.wfile.write(seen.encode())

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _answer  # noqa: N815

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def _backend() -> Iterator[int]:
    server = ThreadingHTTPServer((HOST, 0), _Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _tcp(serve: Callable[[socket.socket], None]) -> Iterator[tuple[int, list[int]]]:
    """A server that does with each connection what it is told; the list holds how many there were."""
    listener = socket.create_server((HOST, 0))
    count = [0]

    def run() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            count[0] += 1
            connection.recv(65536)
            serve(connection)
            connection.close()

    threading.Thread(target=run, daemon=True).start()
    try:
        yield listener.getsockname()[1], count
    finally:
        listener.close()


def _pod(cluster: Cluster, name: str, port: int, *, ready: bool = True) -> None:
    """A pod that claims to run at the backend's address."""
    registry = cluster.server.registry
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    status = {"phase": "Running", "podIP": HOST, "conditions": conditions}

    def make() -> None:
        if registry.find("serviceaccounts", "default", "default") is None:
            registry.create("serviceaccounts", "default", {"metadata": {"name": "default"}})
        container = {"name": "c", "image": "x:1", "ports": [{"name": "http", "containerPort": port}]}
        pod = {"metadata": {"name": name, "labels": {"app": "x"}}, "spec": {"containers": [container]}}
        registry.create("pods", "default", pod)
        registry.edit(
            "pods", "default", name, lambda obj: obj.update(status=status), manager="t", subresource="status"
        )

    cluster.run(make)


def _service(cluster: Cluster) -> None:
    spec = {"selector": {"app": "x"}, "ports": [{"name": "web", "port": 80, "targetPort": "http"}]}
    cluster.run(
        lambda: cluster.server.registry.create(
            "services", "default", {"metadata": {"name": "s"}, "spec": spec}
        )
    )


def test_a_pod_is_reached_with_method_path_query_and_body(cluster: Cluster) -> None:
    with _backend() as port:
        _pod(cluster, "proxy-1", port)
        path = f"/api/v1/namespaces/default/pods/proxy-1:{port}/proxy/a%2Fb/?q=1&q=%20"
        found = cluster.ask("POST", path, "hello", {"Content-Type": "text/plain"})
        assert (found.code, found.text) == (207, "POST /a%2Fb/?q=1&q=%20 hello auth=None")
        assert found.all("X-Seen-Host") == [f"{HOST}:{port}"]
        moved = cluster.ask("GET", "/api/v1/namespaces/default/pods/proxy-1/proxy/moved")
        assert moved.all("Location") == ["/api/v1/namespaces/default/pods/proxy-1/proxy/there?x=1"]


def test_a_service_is_reached_by_port_number_and_name(cluster: Cluster) -> None:
    with _backend() as port:
        _pod(cluster, "p", port)
        _service(cluster)
        for name in ("s:80", "s:web", "http:s:web"):
            assert cluster.ask("GET", f"/api/v1/namespaces/default/services/{name}/proxy/x").code == 207
        # A port that has a name is not meant by none.
        assert cluster.ask("GET", "/api/v1/namespaces/default/services/s/proxy/x").code == 503
        wrong = cluster.ask("GET", "/api/v1/namespaces/default/services/s:81/proxy/x")
        assert wrong.json["message"] == 'no service port 81 found for service "s"'


def test_a_service_without_a_ready_pod_is_unavailable(cluster: Cluster) -> None:
    _pod(cluster, "p", 1, ready=False)
    _service(cluster)
    found = cluster.ask("GET", "/api/v1/namespaces/default/services/s/proxy/")
    assert (found.code, found.json["reason"]) == (503, "ServiceUnavailable")
    assert found.json["message"] == 'no endpoints available for service "s"'


def test_a_pod_that_does_not_listen_is_refused_in_words(cluster: Cluster) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
    _pod(cluster, "p", port)
    found = cluster.ask("GET", "/api/v1/namespaces/default/pods/p/proxy/")
    assert found.code == 503
    expected = f"error trying to reach service: dial tcp {HOST}:{port}: connect: connection refused"
    assert found.json["message"] == expected


def test_a_request_without_an_answer_is_not_sent_again(cluster: Cluster) -> None:
    with _tcp(lambda connection: None) as (port, count):
        _pod(cluster, "p", port)
        for method in ("GET", "POST"):
            found = cluster.ask(
                method, "/api/v1/namespaces/default/pods/p/proxy/", "x" if method == "POST" else None
            )
            assert (found.code, found.json["message"]) == (503, "error trying to reach service: EOF")
        assert count == [2]


def test_an_answer_that_breaks_off_does_not_look_whole(cluster: Cluster) -> None:
    def half(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    with _tcp(half) as (port, _):
        _pod(cluster, "p", port)
        try:
            cluster.ask("GET", "/api/v1/namespaces/default/pods/p/proxy/")
        except Exception as error:  # http.client names it in several ways
            assert "Incomplete" in type(error).__name__ or isinstance(error, OSError)
        else:
            raise AssertionError("half an answer was taken for a whole one")
