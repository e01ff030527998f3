"""A shop that is called over HTTP, through the API server's proxy of its Service: Airflow needs no way into the cluster."""

from __future__ import annotations

import json
from typing import Any

import tenacity

from include.payments.shop import Answer, ShopError, Step, read_answer
from include.release.kube import Cluster, KubeError, Reply
from include.release.problems import Problem
from include.restarts.redact import beginning, redact

ATTEMPTS = 3
UPCOMMERCE: dict[Step, str] = {
    "hold": "/queue/hold",
    "roll_back": "/queue/rollback",
    "release": "/queue/release",
    "state": "/queue",
}
"""Where the sample shop's queue is; see include/shop/README.md."""


class HttpShop:
    """Calls paths of one Service. Each call but ``state`` is a POST of JSON: reason, by, run, step.

    ``run`` names the run of the procedure that asks, and is the key by which the shop tells a repeated call.

    Args:
        cluster: where it is.
        namespace: its namespace.
        service: the Service's name and ``port``.
        paths: the path of each step.
        by: the guard.
        counts: every answer has to count payments (UpCommerce's do).
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        service: str,
        port: int,
        paths: dict[Step, str],
        *,
        by: str,
        timeout: float = 30,
        counts: bool = False,
    ) -> None:
        self.cluster, self.namespace, self.service, self.port = cluster, namespace, service, port
        self.paths, self.by, self.timeout, self.counts = paths, by, timeout, counts
        self.where = f"Service {service}:{port} in namespace {namespace}"

    def hold(self, reason: str, run: str) -> Answer:
        """Hold payments."""
        return self._ask("hold", {"reason": reason, "by": self.by, "run": run, "step": "hold"})

    def roll_back(self, reason: str, run: str) -> Answer:
        """Roll back those that wait."""
        return self._ask("roll_back", {"reason": reason, "by": self.by, "run": run, "step": "roll_back"})

    def release(self, run: str) -> Answer:
        """End the hold of a run."""
        return self._ask("release", {"by": self.by, "run": run, "step": "release"})

    def state(self) -> Answer:
        """Count payments."""
        return self._ask("state", None)

    def _ask(self, step: Step, body: dict[str, str] | None) -> Answer:
        # Safe to repeat, also when the first was done and only its answer lost: the run is the key.
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, ShopError) and error.transient),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_exponential(multiplier=0.3, max=2),
            reraise=True,
        )
        answer: Answer = retrying(self._once, step, body)
        return answer

    def _once(self, step: Step, body: dict[str, str] | None) -> Answer:
        path, method = self.paths[step], "GET" if body is None else "POST"
        request = f"{method} {path}"
        try:
            reply = self.cluster.ask_service(
                self.namespace, self.service, self.port, path, method=method, body=body, timeout=self.timeout
            )
        except KubeError as error:
            found = f"no answer to {request} within {self.timeout:g} s: {error.message}"
            raise self._error(
                "", found, "an answer", "look at the shop's pods and at the API server", True
            ) from None
        if not 200 <= reply.status < 300:
            raise self._refused(request, reply)
        return self._read(step, request, reply.text)

    def _read(self, step: Step, request: str, text: str) -> Answer:
        must = self.counts or step == "state"
        wanted = 'JSON such as {"states": {"held": {"payments": 3, "cents": 4500}}}'
        fix = f"is this the right Service? {request} has to answer so"
        try:
            value: Any = json.loads(text)
        except ValueError:
            if not must:
                return Answer()
            raise self._error("", f"{request} answered no JSON: {_short(text)}", wanted, fix) from None
        if not isinstance(value, dict):
            value = {"states": value} if must else {}
        if must and "states" not in value:
            raise self._error("states", f"{request} answered without it: {_short(text)}", wanted, fix)
        try:
            return read_answer(value)
        except ValueError as error:
            raise self._error("", f"{request} answered {error}", wanted, fix) from None

    def _refused(self, request: str, reply: Reply) -> ShopError:
        said = _said(reply.text)
        if reply.by_server and reply.status == 404:
            fix = "correct service: of the guard in guards.yaml, or install the shop"
            return self._error("", f"there is no such Service ({said})", "the Service of the shop", fix)
        if reply.by_server and reply.status in (401, 403):
            fix = (
                f"give the connection's user a Role with get and create on services/proxy in {self.namespace}"
            )
            return self._error("", said, "permission to call it through the API server", fix)
        if reply.status >= 500 or reply.status == 429:
            found = f"{request} answered {reply.status}: {said}"
            fix = "get the shop to run; the task tries again by itself, and can be cleared at any time"
            return self._error("", found, "a shop that answers", fix, True)
        if reply.status in (404, 405):
            found = f"{request} answered {reply.status}: {said}"
            fix = "correct the path, the service or the port in guards.yaml"
            return self._error("", found, "a path that the shop has", fix)
        return self._error(
            "", f"the shop refuses {request} with {reply.status}: {said}", "a 2xx answer", "see its log"
        )

    def _error(self, field: str, found: str, expected: str, fix: str, transient: bool = False) -> ShopError:
        # What a shop says goes into logs, XComs and messages.
        return ShopError(Problem(self.where, field, redact(found), expected, fix), transient=transient)


def _said(text: str) -> str:
    """The error in an answer, in one line."""
    try:
        value = json.loads(text)
    except ValueError:
        return _short(text)
    return _short(str(value["error"])) if isinstance(value, dict) and value.get("error") else _short(text)


def _short(text: str) -> str:
    return redact(" ".join(beginning(text).split()))[:200] or "nothing"
