"""The Job of a step, and what it mounts as whom beside whom."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from include.logs.beside import beside_user
from include.logs.job_manifest import step_load, what_now
from include.logs.loading import read_volume
from include.logs.program_map import outdated, program_map, prune
from include.logs.requesting import Asker, request_of, slug_of
from include.logs.retention import ArchiveTo
from include.release.kube import KubeError
from include.release.loading import Sources
from include.release.problems import RejectedError

ASKER = Asker("log_cleanup/scheduled__2026-11-21T03:00:00+00:00")


@pytest.fixture
def placed():
    return read_volume(Sources.from_environment(), "shop-logs")


def load(placed, command="plan", asker=ASKER, beside=None):
    return step_load(placed, command, request_of(placed, asker), asker, beside)


def pod_of(found) -> dict[str, Any]:
    return found.manifest["spec"]["template"]["spec"]


def test_it_runs_as_the_owner_of_the_files_and_may_do_nothing_else(placed):
    pod = pod_of(load(placed))
    assert pod["securityContext"] == {
        "runAsNonRoot": True, "runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001,
        "fsGroupChangePolicy": "OnRootMismatch", "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert pod["automountServiceAccountToken"] is False
    root = replace(placed, volume=placed.volume.model_copy(update={"user": 0}))
    assert "runAsNonRoot" not in pod_of(load(root))["securityContext"]
    alone = replace(placed, volume=placed.volume.model_copy(update={"fs_group": None, "group": 20001}))
    assert pod_of(load(alone))["securityContext"] == {
        "runAsNonRoot": True, "runAsUser": 10001, "runAsGroup": 20001, "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip


def test_it_mounts_the_claim_where_its_user_has_it_and_the_program_read_only(placed):
    found = load(placed)
    mounts = {each["name"]: each for each in pod_of(found)["containers"][0]["volumeMounts"]}
    assert mounts["logs"] == {"name": "logs", "mountPath": "/home/sre/course4"}
    assert mounts["program"] == {"name": "program", "mountPath": "/program/logcleanup", "readOnly": True}
    volumes = {each["name"]: each for each in pod_of(found)["volumes"]}
    assert volumes["logs"]["persistentVolumeClaim"] == {"claimName": "course4-logs"}
    assert volumes["program"]["configMap"]["name"] == program_map()["metadata"]["name"]
    assert found.command == (
        "python3 -m logcleanup plan --request /request/request.json --root /home/sre/course4"
    )


def test_archives_go_to_their_own_claim(placed):
    volume = placed.volume.model_copy(update={"archive_to": ArchiveTo(claim="log-archive")})
    found = load(replace(placed, volume=volume))
    assert {"name": "archive", "mountPath": "/archive"} in pod_of(found)["containers"][0]["volumeMounts"]
    assert found.command.endswith(" --root /home/sre/course4 --archive-to /archive")


def test_the_name_is_that_of_the_content_and_of_who_asks(placed):
    first = load(placed)
    assert first.name.startswith("logs-plan-shop-logs-")
    assert load(placed, beside={"affinity": {"podAffinity": {}}}).name == first.name
    assert load(placed, "archive").name != first.name
    assert load(placed, asker=replace(ASKER, clear_number=1)).name != first.name
    assert load(placed, asker=replace(ASKER, take_over="log_cleanup/x")).name != first.name
    long = replace(placed, volume=placed.volume.model_copy(update={"name": "v" * 53}))
    assert len(load(long).name) == 63


def test_it_ends_and_goes_by_itself(placed):
    spec = load(placed).manifest["spec"]
    assert (spec["activeDeadlineSeconds"], spec["backoffLimit"]) == (3600, 0)
    assert spec["ttlSecondsAfterFinished"] == 7 * 24 * 3600


@pytest.mark.parametrize(
    "command", ["measure", "plan", "archive", "verify", "delete", "space", "report", "restore"]
)
def test_every_step_says_what_to_do_when_it_fails(placed, command):
    assert "clear this task" in what_now(command)
    assert "shop-logs" in load(placed, command).subject


def test_a_slug_is_safe_and_no_other_runs():
    one, two = (
        slug_of("log_cleanup/manual__2026-11-21T03:00:00+00:00"),
        slug_of("log_cleanup/manual__2026-11-21T03:00:00-00:00"),
    )
    assert one.startswith("log_cleanup-manual__2026-11-21T03-00-00-00-00-")
    assert one != two
    assert len(slug_of("x" * 500)) <= 111
    assert slug_of("/../") == f"run-{slug_of('/../')[4:]}"


def test_old_programs_go_but_none_that_is_in_use():
    maps = [
        {"metadata": {"name": f"m{n}", "creationTimestamp": f"2026-11-{n:02}T00:00:00Z"}} for n in range(1, 7)
    ]
    assert outdated(maps, {"m2"}, 3) == ["m3", "m1"]


class Fake:
    """Answers what a test gives; anything else is a mistake of the test."""

    def __init__(self, mode: str, *pods: dict[str, Any], deployment: bool = True) -> None:
        self.claim = {"spec": {"accessModes": [mode]}, "status": {"accessModes": [mode]}}
        self.pods, self.deployment = list(pods), deployment

    def get(self, kind: str, _namespace: str, _name: str) -> Any:
        selector = {"spec": {"selector": {"matchLabels": {"app": "shop"}}}}
        return self.claim if kind == "PersistentVolumeClaim" else selector if self.deployment else None

    def list(self, _kind: str, _namespace: str, **_: str) -> list[dict[str, Any]]:
        return self.pods


def user(
    node: str = "node-1", claim: str = "course4-logs", phase: str = "Running", app: str = "shop"
) -> dict[str, Any]:
    volumes = [{"name": "logs", "persistentVolumeClaim": {"claimName": claim}}]
    return {"metadata": {"name": f"{app}-1", "labels": {"app": app}}, "status": {"phase": phase},
            "spec": {"nodeName": node, "volumes": volumes}}  # fmt: skip


def test_a_claim_of_one_node_is_cleaned_up_beside_its_user(placed):
    found = beside_user(Fake("ReadWriteOnce", user()), placed)
    (term,) = found["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term == {
        "labelSelector": {"matchLabels": {"app": "shop"}},
        "topologyKey": "kubernetes.io/hostname",
    }


@pytest.mark.parametrize("cluster", [
    Fake("ReadWriteOnce", user(app="other")), Fake("ReadWriteOnce", user(), deployment=False),
], ids=["another pod has it", "the Deployment is gone"])  # fmt: skip
def test_without_the_deployments_pod_it_runs_on_the_node_where_the_claim_is(placed, cluster):
    required = beside_user(cluster, placed)["affinity"]["nodeAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    (term,) = required["nodeSelectorTerms"]
    assert term["matchFields"] == [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]


def test_each_node_that_has_the_claim_is_a_term_of_its_own(placed):
    cluster = Fake("ReadWriteOnce", user("node-2"), user("node-1"), deployment=False)
    required = beside_user(cluster, placed)["affinity"]["nodeAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    values = [term["matchFields"][0]["values"] for term in required["nodeSelectorTerms"]]
    assert values == [["node-1"], ["node-2"]]


def test_it_may_be_where_its_user_may_be(placed):
    pod = user()
    pod["spec"]["tolerations"] = [{"key": "storage", "operator": "Exists"}]
    pod["spec"]["imagePullSecrets"] = [{"name": "registry"}]
    for mode, keys in (("ReadWriteOnce", {"affinity"}), ("ReadWriteMany", set())):
        found = beside_user(Fake(mode, pod), placed)
        assert set(found) == {"tolerations", "imagePullSecrets", *keys}
        spec = pod_of(load(placed, beside=found))
        assert spec["tolerations"] == pod["spec"]["tolerations"]


def test_a_namespace_that_asks_for_a_cpu_limit_gets_one(placed):
    resources = placed.volume.resources.model_copy(update={"cpu_limit": "1"})
    volume = placed.volume.model_copy(update={"resources": resources})
    assert pod_of(load(replace(placed, volume=volume)))["containers"][0]["resources"]["limits"] == {
        "memory": "512Mi", "cpu": "1",
    }  # fmt: skip
    assert pod_of(load(placed))["containers"][0]["resources"]["limits"] == {"memory": "512Mi"}


@pytest.mark.parametrize("cluster", [
    Fake("ReadWriteMany", user()), Fake("ReadWriteOnce"), Fake("ReadWriteOnce", user(claim="other")),
    Fake("ReadWriteOnce", user(node="")), Fake("ReadWriteOnce", user(phase="Succeeded")),
], ids=["shared", "nobody", "another claim", "not placed yet", "ended"])  # fmt: skip
def test_where_no_node_has_the_claim_any_will_do(placed, cluster):
    assert beside_user(cluster, placed) == {}


def test_a_claim_of_one_pod_is_refused_while_that_pod_has_it(placed):
    with pytest.raises(RejectedError) as raised:
        beside_user(Fake("ReadWriteOncePod", user()), placed)
    assert raised.value.problems[0].found == "course4-logs is ReadWriteOncePod, and pod shop-1 has it"
    assert beside_user(Fake("ReadWriteOncePod"), placed) == {}


def test_housekeeping_that_is_refused_stops_nobody(placed):
    class Refusing:
        def list(self, *_: Any, **__: Any) -> Any:
            raise KubeError(403, "forbidden", "GET")

    assert prune(Refusing(), "course4", "shop-logs") == []  # type: ignore[arg-type]


def test_old_requests_are_removed_and_those_of_running_jobs_stay(claimed):
    from include.logs import program_map as maps
    from include.logs.running import start_step

    client, placed = claimed.cluster, claimed.placed
    namespace = placed.environment.namespace
    for number in range(maps.KEEP_REQUESTS + 3):
        manifest = maps.request_map("shop-logs", f'{{"number": {number}}}', "a/1")
        client.create(manifest, namespace)
    asker = claimed.asker()
    start_step(client, placed, "measure", request_of(placed, asker), asker, lambda _: None)
    left = client.list("ConfigMap", namespace, labels=f"{maps.LABEL_PART}=request")
    assert maps.KEEP_REQUESTS <= len(left) <= maps.KEEP_REQUESTS + 1
    wanted = request_of(placed, asker)
    from include.logs.requesting import request_text

    mine = maps.request_map("shop-logs", request_text(wanted), asker.run)["metadata"]["name"]
    assert mine in [each["metadata"]["name"] for each in left]
