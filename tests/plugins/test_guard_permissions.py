"""The Role in docs/red-button.md allows every request that a guard and its re-arm send."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from include.release.kube import Cluster
from include.release.loading import PROJECT
from tests.plugins.guarded import UPSTREAM, Guards, service
from tests.plugins.test_rearm import begin, rearm

DOC = (PROJECT / "docs" / "red-button.md").read_text()
OBJECT = re.compile(
    r"^/(?:api/v1|apis/([^/]+)/[^/]+)/(?:namespaces/[^/]+/)?([a-z]+)(?:/([^/?]+))?(?:/(\w+))?"
)
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def allowed() -> set[tuple[str, str, str]]:
    """(group, resource, verb) of the Role."""
    text = re.search(r"## Permissions.*?```yaml\n(.*?)```", DOC, re.S)
    assert text is not None
    return {
        (group, resource, verb)
        for rule in yaml.safe_load(text[1])["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def asked(method: str, path: str) -> tuple[str, str, str]:
    found = OBJECT.match(path)
    assert found is not None, path
    group, resource, name, sub = found[1] or "", found[2], found[3], found[4]
    verb = VERBS.get(method, "get" if name else "list")
    return group, f"{resource}/{sub}" if sub else resource, verb


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str, str]]:
    """What was sent since."""
    sent: set[tuple[str, str, str]] = set()
    send = Cluster._raw

    def record(self: Cluster, method: str, path: str, **options: Any) -> Any:
        sent.add(asked(method, path))
        return send(self, method, path, **options)

    monkeypatch.setattr(Cluster, "_raw", record)
    return sent


def test_a_guard_and_its_re_arm_send_nothing_that_the_role_does_not_allow(guards: Guards, requests):
    guards.add(upstream=UPSTREAM)
    service(guards)
    guards.trip(message="")
    requests.clear()
    assert guards.whole().states["press"] == "success"
    assert rearm(begin(user="boss", force="a test")).states["restore"] == "success"
    cluster_wide = {("", "nodes", "list")}
    assert requests - allowed() - cluster_wide == set()
    for what in (
        ("apps", "deployments", "patch"),
        ("", "services/proxy", "get"),
        ("", "configmaps", "patch"),
    ):
        assert what in requests


def test_the_watch_is_allowed_what_it_lists_and_watches():
    from include.restarts.hub import Hub

    kinds = {each.kind for each in Hub(None, "sre").streams} - {"Node"}  # type: ignore[arg-type]
    plurals = {"Deployment": "deployments", "ReplicaSet": "replicasets", "Event": "events", "Pod": "pods"}
    assert set(plurals) == kinds
    for kind in kinds:
        group = "apps" if kind in ("Deployment", "ReplicaSet") else ""
        assert {(group, plurals[kind], "list"), (group, plurals[kind], "watch")} <= allowed()
