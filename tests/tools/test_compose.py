"""docker-compose.yaml against the compose schema, the shared settings, and its set-up step. No engine runs here."""

from __future__ import annotations

import ipaddress
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from include.release.loading import Sources
from tools import compose_setup
from tools.demo import cluster
from tools.demo.airflow import shared_settings
from tools.demo.options import DemoError

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yaml"


def test_follows_the_compose_schema() -> None:
    check = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        str(COMPOSE),
    ]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_component_reads_the_shared_settings_and_repeats_none() -> None:
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    for name in ("api-server", "scheduler", "dag-processor", "triggerer", "set-up"):
        assert services[name]["env_file"] == ["include/config/airflow.env"]
        assert not shared_settings().keys() & services[name]["environment"].keys()


def test_records_are_in_a_database_that_the_server_makes() -> None:
    compose = yaml.safe_load(COMPOSE.read_text())
    for name in ("scheduler", "api-server", "triggerer"):
        value = compose["services"][name]["environment"]["AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS"]
        connection = json.loads(value.replace("${POSTGRES_PASSWORD:-airflow}", "secret"))
        assert connection["host"] == "postgres"
        assert f"CREATE DATABASE {connection['schema']};" in compose["configs"]["records"]["content"]
    sources = [each["source"] for each in compose["services"]["postgres"]["configs"]]
    assert sources == ["records"]


def test_airflow_and_the_shop_s_pods_reach_the_same_database() -> None:
    compose = yaml.safe_load(COMPOSE.read_text())
    postgres, made = compose["services"]["postgres"], compose["configs"]["records"]["content"]
    for name in ("scheduler", "triggerer"):
        value = compose["services"][name]["environment"]["AIRFLOW_CONN_SHOP_DATABASE"]
        connection = json.loads(value.replace("${POSTGRES_PASSWORD:-airflow}", "secret"))
        assert (connection["conn_type"], connection["host"]) == ("postgres", "postgres")
    orders = yaml.safe_load((ROOT / "include" / "config" / "orders.yaml").read_text())
    assert f"AIRFLOW_CONN_{orders['database'].upper()}" == "AIRFLOW_CONN_SHOP_DATABASE"
    environment = compose["services"]["set-up"]["environment"]
    url = environment["SHOP_DATABASE_URL"].replace("${POSTGRES_PASSWORD:-airflow}", "secret")
    address = ipaddress.ip_address(postgres["networks"]["default"]["ipv4_address"])
    assert url == f"postgresql://airflow:secret@{address}/{connection['schema']}"
    (network,) = compose["networks"]["default"]["ipam"]["config"]
    assert address in ipaddress.ip_network(network["subnet"])
    assert address not in ipaddress.ip_network(network["ip_range"])
    for namespace, own in (("course4", "shop"), ("course4-qa", "shop-course4-qa")):
        secret = {"kind": "Secret", "stringData": {"url": "sqlite:////data/shop.db"}}
        cluster._name_database(secret, namespace, url)
        assert secret["stringData"]["url"].endswith(f"/{own}")
        assert f"CREATE DATABASE {own};" in made.replace('"', "")


def test_mounted_paths_exist() -> None:
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    mounted = {entry.split(":")[0] for each in services.values() for entry in each.get("volumes", [])}
    local = [path for path in mounted if path.startswith("./")]
    assert local
    assert [path for path in local if not (ROOT / path).exists()] == []


@pytest.fixture
def registry() -> Iterator[str]:
    """A registry that has the shop's 1.0.0 and 2.0.0."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            known = self.path in ("/v2/shop/manifests/1.0.0", "/v2/shop/manifests/2.0.0")
            self.send_response(200 if known and "oci.image" in self.headers["Accept"] else 404)
            if known:
                self.send_header("Docker-Content-Digest", "sha256:" + self.path[-5] * 64)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_lock_has_the_registry_s_digests_and_is_read_by_the_release(
    registry: str, tmp_path: Path
) -> None:
    compose_setup.write_config(tmp_path, registry)
    sources = Sources(ROOT / "include" / "releases", tmp_path)
    production = sources.environments().find("production")
    assert production is not None
    lock = sources.image_lock(production)
    assert lock.resolve("shop:2.0.0") == "localhost:5000/shop:2.0.0@sha256:" + "2" * 64
    assert lock.build_of("shop:1.0.0")


def test_an_image_that_was_not_pushed_is_named(registry: str) -> None:
    with pytest.raises(DemoError, match=r"no swype:1\.0\.0 .*push"):
        compose_setup.digest_of("swype:1.0.0", registry)


def test_the_kubeconfig_gets_the_address_inside(tmp_path: Path) -> None:
    source = tmp_path / "config"
    source.write_text(
        yaml.safe_dump({"clusters": [{"name": "default", "cluster": {"server": "https://127.0.0.1:6443"}}]})
    )
    compose_setup.write_kubeconfig(source, tmp_path / "kubeconfig")
    assert (
        yaml.safe_load((tmp_path / "kubeconfig").read_text())["clusters"][0]["cluster"]["server"]
        == "https://k3s:6443"
    )
