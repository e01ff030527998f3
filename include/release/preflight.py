"""Will the cluster take this release? Asked of its API server before anything is changed."""

from __future__ import annotations

from typing import Any

from include.release.environments import Environment
from include.release.frozen import FIELD_MANAGER, Frozen
from include.release.jobs import job_for
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


def check_cluster(cluster: Cluster, frozen: Frozen) -> list[str]:
    """Ask the API server about every object, without a change; returns its warnings.

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
    problems = [*_missing_secrets(cluster, frozen), *_missing_claims(cluster, frozen)]
    warnings: list[tuple[str, str]] = []
    for name, manifest in everything(frozen):
        _try_object(cluster, name, manifest, frozen, problems, warnings)
    if problems:
        raise RejectedError(problems, subject=f"{frozen.title}, says the cluster")
    return grouped(warnings)


def everything(frozen: Frozen) -> list[tuple[str, dict[str, Any]]]:
    """Every object of the release with how texts name it: ConfigMaps, migration Jobs, objects."""
    steps = frozen.release.migrations.steps if frozen.release.migrations else []
    jobs = [(f"Job of migration {step.id}", job_for(frozen, step, "check")) for step in steps]
    named = [
        (f"{each['kind']} {each['metadata']['name']}", each)
        for each in (*frozen.config_maps, *frozen.objects)
    ]
    return [*named, *jobs]


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
    name: str,
    manifest: dict[str, Any],
    frozen: Frozen,
    problems: list[Problem],
    warnings: list[tuple[str, str]],
) -> None:
    namespace = frozen.environment.namespace
    try:
        # Creating validates every field and value; of what exists already it says so only then.
        warnings += [(text, name) for text in cluster.create(manifest, namespace, dry_run=True).warnings]
    except KubeError as error:
        if error.reason != "AlreadyExists":
            problems.extend(_refusals(error, name, frozen))
            return
    if manifest["kind"] == "Job":
        return
    force = frozen.environment.take_over_fields
    try:
        cluster.apply(manifest, namespace, manager=FIELD_MANAGER, dry_run=True, force=force)
    except KubeError as error:
        problems.extend(_refusals(error, name, frozen))


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
