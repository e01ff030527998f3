"""Is what runs now what was recorded? Compared by the digests of the serving pods, and by the notes on Deployments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from include.records.models import DIGEST, Change
from include.release.frozen import LABEL_APP, NOTE_DIGEST, NOTE_RELEASE
from include.release.kube import Cluster
from include.release.refs import parse_reference
from include.release.smoke import serving_pods
from include.release.texts import plural
from include.release.verifying import image_digest

Answer = Literal["yes", "no", "unknown"]


@dataclass(frozen=True)
class Build:
    """One image that serving pods run; ``digest`` is empty when the cluster names none."""

    image: str
    digest: str
    pods: int


@dataclass(frozen=True)
class Workload:
    """One Deployment of an app: what its notes say that was released, and what its serving pods run."""

    name: str
    release: str
    spec_digest: str
    wanted: int
    builds: tuple[Build, ...]


@dataclass(frozen=True)
class Live:
    """Whether what runs is what was recorded; ``text`` says it in a line."""

    answer: Answer
    text: str


def settled(history: Sequence[Change]) -> Change | None:
    """The newest change that went out (history is newest first): what it brought should run now.

    A release that was refused or rolled back left what was before it; one that failed or goes on left neither
    for sure, so what went out before is the best that is known.
    """
    for change in history:
        good = "rolled back" if change.kind == "rollback" else "released"
        if change.outcome in (good, "released"):
            return change
    return None


def unsettled(history: Sequence[Change]) -> list[Change]:
    """The changes since then that may have left something else, newest first."""
    last = settled(history)
    since = history if last is None else history[: list(history).index(last)]
    return [each for each in since if each.outcome in ("running", "failed", "interrupted")]


def observe(cluster: Cluster, namespace: str, app: str) -> list[Workload]:
    """What runs of an app. Raises KubeError."""
    deployments = cluster.list("Deployment", namespace, labels=f"{LABEL_APP}={app}")
    pods = cluster.list("Pod", namespace) if deployments else []
    return [_workload(each, pods) for each in sorted(deployments, key=lambda one: one["metadata"]["name"])]


def compare(history: Sequence[Change], running: Sequence[Workload]) -> Live:
    """Compare what is recorded of an app in an environment (newest first) with what runs there."""
    change = settled(history)
    if change is None:
        return Live("unknown", f"no release went out yet; runs {shown(running)}")
    if not running:
        return Live("no", "nothing of it is deployed")
    if not change.digests:
        return Live("unknown", f"{change.run} recorded no builds; runs {shown(running)}")
    strange = [build for each in running for build in each.builds if build.digest not in change.digests]
    if strange:
        return Live("no", f"runs {shown(running)}")
    empty = [each for each in running if not each.builds]
    if empty:
        words = ", ".join(
            f"{each.name} is scaled to 0" if each.wanted == 0 else f"{each.name} has no serving pod"
            for each in empty
        )
        return Live("no", f"{words}; the rest runs as recorded" if len(empty) < len(running) else words)
    others = [each for each in running if _other_spec(each, change)]
    if others:
        names = ", ".join(f"{each.name} of {each.release or 'an unknown release'}" for each in others)
        return Live("no", f"the builds are the same, but not the objects: {names}")
    pods = sum(build.pods for each in running for build in each.builds)
    return Live("yes", f"{plural(pods, 'pod')} with the recorded digests")


def shown(running: Sequence[Workload]) -> str:
    """``shop:1.0.0 sha256:44d4... of release-1 (app-deployment, 3 pods)``."""
    parts = []
    for each in running:
        for build in each.builds:
            of = f" of {each.release}" if each.release else ""
            digest = build.digest[:19] or "without a digest"
            parts.append(f"{build.image} {digest}{of} ({each.name}, {plural(build.pods, 'pod')})")
    return "; ".join(parts) or "nothing"


def _other_spec(workload: Workload, change: Change) -> bool:
    """What a rollback restored from saved objects has no spec digest; then the builds have to do."""
    return bool(workload.spec_digest and change.spec_digest and workload.spec_digest != change.spec_digest)


def _workload(deployment: Mapping[str, Any], pods: list[dict[str, Any]]) -> Workload:
    labels = (deployment["spec"].get("selector") or {}).get("matchLabels") or {}
    mine = [pod for pod in pods if labels.items() <= (pod["metadata"].get("labels") or {}).items()]
    serving = set(serving_pods(mine))
    counts: dict[tuple[str, str], int] = {}
    for pod in mine:
        if pod["metadata"]["name"] in serving:
            for build in _builds(pod):
                counts[build] = counts.get(build, 0) + 1
    notes = deployment["metadata"].get("annotations") or {}
    return Workload(
        deployment["metadata"]["name"],
        notes.get(NOTE_RELEASE, ""),
        notes.get(NOTE_DIGEST, ""),
        int(deployment["spec"].get("replicas", 1)),
        tuple(Build(image, digest, count) for (image, digest), count in sorted(counts.items())),
    )


def _builds(pod: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Name and digest of each container's image. What a container does run counts, not what its spec asks for."""
    asked = {each["name"]: str(each.get("image") or "") for each in pod["spec"]["containers"]}
    found = set()
    for status in (pod.get("status") or {}).get("containerStatuses") or []:
        image = asked.get(status["name"]) or str(status.get("image") or "")
        reference, pinned = parse_reference(image), DIGEST.search(image)
        digest = image_digest(status) or (pinned[0] if pinned else "")
        found.add((reference.short if reference and reference.tag else image, digest))
    return found
