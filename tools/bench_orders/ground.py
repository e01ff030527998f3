"""What the benchmark runs on: the shop's build, fresh databases, a shipper."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import yaml

from include.cluster.images import ImageStore
from include.shop.build import build_all
from include.shop.shop.common.db import POSTGRESQL, Database
from tools.bench_orders.options import Options
from tools.bench_red_button import postgres
from tools.demo.options import ROOT, DemoError

Say = Callable[[str], None]
RELEASES = ("release-1", "release-2")
WITHIN = 30.0


@dataclass
class Ground:
    """The processor's build and where its files are.

    Args:
        trees: the directory in which programs of an image run, per image.
        servers: the databases that can be measured: name, and URL without the database's name where it is a server.
    """

    home: Path
    trees: dict[str, Path]
    postgresql: str | None
    _number: int = field(default=0, init=False)

    @property
    def databases(self) -> tuple[str, ...]:
        """What can be measured."""
        return ("sqlite", "postgresql") if self.postgresql else ("sqlite",)

    def fresh(self, kind: str) -> str:
        """The URL of a new database with the tables of release 2, and no order. Raises DemoError."""
        self._number += 1
        if kind == "sqlite":
            url = f"sqlite:///{self.home / f'shop-{self._number}.db'}"
        else:
            name = f"shop_{self._number}"
            with psycopg.connect(str(self.postgresql), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")
            url = str(self.postgresql).replace(f"/{postgres.DATABASE}?", f"/{name}?")
        self.run("shop.baseline", url)
        for step in steps():
            self.run("shop.migrate", url, "up", step)
        database = Database(url)
        with database.transaction() as connection:
            connection.execute("DELETE FROM orders")
        database.close()
        return url

    def environment(self, url: str, **more: str) -> dict[str, str]:
        """Variables for a program of the shop."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            "DATABASE_URL": url,
            "BIND_HOST": "127.0.0.62",
            "PORT": "0",
            "CONTROL_PORT": "0",
            **more,
        }

    def run(self, module: str, url: str, *arguments: str) -> None:
        """Run a program of the build to its end. Raises DemoError."""
        command = [sys.executable, "-m", module, *arguments]
        done = subprocess.run(
            command,
            cwd=self.trees["shop:2.0.0"],
            env=self.environment(url),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise DemoError(f"{module} {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")

    @contextlib.contextmanager
    def shipper(self, ledger: Path) -> Iterator[str]:
        """A shipper that notes shipments in the file; yields its URL. Raises DemoError."""
        log = ledger.with_suffix(".log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "shop.shipper"],
                cwd=self.trees["shipper:1.0.0"],
                env=self.environment("", SHIPPER_LEDGER=str(ledger)),
                stdout=output,
                stderr=output,
            )
        try:
            limit = time.monotonic() + WITHIN
            while not (place := re.search(r"taking shipments on (\S+)", log.read_text())):
                if process.poll() is not None or time.monotonic() > limit:
                    raise DemoError(f"the shipper does not start:\n{log.read_text()}")
                time.sleep(0.05)
            yield f"http://{place[1]}"
        finally:
            process.terminate()
            process.wait(WITHIN)


@contextlib.contextmanager
def ground(options: Options, say: Say) -> Iterator[Ground]:
    """Build the shop, and start PostgreSQL where it is installed; all is ended and removed. Raises DemoError."""
    shutil.rmtree(options.home, ignore_errors=True)
    options.home.mkdir(parents=True)
    try:
        say("Building the shop")
        images = build_all(ImageStore(options.home / "images"))
        trees = {reference: image.path / "app" for reference, image in images}
        with contextlib.ExitStack() as stack:
            url = None
            if postgres.binaries() is not None:
                say("Starting PostgreSQL")
                found = stack.enter_context(postgres.server(options.home / "postgresql", durable=True))
                url = found.replace("+psycopg2", "")
            yield Ground(options.home, trees, url)
    finally:
        shutil.rmtree(options.home, ignore_errors=True)


def steps() -> list[str]:
    """The ids of the migrations of both releases, in their order."""
    found = []
    for name in RELEASES:
        text = (ROOT / "include" / "releases" / f"{name}.yaml").read_text(encoding="utf-8")
        found += [step["id"] for step in yaml.safe_load(text)["migrations"]["steps"]]
    return found


def place_orders(url: str, quantities: Sequence[int]) -> None:
    """Place orders of so many pieces each."""
    database = Database(url)
    with database.transaction() as connection:
        for quantity in quantities:
            connection.insert(
                "INSERT INTO orders (user_id, item, quantity, created_at) VALUES (1, 'Monstera', ?, '2023-01-01T00:00:00Z')",
                (quantity,),
            )
    database.close()


def place_many(url: str, orders: int) -> None:
    """Place very many orders of one piece, in one statement."""
    database = Database(url)
    columns = "INSERT INTO orders (user_id, item, quantity, created_at) SELECT 1, 'Monstera', 1, '2023-01-01T00:00:00Z'"
    with database.transaction() as connection:
        if connection.dialect == POSTGRESQL:
            connection.execute(f"{columns} FROM generate_series(1, ?)", (orders,))
        else:
            connection.execute(
                f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) {columns} FROM n",
                (orders,),
            )
    with database.connection() as connection:
        connection.execute("ANALYZE")  # as PostgreSQL does by itself a minute later
    database.close()
