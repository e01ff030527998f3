"""Small manifests and the programs that run in them. They need ``python3`` and ``sh`` in the image, nothing else."""

from __future__ import annotations

from typing import Any

from tests.conformance.kit.api import Object

IDLE = "import signal,sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); print('up', flush=True); signal.pause()"

# Answers with its own name, address and the request; listens on $POD_IP alone, as programs must that share a host.
SERVER = """
import http.server, os, signal, sys, json
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def reply(self):
        size = int(self.headers.get("Content-Length") or 0)
        sent = self.rfile.read(size).decode()
        code = int(self.path.rsplit("/", 1)[-1]) if self.path.startswith("/status/") else 200
        answer = {"pod": os.environ.get("POD_NAME"), "version": os.environ.get("VERSION"), "method": self.command,
                  "path": self.path, "body": sent, "header": self.headers.get("X-Probe")}
        data = b"" if code == 204 else json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Served-By", os.environ.get("POD_NAME", ""))
        self.end_headers()
        self.wfile.write(data)
        print(self.command, self.path, flush=True)
    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = reply
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer((os.environ["POD_IP"], int(os.environ.get("PORT", "8080"))), Handler)
print("listening", flush=True)
server.serve_forever()
"""


# Asks for more than any node has: a pod with such a container stays Pending.
HELD = {"resources": {"requests": {"cpu": "100k"}}}


def python(code: str) -> list[str]:
    """The command that runs a Python program."""
    return ["python3", "-c", code]


def sh(script: str) -> list[str]:
    """The command that runs a shell script."""
    return ["sh", "-c", script]


def field_env(name: str, path: str) -> Object:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


POD_ENV = [field_env("POD_IP", "status.podIP"), field_env("POD_NAME", "metadata.name")]


def container(image: str, command: list[str], name: str = "main", **fields: Any) -> Object:
    return {"name": name, "image": image, "imagePullPolicy": "IfNotPresent", "command": command, **fields}


def pod_spec(*containers: Object, **fields: Any) -> Object:
    return {
        "terminationGracePeriodSeconds": 5,
        "automountServiceAccountToken": False,
        "containers": list(containers),
        **fields,
    }


def pod(name: str, *containers: Object, labels: dict[str, str] | None = None, **spec: Any) -> Object:
    """A pod that is not started again when it ends, unless ``restartPolicy`` says so."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {"app": name}},
        "spec": pod_spec(*containers, **{"restartPolicy": "Never", **spec}),
    }


def server(image: str, port: int = 8080, version: str = "1", **fields: Any) -> Object:
    """A container with an HTTP server and a quick readiness probe."""
    return container(
        image,
        python(SERVER),
        env=[*POD_ENV, {"name": "PORT", "value": str(port)}, {"name": "VERSION", "value": version}],
        ports=[{"name": "http", "containerPort": port}],
        **{
            "readinessProbe": {
                "httpGet": {"path": "/ready", "port": port},
                "periodSeconds": 1,
                "failureThreshold": 2,
            },
            **fields,
        },
    )


def deployment(
    name: str, *containers: Object, replicas: int = 1, pod_fields: Any = None, **spec: Any
) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": pod_spec(*containers, **(pod_fields or {})),
            },
            **spec,
        },
    }


def job(name: str, *containers: Object, restart: str = "Never", **spec: Any) -> Object:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"template": {"spec": pod_spec(*containers, restartPolicy=restart)}, **spec},
    }


def service(name: str, port: int = 80, target: Any = 8080, app: str = "", **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": {"app": app or name}},
        "spec": {
            "selector": {"app": app or name},
            "ports": [{"name": "http", "port": port, "targetPort": target}],
            **spec,
        },
    }


def configmap(name: str, data: dict[str, str] | None = None, **fields: Any) -> Object:
    metadata = {"name": name, **fields.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data or {}, **fields}
