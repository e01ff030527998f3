"""What a guard's user must be allowed is asked for before there is anything to press."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.release.environments import Environments
from include.release.kube import Cluster, KubeError
from include.release.loading import Sources
from include.restarts.allowed import not_allowed
from include.restarts.guards import Guard, Guards
from include.restarts.liveness import Dag
from include.restarts.surveying import look_at, survey
from tests.standin import Standin


def of(cluster: Standin, path: Path, role: str, namespace: str) -> Cluster:
    """A connection of a user with this role in this namespace only."""
    return Standin(cluster.user(f"guard-{role}", role, path, namespace)).connect()


def test_who_may_edit_may_press(cluster: Standin, namespace: str, tmp_path: Path) -> None:
    assert not_allowed(of(cluster, tmp_path / "editor", "edit", namespace), namespace, namespace) == ""


def test_all_that_is_missing_is_named_at_once(cluster: Standin, namespace: str, tmp_path: Path) -> None:
    text = not_allowed(of(cluster, tmp_path / "viewer", "view", namespace), namespace, namespace)
    assert text == (
        f"the connection's user lacks create, update, patch on configmaps in namespace {namespace}; patch on "
        f"deployments in namespace {namespace} (docs/red-button.md, Permissions, has the Role)"
    )


def test_where_the_guards_of_a_cluster_meet_is_asked_for_too(
    cluster: Standin, namespace: str, tmp_path: Path
) -> None:
    text = not_allowed(of(cluster, tmp_path / "editor", "edit", namespace), namespace, "default")
    assert text.startswith(
        "the connection's user lacks get, create, patch on configmaps in namespace default ("
    )


def test_the_look_at_a_guard_has_what_is_missing(cluster: Standin, namespace: str, tmp_path: Path) -> None:
    """The second guard's environment is another namespace than where the guards of the cluster meet."""
    places = Sources.from_environment().environments()
    (place,) = [each for each in places.environments if each.name == "payments"]
    both = [
        place.model_copy(update={"namespace": "default"}),
        place.model_copy(update={"name": "second", "namespace": namespace}),
    ]
    guards = [
        Guard(name=name, title="t", environment=environment, deployment="d")
        for name, environment in (("first", "payments"), ("second", "second"))
    ]
    user = of(cluster, tmp_path / "editor", "edit", namespace)
    seen = survey(Guards(guards=guards), Environments(environments=both), lambda _: user)
    assert look_at(guards[1], seen, Dag()).denied.startswith(
        "the connection's user lacks get, create, patch on configmaps in namespace default"
    )


def test_a_cluster_in_which_nobody_may_ask_is_not_called_a_refusal(
    cluster: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: str) -> bool:
        raise KubeError(403, "no", "POST selfsubjectaccessreviews")

    monkeypatch.setattr(Cluster, "may", refused)
    assert not_allowed(cluster.connect(), "a", "b") == ""
