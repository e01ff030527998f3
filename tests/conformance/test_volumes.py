"""What is mounted is at its path: ConfigMaps, Secrets, empty directories, the node's, claims."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.kit.api import Object
from tests.conformance.kit.embedded import named_cluster
from tests.conformance.kit.manifests import configmap, container, pod, python, sh
from tests.conformance.kit.namespace import Namespace, container_status, phase


def mounted(ns: Namespace, source: Object, script: str, name: str = "p", **mount: Any) -> Object:
    """A pod with one volume at /data."""
    mounts = [{"name": "v", "mountPath": "/data", **mount}]
    return pod(name, container(ns.image, sh(script), volumeMounts=mounts), volumes=[{"name": "v", **source}])


def test_configmap_keys_are_files(ns: Namespace) -> None:
    ns.create("configmaps", configmap("cm", {"a.txt": "one", "b": "two"}, binaryData={"raw": "AAEC"}))
    listing = "import os; print(sorted(n for n in os.listdir('/data') if n[0] != '.'), open('/data/raw','rb').read())"
    body = mounted(ns, {"configMap": {"name": "cm"}}, "")
    body["spec"]["containers"][0]["command"] = python(listing + "; print(open('/data/a.txt').read())")
    assert ns.output(body) == "['a.txt', 'b', 'raw'] b'\\x00\\x01\\x02'\none\n"


def test_configmap_items_and_modes(ns: Namespace) -> None:
    ns.create("configmaps", configmap("cm", {"a": "one", "b": "two"}))
    items = [{"key": "b", "path": "sub/renamed", "mode": 0o400}]
    script = "import os; print(os.listdir('/data/sub'), oct(os.stat('/data/sub/renamed').st_mode & 0o777), os.path.exists('/data/a'))"
    body = mounted(ns, {"configMap": {"name": "cm", "items": items}}, "")
    body["spec"]["containers"][0]["command"] = python(script)
    assert ns.output(body) == "['renamed'] 0o400 False\n"


def test_secret_keys_are_files(ns: Namespace) -> None:
    ns.create("secrets", {"metadata": {"name": "s"}, "stringData": {"password": "p w"}})
    source = {"secret": {"secretName": "s"}}
    assert ns.output(mounted(ns, source, "cat /data/password; echo", readOnly=True)) == "p w\n"


def test_optional_sources_may_be_missing(ns: Namespace) -> None:
    source = {"configMap": {"name": "nope", "optional": True}}
    assert ns.output(mounted(ns, source, "ls /data; echo end")) == "end\n"


def test_a_missing_source_holds_the_pod(ns: Namespace) -> None:
    ns.create("pods", mounted(ns, {"configMap": {"name": "late"}}, "cat /data/a"))
    event = ns.event("p", "FailedMount")
    assert event["type"] == "Warning"
    assert event["message"] == 'MountVolume.SetUp failed for volume "v" : configmap "late" not found'
    seen = ns.get("pods", "p")
    assert phase(seen) == "Pending"
    assert container_status(seen)["state"]["waiting"]["reason"] == "ContainerCreating"
    ns.create("configmaps", configmap("late", {"a": "here"}))
    assert phase(ns.pod_ended("p")) == "Succeeded"
    assert ns.log("p") == "here"


def test_empty_dir_is_shared_and_outlives_a_restart(ns: Namespace) -> None:
    mounts = [{"name": "v", "mountPath": "/data"}]
    tries = "[ -e /data/tried ] && exit 0; echo x > /data/tried; exit 1"
    waits = "while [ ! -e /data/tried ]; do sleep 0.1; done; echo seen"
    one = container(ns.image, sh(tries), "one", volumeMounts=mounts)
    two = container(ns.image, sh(waits), "two", volumeMounts=[{"name": "v", "mountPath": "/data"}])
    body = pod("p", one, two, restartPolicy="OnFailure", volumes=[{"name": "v", "emptyDir": {}}])
    ended = ns.run(body)
    assert phase(ended) == "Succeeded"
    assert container_status(ended, "one")["restartCount"] == 1
    assert ns.log("p", "two") == "seen\n"
    # the next pod of that name finds nothing
    ns.delete("pods", "p")
    ns.gone("pods", "p")
    assert ns.output(mounted(ns, {"emptyDir": {}}, "ls /data; echo end")) == "end\n"


def test_read_only_mounts_are_not_written(ns: Namespace) -> None:
    body = mounted(ns, {"emptyDir": {}}, "", readOnly=True)
    script = "try: open('/data/x', 'w')\nexcept OSError as failed: print(failed.errno)"
    body["spec"]["containers"][0]["command"] = python(script)
    assert ns.output(body) == "30\n"


def test_sub_path_mounts_one_entry(ns: Namespace) -> None:
    ns.create("configmaps", configmap("cm", {"a": "one", "b": "two"}))
    body = mounted(
        ns, {"configMap": {"name": "cm"}}, "cat /tmp/only; echo", mountPath="/tmp/only", subPath="b"
    )
    assert ns.output(body) == "two\n"


def test_host_path_is_the_nodes(ns: Namespace) -> None:
    name = f"conformance-{ns.name[-10:]}"
    source = {"hostPath": {"path": "/tmp", "type": "Directory"}}
    assert ns.output(mounted(ns, source, f"echo kept > /data/{name}", "writes")) == ""
    read = f"import os; print(open('/data/{name}').read(), end=''); os.remove('/data/{name}')"
    body = mounted(ns, source, "", "reads")
    body["spec"]["containers"][0]["command"] = python(read)
    assert ns.output(body) == "kept\n"


def test_a_host_path_of_the_wrong_type(ns: Namespace) -> None:
    source = {"hostPath": {"path": "/tmp/conformance-is-not-there", "type": "Directory"}}
    ns.create("pods", mounted(ns, source, "true"))
    message = ns.event("p", "FailedMount")["message"]
    assert "hostPath type check failed: /tmp/conformance-is-not-there is not a directory" in message


def default_class(ns: Namespace) -> bool:
    """Whether a claim without a class gets a volume here."""
    if named_cluster() is None:
        return True
    answer = ns.api.request("GET", "/apis/storage.k8s.io/v1/storageclasses").expect(200)
    key = "storageclass.kubernetes.io/is-default-class"
    return any(item["metadata"].get("annotations", {}).get(key) == "true" for item in answer["items"])


def claim() -> Object:
    return {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }


def test_a_claim_keeps_its_data_between_pods(ns: Namespace) -> None:
    if not default_class(ns):
        pytest.skip("no default storage class on this cluster")
    ns.create("persistentvolumeclaims", claim())
    source = {"persistentVolumeClaim": {"claimName": "data"}}
    ns.output(mounted(ns, source, "echo kept > /data/file", "writes"))
    assert ns.output(mounted(ns, source, "cat /data/file", "reads")) == "kept\n"
    bound = ns.wait(
        "persistentvolumeclaims", "data", "bound", lambda item: item["status"]["phase"] == "Bound"
    )
    assert bound["spec"]["volumeName"]
    assert bound["status"]["capacity"]["storage"]
    assert "kubernetes.io/pvc-protection" in bound["metadata"]["finalizers"]


def test_a_missing_claim_holds_the_pod(ns: Namespace) -> None:
    ns.create("pods", mounted(ns, {"persistentVolumeClaim": {"claimName": "nope"}}, "true"))
    message = ns.event("p", "FailedScheduling")["message"]
    assert 'persistentvolumeclaim "nope" not found' in message


def test_mounts_do_not_hide_the_rest(ns: Namespace) -> None:
    body = mounted(ns, {"emptyDir": {}}, "ls /data; cat /dev/null; [ -d /tmp ] && [ -d /proc ] && echo fine")
    assert ns.output(body) == "fine\n"
