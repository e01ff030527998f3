"""A small client of the Kubernetes API: plain dicts in and out, errors that an operator understands.

Built on the ``ApiClient`` of the official Python client, which the caller connects (an Airflow hook does).
The package itself is not imported here: it costs over a second, and its error is known by its fields.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

import tenacity
import urllib3

from include.release.log_lines import LogLines

APPLY = "application/apply-patch+yaml"
JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
CONNECT_SECONDS, READ_SECONDS = 5, 30
LOG_BYTES = 256 * 1024  # of a log at most, unless a caller says otherwise

_PATHS = {
    "Namespace": ("/api/v1", "namespaces"),
    "Node": ("/api/v1", "nodes"),
    "Pod": ("/api/v1", "pods"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "Secret": ("/api/v1", "secrets"),
    "Service": ("/api/v1", "services"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "Event": ("/api/v1", "events"),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims"),
    "ResourceQuota": ("/api/v1", "resourcequotas"),
    "LimitRange": ("/api/v1", "limitranges"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "Job": ("/apis/batch/v1", "jobs"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "HorizontalPodAutoscaler": ("/apis/autoscaling/v2", "horizontalpodautoscalers"),
    "ScaledObject": ("/apis/keda.sh/v1alpha1", "scaledobjects"),
}


def path_of(kind: str, namespace: str | None = None, name: str | None = None, sub: str = "") -> str:
    """The path of a kind, an object or one of its subresources."""
    prefix, plural = _PATHS[kind]
    path = f"{prefix}/namespaces/{namespace}/{plural}" if namespace else f"{prefix}/{plural}"
    if name:
        path += f"/{quote(name, safe='')}"
    return f"{path}/{sub}" if sub else path


def group_and_plural(kind: str) -> tuple[str, str]:
    """API group (empty for the core) and plural of a kind, as roles name them."""
    prefix, plural = _PATHS[kind]
    return (prefix.split("/")[2] if prefix.startswith("/apis/") else ""), plural


Objects = list[dict[str, Any]]
Query = list[tuple[str, str]]


@dataclass
class KubeError(Exception):
    """The API server's refusal, or that it cannot be reached (``status`` 0)."""

    status: int
    message: str
    request: str
    reason: str = ""
    causes: list[dict[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        code = f" ({self.status} {self.reason})".replace(" )", ")") if self.status else ""
        return f"{self.request}: {self.message}{code}"

    @property
    def unreachable(self) -> bool:
        """No answer at all."""
        return self.status == 0

    @property
    def transient(self) -> bool:
        """Worth another try. A plain 500 is not: server-side apply answers it to an unknown field."""
        return self.status in (0, 429, 502, 503, 504)


class ApiClient(Protocol):
    """What is used of ``kubernetes.client.ApiClient``."""

    configuration: Any

    def call_api(self, resource_path: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Send one request."""


@dataclass(frozen=True)
class Answer:
    """An object as the server answered it, with its warnings."""

    object: dict[str, Any]
    warnings: list[str]


def error_of(status: int, body: bytes | str | None, request: str) -> KubeError:
    """The error that an answer carries."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body or ""
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = {}
    if not isinstance(parsed, dict) or parsed.get("kind") != "Status":
        return KubeError(status, text.strip()[:500] or "no message", request)
    causes = (parsed.get("details") or {}).get("causes") or []
    return KubeError(
        status, str(parsed.get("message", "")).strip(), request, str(parsed.get("reason", "")), causes
    )


@dataclass(frozen=True)
class Reply:
    """What came back through a Service.

    ``by_server`` is True when the API server answered itself: it found nobody behind the Service, or had no answer
    from there. ``status`` is its own then (403, 404, 502, 503, ...).
    """

    status: int
    text: str
    by_server: bool = False


class Cluster:
    """One cluster. Methods raise KubeError; reads answer None for what is not there."""

    def __init__(self, client: ApiClient, *, attempts: int = 4) -> None:
        self._client = client
        self._attempts = attempts
        # Requests are tried again here, or not at all: urllib3's own three tries would make a time limit four times as long.
        pools = getattr(getattr(client, "rest_client", None), "pool_manager", None)
        if pools is not None:
            pools.connection_pool_kw["retries"] = urllib3.Retry(None, connect=0, read=0, status=0, other=0)

    @property
    def address(self) -> str:
        """The API server's URL."""
        return str(self._client.configuration.host)

    def version(self) -> str:
        """The server's version, such as v1.36.2."""
        return str(self._json("GET", "/version")[0].get("gitVersion", "?"))

    def get(self, kind: str, namespace: str | None, name: str) -> dict[str, Any] | None:
        """The object, or None."""
        try:
            return self._json("GET", path_of(kind, namespace, name))[0]
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    def list(self, kind: str, namespace: str, *, labels: str = "", fields: str = "") -> Objects:
        """All objects of a kind that match the selectors."""
        query = [("labelSelector", labels), ("fieldSelector", fields)]
        found = self._json("GET", path_of(kind, namespace), query=[pair for pair in query if pair[1]])[0]
        items: Objects = found.get("items") or []
        return items

    def create(self, manifest: dict[str, Any], namespace: str, *, dry_run: bool = False) -> Answer:
        """Create an object; unknown fields are refused."""
        query = [("fieldValidation", "Strict"), ("fieldManager", "plan-reduce-repeat"), *_dry(dry_run)]
        return self._write("POST", path_of(manifest["kind"], namespace), query, manifest)

    def apply(
        self,
        manifest: dict[str, Any],
        namespace: str,
        *,
        manager: str,
        dry_run: bool = False,
        force: bool = False,
    ) -> Answer:
        """Server-side apply."""
        query = [("fieldManager", manager), ("force", "true" if force else "false"), *_dry(dry_run)]
        path = path_of(manifest["kind"], namespace, manifest["metadata"]["name"])
        return self._write("PATCH", path, query, manifest, APPLY)

    def replace(self, manifest: dict[str, Any], namespace: str) -> Answer:
        """Put an object in place of the one there is.

        With ``metadata.resourceVersion`` only when nobody has changed it since it was read: KubeError 409 otherwise.
        """
        query = [("fieldValidation", "Strict"), ("fieldManager", "plan-reduce-repeat")]
        path = path_of(manifest["kind"], namespace, manifest["metadata"]["name"])
        return self._write("PUT", path, query, manifest)

    def patch(
        self,
        kind: str,
        namespace: str,
        name: str,
        change: Objects | dict[str, Any],
        *,
        sub: str = "",
        dry_run: bool = False,
    ) -> Answer:
        """Change an object: a list is a JSON patch (KubeError 422 when a ``test`` fails), a dict a merge patch.

        ``sub`` is one of its subresources, such as ``status``.
        """
        content_type = MERGE_PATCH if isinstance(change, dict) else JSON_PATCH
        query = [("fieldManager", "plan-reduce-repeat"), *_dry(dry_run)]
        return self._write("PATCH", path_of(kind, namespace, name, sub), query, change, content_type)

    def may(self, verb: str, group: str, resource: str, namespace: str, subresource: str = "") -> bool:
        """Whether the connection's user may do this in a namespace (SelfSubjectAccessReview)."""
        wanted = {
            "verb": verb,
            "group": group,
            "resource": resource,
            "namespace": namespace,
            "subresource": subresource,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in wanted.items() if value}},
        }
        found, _ = self._json("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=body)
        return bool((found.get("status") or {}).get("allowed"))

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object with what it owns; nothing happens when it is gone."""
        try:
            self._json("DELETE", path_of(kind, namespace, name), body={"propagationPolicy": "Background"})
        except KubeError as error:
            if error.status != 404:
                raise

    def log(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        previous: bool = False,
        tail: int = 0,
        limit_bytes: int = LOG_BYTES,
    ) -> str:
        """A container's log, or its last ``tail`` lines: the beginning of it. Raises KubeError 400 when there is none yet."""
        query = [("container", container), ("limitBytes", str(limit_bytes))]
        query += [("previous", "true")] if previous else []
        query += [("tailLines", str(tail))] if tail else []
        raw = self._raw("GET", path_of("Pod", namespace, pod, "log"), query=query)
        return str(raw.data.decode("utf-8", "replace"))

    def follow_log(
        self, namespace: str, pod: str, container: str, *, timeout: float, since: str = ""
    ) -> Iterator[str]:
        """The lines of a container's log as they are written, stamped (see ``jobs.place``); ``timeout`` is of silence."""
        query = [("container", container), ("follow", "true"), ("timestamps", "true")]
        query += [("sinceTime", since)] if since else []
        raw = self._raw("GET", path_of("Pod", namespace, pod, "log"), query=query, read_seconds=timeout)
        lines = LogLines()
        try:
            for chunk in raw.stream(amt=None):
                yield from lines.feed(chunk)
        except urllib3.exceptions.HTTPError as error:
            raise KubeError(0, str(error), f"log of pod {pod}") from error
        finally:
            raw.release_conn()
        yield from lines.end()

    def ask_pod(self, namespace: str, pod: str, port: int, path: str) -> tuple[int, str]:
        """GET a path of a pod through the API server's proxy: HTTP status and body."""
        where, _, query = path.partition("?")
        url = path_of("Pod", namespace, f"{pod}:{port}", "proxy") + where
        pairs = [tuple(pair.partition("=")[::2]) for pair in query.split("&")] if query else []
        try:
            raw = self._raw("GET", url, query=pairs, retry=False, accept="*/*")
        except KubeError as error:
            if error.unreachable:
                raise
            return error.status, error.message
        return raw.status, raw.data.decode("utf-8", "replace")

    def ask_service(
        self,
        namespace: str,
        service: str,
        port: int,
        path: str,
        *,
        method: str = "GET",
        body: Any = None,
        timeout: float = READ_SECONDS,
    ) -> Reply:
        """One request through the API server's proxy of a Service; sent once. Raises KubeError when that is away."""
        where, _, query = path.partition("?")
        url = path_of("Service", namespace, f"{service}:{port}", "proxy") + where
        pairs = [tuple(pair.partition("=")[::2]) for pair in query.split("&")] if query else []
        options = {"query": pairs, "body": body, "retry": False, "accept": "*/*", "read_seconds": timeout}
        try:
            raw = self._raw(method, url, **options)
        except KubeError as error:
            if _waited(error):
                return Reply(504, f"no answer within {timeout:g} s", by_server=True)
            if error.unreachable:
                raise
            return Reply(error.status, error.message, by_server=bool(error.reason))
        return Reply(raw.status, raw.data.decode("utf-8", "replace"))

    def _write(
        self,
        method: str,
        path: str,
        query: Query,
        body: Any,
        content_type: str = "application/json",
    ) -> Answer:
        found, raw = self._json(method, path, query=query, body=body, content_type=content_type)
        warnings = [_warning_text(value) for value in raw.headers.getlist("Warning")]
        return Answer(found, warnings)

    def _json(self, method: str, path: str, **options: Any) -> tuple[dict[str, Any], Any]:
        raw = self._raw(method, path, **options)
        body = raw.data
        return (json.loads(body) if body else {}), raw

    def _raw(self, method: str, path: str, *, retry: bool = True, **options: Any) -> Any:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, KubeError) and error.transient),
            stop=tenacity.stop_after_attempt(self._attempts if retry else 1),
            wait=tenacity.wait_exponential(multiplier=0.3, max=3),
            reraise=True,
        )
        return retrying(self._once, method, path, **options)

    def _once(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        content_type: str = "application/json",
        read_seconds: float = READ_SECONDS,
        accept: str = "application/json, */*",
    ) -> Any:
        follow = ("follow", "true") in (query or [])
        request = f"{method} {path}"
        try:
            raw = self._client.call_api(
                path,
                method,
                query_params=query or [],
                header_params={"Accept": accept, "Content-Type": content_type},
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=(CONNECT_SECONDS, read_seconds),
            )
            if not follow:
                _ = raw.data  # read it, so that the connection goes back to the pool
        except urllib3.exceptions.HTTPError as error:
            raise KubeError(0, f"{self.address} does not answer: {_cause(error)}", request) from error
        except Exception as error:
            status = getattr(error, "status", None)
            if not isinstance(status, int):
                raise
            raise error_of(status, getattr(error, "body", ""), request) from error
        return raw


def _dry(dry_run: bool) -> Query:
    return [("dryRun", "All")] if dry_run else []


def _warning_text(header: str) -> str:
    """The text of ``299 - "text"``."""
    text = header.partition('"')[2].rpartition('"')[0]
    return text.replace('\\"', '"') or header


def _waited(error: KubeError) -> bool:
    """Whether the server took the request and gave no answer in time."""
    cause = error.__cause__
    return isinstance(getattr(cause, "reason", None) or cause, urllib3.exceptions.ReadTimeoutError)


def _cause(error: BaseException) -> str:
    """The part of urllib3's nested message that says what happened."""
    reason = getattr(error, "reason", None)
    text = str(reason or error)
    for part in ("Connection refused", "timed out", "Name or service not known", "certificate verify failed"):
        if part in text:
            return part.lower()
    return text.rpartition(": ")[2] if reason else text
