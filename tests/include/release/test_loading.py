from __future__ import annotations

from pathlib import Path

import pytest

from include.release.loading import PROJECT, Sources, load_release
from include.release.problems import RejectedError


@pytest.mark.parametrize("name", ["release-1", "release-2"])
def test_the_releases_of_the_project_are_right(name):
    loaded = Sources.from_environment().read_release(name)
    assert loaded.release.name == name
    assert loaded.risks == []


def test_release_2_is_what_the_scenario_says():
    release = Sources.from_environment().read_release("release-2").release
    assert release.stakeholders.sre == ["Thach Duong"]
    assert {(each.kind, each.ticket) for each in release.code_changes} == {
        ("security", 205), ("feature", 203), ("feature", 202), ("feature", 201),
    }  # fmt: skip
    assert [each.document for each in release.design_decisions] == [5247]
    shapes = {}
    for manifest in release.objects:
        if manifest["kind"] == "Deployment":
            (container,) = manifest["spec"]["template"]["spec"]["containers"]
            shapes[manifest["metadata"]["name"]] = (
                manifest["spec"].get("replicas"),
                container.get("resources"),
            )
    # The capacity plan fills them in.
    assert shapes == {"app-deployment": (None, None), "order-processor": (None, None)}


@pytest.mark.parametrize("number", [1, 2])
def test_a_plain_deployment_file_gets_the_complete_list_of_findings(number):
    folder = PROJECT / "tests" / "data" / "seed-deployments"
    with pytest.raises(RejectedError) as raised:
        load_release(folder / f"release-{number}.yaml")
    assert str(raised.value) + "\n" == (folder / f"release-{number}.findings.txt").read_text()


def test_missing_field_wrong_type_unknown_key_and_duplicate_are_all_said_at_once(rejected):
    text = rejected(
        ("summary: Middle names", "sumary: Middle names"),
        ("number: 1", 'number: "1"'),
        ("ticket: 100,", "ticket: one hundred,"),
        ("      replicas: 3", "      replicas: 3\n      replicas: 4"),
        ("  sre: [John Robert]\n", ""),
        ('        DRAIN_SECONDS: "1"', "        DRAIN_SECONDS: 1"),
    )
    assert text.startswith("7 problems in release-1.yaml. Nothing has been changed.\n")
    for said in (
        "release-1.yaml:8  sumary\n    found:    unknown key sumary",
        "    fix:      write summary: instead",
        "release-1.yaml:5  summary\n    found:    nothing\n    expected: summary: What the release brings, in one line",
        "release-1.yaml:7  number\n    found:    '1'\n    expected: a whole number\n    fix:      write 1, without quotes",
        "stakeholders.sre\n    found:    nothing\n    expected: stakeholders.sre: SRE\n    fix:      add sre:",
        "code_changes[0].ticket\n    found:    'one hundred'\n    expected: a whole number",
        "found:    the key 'replicas' again (first on line",
        'found:    the number 1\n    expected: text\n    fix:      write "1", with quotes',
    ):
        assert said in text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("      replicas: 3", "      Replicas: 3", "Replicas (no such field)\n    expected: replicas"),
        ("memory: 256Mi, cpu", "memory: 256mb, cpu", "'256mb'\n    expected: a quantity like 256Mi, 1Gi or 250m\n    fix:      write 256Mi"),
        ("name: main-app", "name: mainApp", "'mainApp'\n    expected: a container name"),
        ("image: shop:1.0.0\n              ports", "image: nginx:latest\n              ports", "nginx:latest, which names no build"),
        ("image: shop:1.0.0\n              ports", "image: x.io/shop:1.0.0\n              ports", "leave registry and digest out"),
        ("configMapRef: {name: shop-settings}", "configMapRef: {name: shop}", "ConfigMap shop\n    expected: one of shop-settings"),
        ("key: url}}\n              resources", "key: uri}}\n              resources", "key uri of Secret shop-database\n    expected: one of url"),
        ("claims: [shop-data, course4-logs]", "claims: [shop-data]", "claim course4-logs\n    expected: one of shop-data"),
        ("- workload: app-deployment", "- workload: app", "expected: a Deployment of this release: app-deployment"),
        ("    port: 8080\n    requests", "    port: 80\n    requests", "expected: a port of app-deployment: 8080"),
        ("name: release-1", "name: release-7", "release-7\n    expected: release-1, the name of the file"),
        ("- name: POD_IP", "- {name: DB_PASSWORD, value: hunter2}\n                - name: POD_IP", "a value for DB_PASSWORD (not shown)"),
        ("kind: Service", "kind: Job", "kind Job\n    expected: one of ServiceAccount"),
        ("    - id: r1-102-menu", "    - id: r1-101-split-users", "r1-101-split-users 2 times"),
        ("  image: shop:1.0.0\n  pod:", "  image: shop\n  pod:", "migrations.image\n    found:    shop, without a tag"),
        ("memory: 64Mi, cpu: 100m", "memory: 1Gi, cpu: 100m", "request 1Gi above limit 256Mi"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_named(rejected, old, new, said):
    text = rejected((old, new))
    assert said in text
    assert "release-1.yaml:" in text
    assert "hunter2" not in text


def test_an_unknown_release_names_those_there_are(sources):
    with pytest.raises(RejectedError) as raised:
        sources.read_release("release-9")
    assert "found:    release 'release-9'\n    expected: one of release-1, release-2" in str(raised.value)


def test_a_path_is_no_release(sources):
    with pytest.raises(RejectedError, match="one of release-1, release-2"):
        sources.read_release("../config/environments")
    with pytest.raises(RejectedError, match=r"fix: +write release-1, without \.yaml"):
        sources.read_release("release-1.yaml")


@pytest.mark.parametrize(
    ("content", "said"), [("", "nothing\n"), ("[]", "an empty list\n"), ("a\n---\nb\n", "2 YAML documents")]
)
def test_a_file_that_is_no_mapping(tmp_path: Path, content: str, said: str):
    path = tmp_path / "release-1.yaml"
    path.write_text(content)
    with pytest.raises(RejectedError, match=said):
        load_release(path)
