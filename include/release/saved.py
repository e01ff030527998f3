"""The state to roll back to: what a change found before it began, kept as an immutable ConfigMap.

It is written once per run, before the first change. A rerun finds it and never writes a half-released state over it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from include.release.applying import ensure_immutable, spec_name
from include.release.diff import comparable
from include.release.environments import Environment
from include.release.frozen import LABEL_APP, LABEL_BASE, MANAGED_BY, NOTE_DIGEST, NOTE_RELEASE, Frozen
from include.release.kube import Cluster
from include.release.manifests import KINDS
from include.release.problems import Problem, RejectedError

Key = tuple[str, str]
"""Kind and name of an object."""


class SavedState(BaseModel):
    """What ran before a change.

    ``previous_spec`` names the ConfigMap with the frozen release that ran; empty when what ran was not, as a whole,
    brought by a release. ``applied`` are the ids of the migrations that were applied; None when nobody could be asked.
    ``over`` are the saved states of interrupted runs that this one went on from, newest last: the lock forgets them
    once a step has seen where this run led.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    run: str
    kind: Literal["release", "rollback"] = "release"
    app: str
    release: str
    digest: str
    previous_release: str = ""
    previous_digest: str = ""
    previous_spec: str = ""
    objects: list[dict[str, Any]]
    absent: list[Key]
    applied: list[str] | None
    taken_at: str
    over: list[str] = []

    @property
    def name(self) -> str:
        """Of its ConfigMap."""
        return saved_name(self.app, self.run)

    @property
    def previous(self) -> str:
        """What ran, as texts name it."""
        if self.previous_release:
            return self.previous_release
        return "what no release had brought" if self.objects else "nothing"

    def find(self, key: Key) -> dict[str, Any] | None:
        """The object as it was; None when it was not there."""
        return next((each for each in self.objects if key_of(each) == key), None)


def key_of(manifest: dict[str, Any]) -> Key:
    """Kind and name of an object."""
    return manifest["kind"], manifest["metadata"]["name"]


def base_of_saved(app: str) -> str:
    """The base name of an app's saved states."""
    return f"{app}-before"


def saved_name(app: str, run: str) -> str:
    """The name of the ConfigMap in which a run (``dag_id/run_id``) keeps what it found."""
    return f"{base_of_saved(app)}-{hashlib.sha256(run.encode()).hexdigest()[:10]}"


def live_objects(cluster: Cluster, frozen: Frozen) -> list[dict[str, Any]]:
    """The objects that the change may touch, as they are: those it brings, and all that carry the app's label."""
    namespace = frozen.environment.namespace
    found: dict[Key, dict[str, Any]] = {}
    for kind, (version, _) in KINDS.items():
        for each in cluster.list(kind, namespace, labels=f"{LABEL_APP}={frozen.release.app}"):
            live = {"apiVersion": version, "kind": kind, **each}
            found[key_of(live)] = live
    for manifest in frozen.objects:
        kind, name = key_of(manifest)
        if (kind, name) not in found and (there := cluster.get(kind, namespace, name)) is not None:
            found[kind, name] = {"apiVersion": KINDS[kind][0], "kind": kind, **there}
    return list(found.values())


def live_digest(objects: Iterable[dict[str, Any]]) -> str:
    """The SHA-256 of what was written into these objects; what the server writes of itself does not count."""
    content = sorted(json.dumps(comparable(each), sort_keys=True) for each in objects)
    return hashlib.sha256("\n".join(content).encode()).hexdigest()


def state_of(
    cluster: Cluster,
    frozen: Frozen,
    live: list[dict[str, Any]],
    *,
    run: str,
    kind: Literal["release", "rollback"],
    applied: list[str] | None,
    taken_at: str,
    over: Sequence[str] = (),
) -> SavedState:
    """What runs now, to be kept before ``frozen`` is brought. Raises KubeError."""
    release, digest = running_release(cluster, frozen, live)
    there = {key_of(each) for each in live}
    return SavedState(
        run=run,
        kind=kind,
        app=frozen.release.app,
        release=frozen.release.name,
        digest=frozen.digest,
        previous_release=release,
        previous_digest=digest,
        previous_spec=spec_name(release, digest) if release else "",
        objects=[kept for each in live if (kept := comparable(each)) is not None],
        absent=[key_of(each) for each in frozen.objects if key_of(each) not in there],
        applied=applied,
        taken_at=taken_at,
        over=list(over),
    )


def running_release(cluster: Cluster, frozen: Frozen, live: list[dict[str, Any]]) -> tuple[str, str]:
    """Name and digest of the release that runs as a whole: all it has is there and from it; empty when none does."""
    noted = {key_of(each): (each["metadata"].get("annotations") or {}) for each in live}
    candidates = {
        (notes[NOTE_RELEASE], notes[NOTE_DIGEST])
        for (kind, _), notes in noted.items()
        if kind == "Deployment" and NOTE_RELEASE in notes and NOTE_DIGEST in notes
    }
    for release, digest in sorted(candidates):
        try:
            stored = stored_release(cluster, frozen.environment, spec_name(release, digest))
        except RejectedError:  # what cannot be read is nothing to go back to, and must not stop a release
            stored = None
        if stored is not None and all(
            noted.get(key_of(each), {}).get(NOTE_DIGEST) == digest for each in stored.objects
        ):
            return release, digest
    return "", ""


def stored_release(cluster: Cluster, environment: Environment, name: str) -> Frozen | None:
    """A frozen release that was kept in the namespace, under the environment's rules of today.

    Raises:
        RejectedError: it is there, but cannot be read or was changed.
        KubeError: the cluster does not answer.
    """
    found = cluster.get("ConfigMap", environment.namespace, name) if name else None
    if found is None:
        return None
    try:
        frozen = Frozen.from_json((found.get("data") or {}).get("release.json", ""))
    except ValueError as error:
        problem = Problem(
            f"namespace {environment.namespace}",
            f"ConfigMap {name}",
            str(error).splitlines()[0],
            "a frozen release, as it was stored",
            "somebody changed it; choose another target",
        )
        raise RejectedError([problem], subject="the stored releases") from error
    return frozen.model_copy(update={"environment": environment})


def keep(cluster: Cluster, namespace: str, state: SavedState) -> SavedState:
    """Keep a state, or find the one that this run kept before. Returns the one that is kept. Raises KubeError."""
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": state.name,
            "labels": {**MANAGED_BY, LABEL_APP: state.app, LABEL_BASE: base_of_saved(state.app)},
        },
        "data": {"state.json": state.model_dump_json()},
        "immutable": True,
    }
    if ensure_immutable(cluster, manifest, namespace):
        return state
    first = read_saved(cluster, namespace, state.name)
    if first is None:
        problem = Problem(
            f"namespace {namespace}",
            f"ConfigMap {state.name}",
            "what cannot be read",
            "the state that this run saved",
            "somebody changed it; trigger a new run",
        )
        raise RejectedError([problem], subject="the saved state")
    return first


def read_saved(cluster: Cluster, namespace: str, name: str) -> SavedState | None:
    """The state of that name; None when there is none. Raises KubeError."""
    found = cluster.get("ConfigMap", namespace, name) if name else None
    return parse_saved(found) if found is not None else None


def all_saved(cluster: Cluster, namespace: str, app: str) -> list[SavedState]:
    """The kept states of an app, newest first. Raises KubeError."""
    labels = f"{LABEL_BASE}={base_of_saved(app)}"
    found = [parse_saved(each) for each in cluster.list("ConfigMap", namespace, labels=labels)]
    return sorted(filter(None, found), key=lambda each: each.taken_at, reverse=True)


def parse_saved(config_map: dict[str, Any]) -> SavedState | None:
    """The state in a ConfigMap; None when it holds none that can be read."""
    try:
        return SavedState.model_validate_json((config_map.get("data") or {}).get("state.json", ""))
    except ValueError:
        return None


def release_of(spec: str, frozen: Frozen, cluster: Cluster) -> Frozen:
    """The frozen release that a ConfigMap keeps; this run's own is at hand.

    Raises:
        RejectedError: it is not there.
        KubeError: the cluster does not answer.
    """
    if spec == spec_name(frozen.release.name, frozen.digest):
        return frozen
    found = stored_release(cluster, frozen.environment, spec)
    if found is None:
        raise missing_release(spec, frozen.environment)
    return found


def missing_release(spec: str, environment: Environment) -> RejectedError:
    """The error for a stored release that is gone."""
    problem = Problem(
        f"namespace {environment.namespace}",
        f"ConfigMap {spec}",
        "absent",
        "the frozen release that was kept there",
        "somebody deleted it; go forward with a release instead",
    )
    return RejectedError([problem], subject="the stored releases")
