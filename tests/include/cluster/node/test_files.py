"""Volumes and environment, with and without mount namespaces."""

import asyncio
import base64

import pytest

from include.cluster.images import ImageStore

MODES = pytest.mark.parametrize("settings", ["always", "never"], indirect=True)


def volumes(**volumes) -> list[dict]:
    return [{"name": name, **source} for name, source in volumes.items()]


def mounts(**paths) -> list[dict]:
    return [{"name": name, "mountPath": path} for name, path in paths.items()]


async def output(cluster, script: str, container: dict | None = None, **spec) -> str:
    container = {"command": ["sh", "-c", script], **(container or {})}
    cluster.run("p", container, restartPolicy="Never", **spec)
    await cluster.ended("p")
    return await cluster.log("p")


@MODES
async def test_volumes_are_at_their_paths(cluster):
    cluster.add("configmaps", "settings", data={"app.ini": "colour=green\n", "other": "x"})
    cluster.add("secrets", "login", data={"password": base64.b64encode(b"s3cret").decode()})
    script = (
        "cat '/etc/shop/app.ini'; cat '/etc/shop-secret/password'; echo; cat '/usr/share/shop/label'; echo;"
        "echo kept > '/home/sre/course4/app.log'; cat '/home/sre/course4/app.log'"
    )
    found = volumes(
        config={"configMap": {"name": "settings", "items": [{"key": "app.ini", "path": "app.ini"}]}},
        login={"secret": {"secretName": "login"}},
        own={
            "downwardAPI": {"items": [{"path": "label", "fieldRef": {"fieldPath": "metadata.labels['app']"}}]}
        },
        logs={"emptyDir": {}},
    )
    places = mounts(
        config="/etc/shop", login="/etc/shop-secret", own="/usr/share/shop", logs="/home/sre/course4"
    )
    log = await output(
        cluster, script, {"volumeMounts": places}, volumes=found, meta={"labels": {"app": "web"}}
    )
    assert log == "colour=green\ns3cret\nweb\nkept\n"


@MODES
async def test_host_path_sub_path_and_claim(cluster, tmp_path):
    (tmp_path / "host").mkdir()
    (tmp_path / "host/file").write_text("from the host\n")
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "volumeName": "pvc-1",
    }
    cluster.add("persistentvolumeclaims", "data", spec=claim)
    found = volumes(
        host={"hostPath": {"path": str(tmp_path / "host")}},
        data={"persistentVolumeClaim": {"claimName": "data"}},
    )
    places = [
        {"name": "host", "mountPath": "/etc/one-file", "subPath": "file"},
        {"name": "data", "mountPath": "/data"},
        {"name": "data", "mountPath": "/logs", "subPathExpr": "logs/$(POD)"},
    ]
    env = [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    script = "cat '/etc/one-file'; echo a > '/data/a'; echo b > '/logs/b'"
    assert (
        await output(cluster, script, {"volumeMounts": places, "env": env}, volumes=found)
        == "from the host\n"
    )
    place = cluster.settings.state_dir / "volumes/pvc-1"
    assert (place / "a").read_text() == "a\n"
    assert (place / "logs/p/b").read_text() == "b\n"


async def test_read_only_mounts_and_root(cluster):
    cluster.add("configmaps", "settings", data={"a": "x"})
    found = volumes(config={"configMap": {"name": "settings"}}, work={"emptyDir": {}})
    places = [
        {"name": "config", "mountPath": "/config"},
        {"name": "work", "mountPath": "/scratch"},
        {"name": "work", "mountPath": "/shown", "readOnly": True},
    ]
    script = "for place in /config /scratch /shown /usr /var /tmp; do touch $place/x 2>/dev/null && echo $place; done"
    container = {"volumeMounts": places, "securityContext": {"readOnlyRootFilesystem": True}}
    assert await output(cluster, script, container, volumes=found) == "/scratch\n"


async def test_file_system_of_its_own(cluster):
    script = "touch /etc/new /tmp/new /srv/new; pwd; ls /proc | grep -c '^[0-9]'; hostname; cat /etc/hosts | tail -1"
    spec = {"hostAliases": [{"ip": "192.0.2.1", "hostnames": ["db.internal"]}]}
    log = await output(cluster, script, {"workingDir": "/not/there/yet"}, **spec)
    lines = log.splitlines()
    assert lines[0].startswith("touch: cannot touch '/etc/new'"), "the host's directories cannot be written"
    assert lines[1] == "/not/there/yet"
    assert int(lines[2]) <= 4, "only the container's own processes are seen"
    assert lines[3:] == ["p", "192.0.2.1\tdb.internal"]


async def test_user(cluster):
    spec = {"securityContext": {"runAsUser": 10001, "runAsGroup": 10002, "runAsNonRoot": True}}
    assert await output(cluster, "id -u; id -g", **spec) == "10001\n10002\n"
    assert cluster.status("p")["user"]["linux"]["uid"] == 10001


async def test_working_directory_that_is_a_file(cluster):
    cluster.run("p", {"command": ["true"], "workingDir": "/etc/passwd"}, restartPolicy="Never")
    ended = await cluster.ended("p")
    assert ended["reason"] == "StartError"
    assert ended["message"].endswith(
        'chdir to cwd ("/etc/passwd") set in config.json failed: not a directory'
    )


@MODES
async def test_image_with_files(cluster, tmp_path):
    context = tmp_path / "context"
    context.mkdir()
    (context / "main.py").write_text(
        "import os, sys\nprint(os.getcwd()[-4:], os.environ['GREETING'], *sys.argv[1:])\n"
    )
    (context / "Dockerfile").write_text(
        'FROM python:3.12\nENV GREETING=hello\nWORKDIR /app\nCOPY main.py .\nENTRYPOINT ["python3", "/app/main.py"]\nCMD ["default"]\n'
    )
    store = ImageStore(cluster.settings.images_dir)
    store.tag(store.build(context / "Dockerfile", context), "registry.example.com/hello:1")
    for name, extra, expected in (
        ("a", {}, "/app hello default\n"),
        ("b", {"args": ["given"]}, "/app hello given\n"),
    ):
        cluster.run(name, {"image": "registry.example.com/hello:1", **extra}, restartPolicy="Never")
        await cluster.ended(name)
        assert await cluster.log(name) == expected


@MODES
async def test_environment(cluster):
    cluster.add("configmaps", "settings", data={"COLOUR": "green", "SIZE": "9"})
    cluster.add("secrets", "login", data={"user": base64.b64encode(b"jane").decode()})
    port = {"port": 8080, "protocol": "TCP", "name": "http", "targetPort": 8080}
    cluster.add(
        "services", "app-service", spec={"ports": [port], "clusterIP": "127.96.0.7", "type": "ClusterIP"}
    )
    env = [
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "LIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
        {"name": "WHO", "valueFrom": {"secretKeyRef": {"name": "login", "key": "user"}}},
        {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "user", "optional": True}}},
        {"name": "COLOUR", "value": "$(CM_COLOUR)ish $(APP_SERVICE_SERVICE_HOST) $(UNKNOWN) $$(WHO)"},
    ]
    names = ("POD_IP", "LABEL", "NODE", "LIMIT", "WHO", "NONE", "COLOUR", "CM_SIZE", "HOSTNAME",
             "APP_SERVICE_SERVICE_PORT_HTTP", "APP_SERVICE_PORT_8080_TCP_ADDR", "KUBERNETES_SERVICE_HOST")  # fmt: skip
    container = {
        "command": [
            "python3",
            "-c",
            f"import os; print([os.environ.get(name) for name in {names!r}], '$(WHO)')",
        ],
        "env": env,
        "envFrom": [{"prefix": "CM_", "configMapRef": {"name": "settings"}}],
        "resources": {"limits": {"memory": "256Mi"}},
    }
    log = await output(cluster, "", container, meta={"labels": {"app": "web"}})
    address = cluster.pod("p")["status"]["podIP"]
    expected = [address, "web", "standin-node", "256", "jane", None, "greenish 127.96.0.7 $(UNKNOWN) $(WHO)", "9", "p",
                "8080", "127.96.0.7", "127.0.0.1"]  # fmt: skip
    assert log == f"{expected} jane\n"


async def test_own_address_can_be_bound(cluster):
    program = (
        "import os, socket; s = socket.create_server((os.environ['IP'], 8080)); print(s.getsockname()[0])"
    )
    env = [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    for name in ("a", "b"):
        cluster.run(name, {"command": ["python3", "-c", program], "env": env}, restartPolicy="Never")
        await cluster.ended(name)
    found = {(await cluster.log(name)).strip() for name in ("a", "b")}
    assert found == {cluster.pod(name)["status"]["podIP"] for name in ("a", "b")} and len(found) == 2


async def test_service_account_token(cluster):
    place = "/var/run/secrets/kubernetes.io/serviceaccount"
    log = await output(cluster, f"cat {place}/namespace {place}/ca.crt; echo; cut -c1-3 {place}/token")
    assert log == "shopCA\neyJ\n"


async def test_changed_config_map_reaches_the_volume(cluster):
    cluster.add("configmaps", "settings", data={"a": "old"})
    script = "until grep -q new /config/a; do sleep 0.05; done; echo seen"
    container = {"command": ["sh", "-c", script], "volumeMounts": mounts(config="/config")}
    found = volumes(config={"configMap": {"name": "settings"}})
    cluster.run("p", container, volumes=found, restartPolicy="Never")
    await cluster.phase("p", "Running")
    cluster.registry.edit(
        "configmaps", "shop", "settings", lambda obj: obj.update(data={"a": "new"}), manager="test"
    )
    await cluster.ended("p")


async def test_a_new_config_map_writes_no_status_of_a_pod_that_runs(cluster):
    cluster.run("p", "sleep 60")
    await cluster.until(lambda: cluster.conditions("p")["Ready"]["status"] == "True")
    count = len(cluster.states["p"])
    cluster.add("configmaps", "unrelated", data={"a": "x"})
    await asyncio.sleep(0.3)
    assert len(cluster.states["p"]) == count


@pytest.mark.parametrize("settings", ["never"], indirect=True)
async def test_without_namespaces_the_node_says_so(cluster):
    cluster.run("p", "exec sleep 60", volumes=volumes(a={"emptyDir": {}}))
    await cluster.phase("p", "Running")
    assert any(reason == "PathsMapped" for _, reason, _ in cluster.events("p"))
    node = cluster.registry.get("nodes", "", "standin-node")
    assert [entry["type"] for entry in node["status"]["conditions"] if entry["status"] == "True"] == [
        "Ready",
        "PathsMapped",
    ]


@pytest.mark.parametrize("settings", ["auto"], indirect=True)
async def test_namespaces_are_found_out(cluster):
    assert isinstance(cluster.node.runtime.namespaces, bool)
    cluster.run("p", "exit 0", restartPolicy="Never")
    await cluster.ended("p")
