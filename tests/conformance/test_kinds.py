"""What is particular to one kind: its defaults, what it generates, what may not change."""

from __future__ import annotations

import base64

from tests.conformance.kit.api import Object
from tests.conformance.kit.manifests import HELD, configmap, container, deployment, job, pod, service, sh
from tests.conformance.kit.namespace import Namespace


def test_deployment_defaults(ns: Namespace) -> None:
    body: Object = {
        "metadata": {"name": "min"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "min"}},
            "template": {
                "metadata": {"labels": {"app": "min"}},
                "spec": {"containers": [{"name": "main", "image": "registry.example.com/a:1"}]},
            },
        },
    }
    created = ns.create("deployments", body)
    assert created["metadata"]["generation"] == 1
    spec = created["spec"]
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
    assert (spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (10, 600)
    template = spec["template"]["spec"]
    assert template["restartPolicy"] == "Always"
    assert template["terminationGracePeriodSeconds"] == 30
    assert template["dnsPolicy"] == "ClusterFirst"
    assert template["schedulerName"] == "default-scheduler"
    (main,) = template["containers"]
    assert main["imagePullPolicy"] == "IfNotPresent"
    assert main["terminationMessagePath"] == "/dev/termination-log"
    assert main["terminationMessagePolicy"] == "File"
    assert main["resources"] == {}


def test_image_without_tag_or_latest_is_always_pulled_by_default(ns: Namespace) -> None:
    for name, reference, policy in (
        ("none", "registry.example.com/a", "Always"),
        ("latest", "registry.example.com/a:latest", "Always"),
        ("tag", "registry.example.com/a:1", "IfNotPresent"),
        ("digest", "registry.example.com/a@sha256:" + "0" * 64, "IfNotPresent"),
    ):
        body = deployment(name, {"name": "main", "image": reference}, replicas=0)
        created = ns.create("deployments", body)
        assert created["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == policy, name


def test_probe_defaults(ns: Namespace) -> None:
    probe = {"httpGet": {"path": "/", "port": 8080}}
    body = deployment("probe", container(ns.image, sh("true"), readinessProbe=probe), replicas=0)
    created = ns.create("deployments", body)["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    assert created == {
        "httpGet": {"path": "/", "port": 8080, "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


def test_deployment_generation_follows_the_spec_only(ns: Namespace) -> None:
    ns.create("deployments", deployment("gen", container(ns.image, sh("true")), replicas=0))
    assert (
        ns.patch("deployments", "gen", {"metadata": {"labels": {"a": "b"}}}).expect(200)["metadata"][
            "generation"
        ]
        == 1
    )
    assert (
        ns.patch("deployments", "gen", {"spec": {"minReadySeconds": 1}}).expect(200)["metadata"]["generation"]
        == 2
    )
    assert (
        ns.patch("deployments", "gen", {"spec": {"minReadySeconds": 1}}).expect(200)["metadata"]["generation"]
        == 2
    )


def test_status_is_not_written_through_the_object(ns: Namespace) -> None:
    ns.create("deployments", deployment("st", container(ns.image, sh("true")), replicas=0))
    ns.wait("deployments", "st", "observed", lambda d: d.get("status", {}).get("observedGeneration") == 1)
    patched = ns.patch("deployments", "st", {"status": {"replicas": 77}}).expect(200)
    assert patched["status"].get("replicas") != 77
    assert patched["metadata"]["generation"] == 1


def test_deployment_selector_is_immutable(ns: Namespace) -> None:
    ns.create("deployments", deployment("sel", container(ns.image, sh("true")), replicas=0))
    body = {
        "spec": {
            "selector": {"matchLabels": {"app": "other"}},
            "template": {"metadata": {"labels": {"app": "other"}}},
        }
    }
    answer = ns.patch("deployments", "sel", body)
    assert answer.code == 422
    assert "field is immutable" in answer.message


def test_recreate_needs_the_rolling_update_settings_removed(ns: Namespace) -> None:
    ns.create("deployments", deployment("rec", container(ns.image, sh("true")), replicas=0))
    answer = ns.patch("deployments", "rec", {"spec": {"strategy": {"type": "Recreate"}}})
    assert answer.code == 422
    assert answer.message == (
        'Deployment.apps "rec" is invalid: spec.strategy.rollingUpdate: Forbidden: '
        "may not be specified when strategy `type` is 'Recreate'"
    )
    body = {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}}
    assert ns.patch("deployments", "rec", body).expect(200)["spec"]["strategy"] == {"type": "Recreate"}


def test_secret_string_data_becomes_data(ns: Namespace) -> None:
    created = ns.create(
        "secrets", {"metadata": {"name": "s"}, "data": {"a": "b2xk"}, "stringData": {"a": "new", "b": "2"}}
    )
    assert "stringData" not in created
    assert created["type"] == "Opaque"
    assert {k: base64.b64decode(v).decode() for k, v in created["data"].items()} == {"a": "new", "b": "2"}
    patched = ns.patch("secrets", "s", {"stringData": {"c": "3"}}).expect(200)
    assert set(patched["data"]) == {"a", "b", "c"}


def test_secret_type_is_immutable_and_its_data_is_base64(ns: Namespace) -> None:
    ns.create("secrets", {"metadata": {"name": "s"}, "stringData": {"a": "1"}})
    answer = ns.patch("secrets", "s", {"type": "example.com/other"})
    assert answer.code == 422
    assert "type: Invalid value" in answer.message
    assert "field is immutable" in answer.message
    bad = ns.post("secrets", {"metadata": {"name": "bad"}, "data": {"a": "not base64!"}})
    assert bad.code == 400
    assert "illegal base64 data at input byte" in bad.message


def test_immutable_configmap_and_secret_stay_as_they_are(ns: Namespace) -> None:
    ns.create("configmaps", configmap("cm", {"a": "1"}, immutable=True))
    ns.create("secrets", {"metadata": {"name": "s"}, "stringData": {"a": "1"}, "immutable": True})
    for plural, kind in (("configmaps", "ConfigMap"), ("secrets", "Secret")):
        name = "cm" if plural == "configmaps" else "s"
        data = {"a": "2"} if plural == "configmaps" else {"a": "Mg=="}
        answer = ns.patch(plural, name, {"data": data})
        assert answer.code == 422
        assert answer.message == (
            f'{kind} "{name}" is invalid: data: Forbidden: field is immutable when `immutable` is set'
        )
        assert "immutable: Forbidden" in ns.patch(plural, name, {"immutable": False}).message
        ns.patch(plural, name, {"metadata": {"labels": {"still": "possible"}}}).expect(200)


def test_service_gets_an_address_that_it_keeps(ns: Namespace) -> None:
    created = ns.create("services", service("web"))
    spec = created["spec"]
    assert spec["type"] == "ClusterIP"
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert spec["sessionAffinity"] == "None"
    assert spec["ports"] == [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}]
    assert created["status"] == {"loadBalancer": {}}
    body = service("web", port=81)
    body["metadata"]["resourceVersion"] = created["metadata"]["resourceVersion"]
    replaced = ns.put("services", "web", body).expect(200)
    assert replaced["spec"]["clusterIP"] == spec["clusterIP"]
    assert replaced["spec"]["ports"][0]["port"] == 81
    moved = ns.patch("services", "web", {"spec": {"clusterIP": "None", "clusterIPs": ["None"]}})
    assert moved.code == 422
    assert "may not change once set" in moved.message


def test_headless_service_and_integer_target_port(ns: Namespace) -> None:
    headless = ns.create("services", service("headless", clusterIP="None"))
    assert headless["spec"]["clusterIP"] == "None"
    body = {"metadata": {"name": "min"}, "spec": {"ports": [{"port": 5000}]}}
    assert ns.create("services", body)["spec"]["ports"] == [
        {"protocol": "TCP", "port": 5000, "targetPort": 5000}
    ]


def test_job_generates_its_selector_and_labels(ns: Namespace) -> None:
    created = ns.create("jobs", job("j", container(ns.image, sh("true")), suspend=True))
    uid = created["metadata"]["uid"]
    assert created["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    labels = created["spec"]["template"]["metadata"]["labels"]
    assert labels == {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": "j",
        "controller-uid": uid,
        "job-name": "j",
    }
    spec = created["spec"]
    assert (spec["parallelism"], spec["completions"], spec["backoffLimit"]) == (1, 1, 6)
    assert (spec["completionMode"], spec["podReplacementPolicy"]) == ("NonIndexed", "TerminatingOrFailed")


def test_job_template_and_completions_are_immutable_parallelism_is_not(ns: Namespace) -> None:
    ns.create("jobs", job("j", container(ns.image, sh("true"), **HELD), completions=2))
    ns.wait("jobs", "j", "started", lambda item: item.get("status", {}).get("startTime"))
    completions = ns.patch("jobs", "j", {"spec": {"completions": 3}})
    assert completions.code == 422
    assert (
        completions.message
        == 'Job.batch "j" is invalid: spec.completions: Invalid value: 3: field is immutable'
    )
    template = ns.patch("jobs", "j", {"spec": {"template": {"spec": {"dnsPolicy": "Default"}}}})
    assert template.code == 422
    assert "spec.template: Invalid value" in template.message
    assert template.message.endswith("field is immutable")
    patched = ns.patch("jobs", "j", {"spec": {"parallelism": 2, "backoffLimit": 1}}).expect(200)
    assert (patched["spec"]["parallelism"], patched["spec"]["backoffLimit"]) == (2, 1)


def test_job_needs_a_restart_policy_that_ends(ns: Namespace) -> None:
    body = job("j", container(ns.image, sh("true")))
    body["spec"]["template"]["spec"]["restartPolicy"] = "Always"
    answer = ns.post("jobs", body)
    assert answer.code == 422
    assert answer.message == (
        'Job.batch "j" is invalid: spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'
    )


def test_pod_spec_is_immutable_but_for_the_image(ns: Namespace) -> None:
    created = ns.create("pods", pod("p", container(ns.image, sh("true"), **HELD)))
    assert created["status"]["phase"] == "Pending"
    assert created["status"]["qosClass"] == "Burstable"
    answer = ns.patch("pods", "p", {"spec": {"terminationGracePeriodSeconds": 77}})
    assert answer.code == 422
    assert "pod updates may not change fields other than" in answer.message
    changed = created["spec"]["containers"]
    changed[0]["image"] = "registry.example.com/other:2"
    assert ns.patch("pods", "p", {"spec": {"containers": changed}}).code == 200


def test_claim_spec_is_immutable(ns: Namespace) -> None:
    body = {
        "metadata": {"name": "claim"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    created = ns.create("persistentvolumeclaims", body)
    assert created["spec"]["volumeMode"] == "Filesystem"
    assert created["status"]["phase"] in ("Pending", "Bound")
    answer = ns.patch("persistentvolumeclaims", "claim", {"spec": {"accessModes": ["ReadWriteMany"]}})
    assert answer.code == 422
    assert "spec is immutable after creation" in answer.message
    wrong = {
        **body,
        "metadata": {"name": "w"},
        "spec": {**body["spec"], "resources": {"requests": {"storage": "1gb"}}},
    }
    assert ns.post("persistentvolumeclaims", wrong).code == 400
