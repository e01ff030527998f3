"""A shop with the order processor of release 2, for whole runs of the DAGs of order processing."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from include.cluster.images import ImageStore
from include.jobs.state import job_state
from include.records.store import Records
from include.release.frozen import NOTE_RELEASE
from include.release.loading import PROJECT
from tests.standin import TEST, Standin, install_shop

SCALE = "0.004"
"""An order takes some hundredths of a second."""


class Shop:
    """The shop in a namespace, its database, and the configuration of its order processing."""

    def __init__(self, cluster: Standin, namespace: str, folder: Path, patch: Any) -> None:
        self.cluster, self.namespace, self.folder = cluster, namespace, folder
        self.client = cluster.connect()
        install_shop(self.client, namespace)
        claim = self.client.get("PersistentVolumeClaim", namespace, "shop-data")
        assert claim is not None
        self.database = cluster.kubeconfig.parent / "volumes" / claim["spec"]["volumeName"] / "shop.db"
        self._migrate()
        self.sql("UPDATE orders SET status = 'processed'")
        self._configure(patch)
        self.deploy()

    def _migrate(self) -> None:
        """Both releases' migrations, in one Job."""
        text = (PROJECT / "include" / "shop" / "manifests" / "shop" / "baseline-job.yaml").read_text()
        job = yaml.safe_load(text)
        job["metadata"]["name"] = "migrate-all"
        (container,) = job["spec"]["template"]["spec"]["containers"]
        code = (
            "from shop import migrate, migrations\n"
            "for name in migrations.of_this_build():\n    assert migrate.main(['up', name]) == 0, name"
        )
        container |= {"image": "shop:2.0.0", "command": ["python3", "-c", code]}
        self.client.create(job, self.namespace)
        deadline = time.monotonic() + 60
        while job_state(self.client.get("Job", self.namespace, "migrate-all") or {}).phase != "complete":
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def _configure(self, patch: Any) -> None:
        shutil.copytree(PROJECT / "include" / "config", self.folder / "config")
        shutil.copytree(PROJECT / "include" / "releases", self.folder / "releases")
        self.change("environments", lambda found: self._place(found))
        kubernetes = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(self.cluster.kubeconfig)}}
        self.records = Records(f"sqlite:///{self.folder / 'records.db'}")
        for name, value in {
            "AIRFLOW_CONN_PLAN_REDUCE_REPEAT_RECORDS": f"sqlite:///{self.folder / 'records.db'}",
            "AIRFLOW_CONN_KUBERNETES_SHOP": json.dumps(kubernetes),
            "AIRFLOW_CONN_SHOP_DATABASE": self.connection(),
            "PLAN_REDUCE_REPEAT_CONFIG": str(self.folder / "config"),
            "PLAN_REDUCE_REPEAT_RELEASES": str(self.folder / "releases"),
            "PLAN_REDUCE_REPEAT_DOCUMENTS": str(self.folder / "documents"),
        }.items():
            patch.setenv(name, value)

    def _place(self, found: dict[str, Any]) -> None:
        for each in found["environments"]:
            if each["name"] == "production":
                each |= {"namespace": self.namespace, "may_trigger": ["*"]}

    def change(self, name: str, by: Any) -> None:
        """Change a file of the configuration."""
        path = self.folder / "config" / f"{name}.yaml"
        found = yaml.safe_load(path.read_text())
        by(found)
        path.write_text(yaml.safe_dump(found, sort_keys=False))

    def connection(self, path: Path | None = None) -> str:
        """The Airflow connection to the database, or to a file in its place."""
        value = {"conn_type": "sqlite", "host": str(path or self.database), "extra": {"mode": "ro"}}
        return json.dumps(value)

    def deploy(self, **env: str) -> None:
        """The live Deployment, as release 2 has it, without pods."""
        release = yaml.safe_load((PROJECT / "include" / "releases" / "release-2.yaml").read_text())
        (manifest,) = [each for each in release["objects"] if each["metadata"]["name"] == "order-processor"]
        settings = next(
            each for each in release["configuration"]["config_maps"] if each["name"] == "order-settings"
        )
        settings["data"] |= {"ORDER_TIME_SCALE": SCALE, **env}
        config = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "order-settings"},
            "data": settings["data"],
        }
        image = ImageStore(TEST / "images").resolve("standin.local/shop:2.0.0")
        assert image is not None
        manifest["metadata"]["annotations"] = {NOTE_RELEASE: "release-2"}
        manifest["spec"]["replicas"] = 0
        (container,) = manifest["spec"]["template"]["spec"]["containers"]
        container["image"] = f"standin.local/shop:2.0.0@{image.digest}"
        container["resources"] = {"requests": {"cpu": "500m", "memory": "256Mi"}}
        for each in (config, manifest):
            self.client.apply(each, self.namespace, manager="tests", force=True)

    def sql(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement."""
        with closing(sqlite3.connect(self.database, timeout=30)) as connection, connection:
            return connection.execute(statement, parameters).fetchall()

    def order(self, items: Iterable[str]) -> list[int]:
        """Place orders; returns their numbers."""
        for item in items:
            self.sql(
                "INSERT INTO orders (user_id, item, quantity, created_at) VALUES (1, ?, 1, "
                "strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
                item,
            )
        return [row[0] for row in self.sql("SELECT id FROM orders WHERE status = 'open' ORDER BY id")]

    def status(self) -> dict[str, int]:
        """How many orders have which status."""
        return dict(self.sql("SELECT status, count(*) FROM orders GROUP BY status"))

    def twice(self) -> list[tuple[Any, ...]]:
        """Orders that were fulfilled more than once."""
        return self.sql("SELECT order_id FROM fulfilments GROUP BY order_id HAVING count(*) > 1")

    def forget(self) -> None:
        """Forget every problem, also one that was over a moment ago: it would not be told again so soon."""
        self.records.was_told("")  # there are tables from then on
        with closing(sqlite3.connect(self.folder / "records.db", timeout=30)) as connection, connection:
            connection.execute("DELETE FROM procedure_problems")
