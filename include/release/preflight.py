"""Will the cluster take this release? Asked of its API server before anything is changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from include.release.applying import Outcome, apply_object
from include.release.diff import difference
from include.release.environments import Environment
from include.release.frozen import Frozen
from include.release.jobs import LABEL_MIGRATION, job_for
from include.release.kube import Cluster, KubeError
from include.release.problems import Problem, RejectedError


def connection_problem(environment: Environment, error: KubeError, address: str) -> RejectedError:
    """What to tell when the cluster is down or refuses."""
    where = f"connection {environment.connection}"
    if error.unreachable:
        expected, fix = (
            "a Kubernetes API server that answers",
            "is the cluster up? does the connection name the right one?",
        )
    elif error.status == 401:
        expected, fix = (
            "credentials that the cluster accepts",
            "renew the token or certificate in the connection's kubeconfig",
        )
    elif error.status == 403:
        expected = "credentials that may do this"
        fix = f"give the connection's user a Role in namespace {environment.namespace}"
    else:
        expected, fix = "an answer", "ask whoever runs the cluster"
    found = f"{address}: {error}" if address and address not in str(error) else str(error)
    problem = Problem(where, "", found, expected, fix)
    return RejectedError([problem], subject=f"the cluster of {environment.name}")


@dataclass(frozen=True)
class Change:
    """What would become of one object. ``diff`` is empty when it stays as it is."""

    kind: str
    name: str
    outcome: Outcome
    diff: str


@dataclass
class Answers:
    """What the API server says to every object."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


def check_cluster(cluster: Cluster, frozen: Frozen, run: str = "", *, rollback: bool = False) -> Answers:
    """Ask the API server about every object, without a change.

    Args:
        cluster: where.
        frozen: the objects.
        run: who would bring them.
        rollback: fields that somebody changed by hand are no problem then, and no migration is applied.

    Raises:
        RejectedError: with every problem that it names.
        KubeError: it is down or refuses the caller.
    """
    namespace = frozen.environment.namespace
    found = cluster.get("Namespace", None, namespace)
    phase = (found or {}).get("status", {}).get("phase", "Active")
    if found is None or phase != "Active":
        state = "absent" if found is None else phase
        where, fix = f"cluster {cluster.address}", f"create it: kubectl create namespace {namespace}"
        problem = Problem(where, f"namespace {namespace}", state, "an active namespace", fix)
        raise RejectedError([problem], subject=f"the cluster of {frozen.environment.name}")
    answers = Answers([*_missing_secrets(cluster, frozen), *_missing_claims(cluster, frozen)])
    for manifest in everything(frozen, with_jobs=not rollback):
        _try_object(cluster, manifest, frozen, run, answers, rollback=rollback)
    if answers.problems:
        raise RejectedError(answers.problems, subject=f"{frozen.title}, says the cluster")
    return answers


def everything(frozen: Frozen, *, with_jobs: bool) -> list[dict[str, Any]]:
    """Every object of the release: ConfigMaps, objects, migration Jobs."""
    steps = frozen.release.steps if with_jobs else []
    return [*frozen.config_maps, *frozen.objects, *(job_for(frozen, step, "check") for step in steps)]


def grouped(warnings: list[tuple[str, str]]) -> list[str]:
    """Each warning once, with the first object that it is about and how many more there are."""
    about: dict[str, list[str]] = {}
    for text, name in warnings:
        about.setdefault(text, []).append(name)
    return [
        f"{text} ({names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''})"
        for text, names in about.items()
    ]


def _try_object(
    cluster: Cluster,
    manifest: dict[str, Any],
    frozen: Frozen,
    run: str,
    answers: Answers,
    *,
    rollback: bool,
) -> None:
    namespace, kind, name = frozen.environment.namespace, manifest["kind"], manifest["metadata"]["name"]
    shown = _shown(manifest)
    change: Literal["release", "rollback"] = "rollback" if rollback else "release"
    force = rollback or frozen.environment.take_over_fields
    there = False
    try:
        # Creating validates every field and value; of what exists already it says so only then.
        created = cluster.create(manifest, namespace, dry_run=True)
        answers.warnings += [(text, shown) for text in created.warnings]
    except KubeError as error:
        there = error.reason == "AlreadyExists"
        if not there:
            answers.problems.extend(_refusals(error, shown, frozen))
            return
    if kind == "Job":
        return
    if kind == "ConfigMap":  # immutable and named by its content
        diff = "" if there else difference(None, manifest, change=change)
        answers.changes.append(Change(kind, name, "unchanged" if there else "created", diff))
        return
    try:
        applied = apply_object(cluster, manifest, frozen, run, dry_run=True, force=force, change=change)
    except KubeError as error:
        answers.problems.extend(_refusals(error, shown, frozen))
    else:
        answers.changes.append(Change(kind, name, applied.outcome, applied.diff))


def _shown(manifest: dict[str, Any]) -> str:
    """How texts name an object."""
    if manifest["kind"] == "Job":
        return f"Job of migration {manifest['metadata']['labels'][LABEL_MIGRATION]}"
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def _refusals(error: KubeError, name: str, frozen: Frozen) -> list[Problem]:
    if error.unreachable or (error.status in (401, 403) and "exceeded quota" not in error.message):
        raise error
    where = frozen.source
    if error.reason == "Conflict" and error.causes:
        fix = "if it should stay, write it into the spec; else give the field up there; take_over_fields takes it"
        return [
            Problem(
                where,
                f"{name} {cause.get('field', '')}",
                cause.get("message", ""),
                "a field that only releases set",
                fix,
            )
            for cause in error.causes
        ]
    if error.causes:
        return [
            Problem(
                where,
                f"{name} {cause.get('field', '')}",
                cause.get("message", ""),
                "a value that Kubernetes accepts",
            )
            for cause in error.causes
        ]
    return [Problem(where, name, error.message, "an object that Kubernetes accepts")]


def _missing_secrets(cluster: Cluster, frozen: Frozen) -> list[Problem]:
    namespace, problems = frozen.environment.namespace, []
    for reference in frozen.release.configuration.secrets:
        found = cluster.get("Secret", namespace, reference.name)
        keys = (found or {}).get("data") or {}
        missing = [key for key in reference.keys if key not in keys]
        if found is None or missing:
            state = "absent" if found is None else f"without {', '.join(missing)}"
            expected, fix = (
                f"a Secret with {', '.join(reference.keys)}",
                "create it; a release only refers to it",
            )
            problems.append(
                Problem(f"namespace {namespace}", f"Secret {reference.name}", state, expected, fix)
            )
    return problems


def _missing_claims(cluster: Cluster, frozen: Frozen) -> list[Problem]:
    namespace, problems = frozen.environment.namespace, []
    for name in frozen.release.configuration.claims:
        if cluster.get("PersistentVolumeClaim", namespace, name) is None:
            expected = "a claim that the release can use"
            problems.append(
                Problem(
                    f"namespace {namespace}", f"PersistentVolumeClaim {name}", "absent", expected, "create it"
                )
            )
    return problems
