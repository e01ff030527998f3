"""May the connection's user do all that a release and its rollback do? Asked before anything is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from include.release.frozen import Frozen
from include.release.kube import Cluster, group_and_plural
from include.release.manifests import KINDS
from include.release.problems import Problem, RejectedError
from include.release.texts import table

_READ = ("get", "list")


@dataclass(frozen=True)
class Need:
    """Verbs on one resource, and the tasks that use them."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    tasks: str
    subresource: str = ""

    @property
    def shown(self) -> str:
        """As a role names it: ``pods/log``, ``deployments.apps``."""
        name = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{name}/{self.subresource}" if self.subresource else name


def needs(frozen: Frozen) -> list[Need]:
    """What a release, its checks and its rollback do in the namespace."""
    brought = {manifest["kind"] for manifest in frozen.objects}
    found = [
        _need("ConfigMap", (*_READ, "create", "delete"), "preflight, configure, restore"),
        _need("Lease", ("get", "create", "update"), "lock"),
        _need("Job", (*_READ, "create", "patch", "delete"), "preflight, migrate, undo"),
        _need("Pod", (*_READ, "watch"), "migrate, rollout_check, smoke_check"),
        Need("", "pods", ("get",), "migrate, rollout_check", "log"),
        Need("", "pods", ("get",), "smoke_check, verify_build", "proxy"),
        _need("ReplicaSet", ("list",), "configure, rollout_check"),
        _need("Event", ("list",), "rollout_check"),
    ]
    for kind in KINDS:
        verbs: tuple[str, ...] = _READ
        if kind in brought:
            verbs = (*verbs, "create", "patch")
        if kind in brought and kind != "PersistentVolumeClaim":
            verbs = (*verbs, "delete")
        if kind == "Deployment":
            verbs = (*verbs, "watch")
        found.append(_need(kind, verbs, "preflight, deploy, restore"))
    if frozen.release.configuration.secrets:
        found.append(_need("Secret", ("get",), "preflight"))
    return found


def check_permissions(cluster: Cluster, frozen: Frozen) -> int:
    """Ask for every need; returns how many were asked for.

    Raises:
        RejectedError: with one table of all that is missing.
        KubeError: the cluster does not answer.
    """
    namespace = frozen.environment.namespace
    asked = needs(frozen)
    rows: list[tuple[str, str, str]] = []
    for need in asked:
        missing = [
            verb
            for verb in need.verbs
            if not cluster.may(verb, need.group, need.resource, namespace, need.subresource)
        ]
        if missing:
            rows.append((need.shown, ", ".join(missing), need.tasks))
    if rows:
        raise _refused(frozen, rows)
    return sum(len(need.verbs) for need in asked)


def _refused(frozen: Frozen, rows: list[tuple[str, str, str]]) -> RejectedError:
    namespace = frozen.environment.namespace
    verbs = sum(len(row[1].split(", ")) for row in rows)
    problem = Problem(
        f"connection {frozen.environment.connection}",
        f"namespace {namespace}",
        f"{verbs} permission{'s' if verbs != 1 else ''} missing\n"
        + "\n".join(
            f"            {line}" for line in table(("resource", "verbs", "used by"), rows).splitlines()
        ),
        "a user who may do all that the release and its rollback do",
        f"add these to a Role in namespace {namespace} that is bound to the connection's user",
        why="a rollback that is forbidden half-way is worse than a release that does not start",
    )
    return RejectedError([problem], subject=f"the permissions for {frozen.title}")


def _need(kind: str, verbs: tuple[str, ...], tasks: str, **more: Any) -> Need:
    group, plural = group_and_plural(kind)
    return Need(group, plural, verbs, tasks, **more)
