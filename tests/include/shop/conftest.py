"""The shop's built trees, real processes that run them, and real databases."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest

from include.cluster.images import ImageStore
from include.shop.build import build_all


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every image of the shop, by reference."""
    return dict(build_all(ImageStore(tmp_path_factory.mktemp("images"))))


PYTHON = os.environ.get("SHOP_PYTHON", sys.executable)
"""Runs the programs: the oldest supported one is worth a try now and then."""


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 30) -> Any:
    """Return the condition's first true value; fail when there is none in time."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


class Program:
    """A running program of the shop."""

    def __init__(
        self, tree: Path, module: str, arguments: tuple[str, ...], env: dict[str, str], log: Path
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [PYTHON, "-m", module, *arguments],
                cwd=tree / "app",
                env=env,
                stdout=output,
                stderr=output,
            )
        self.place = ("", 0)

    def serving(self) -> Program:
        """Wait until it listens."""

        def found() -> re.Match[str] | None:
            assert self.process.poll() is None, self.output()
            return re.search(r"serving on ([\d.]+):(\d+)", self.output())

        match = wait_for(found, "the program serves")
        self.place = (match[1], int(match[2]))
        return self

    @property
    def url(self) -> str:
        return f"http://{self.place[0]}:{self.place[1]}"

    def output(self) -> str:
        return self.log.read_text()

    def call(self, method: str, path: str, body: Any = None, timeout: float = 10) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(*self.place, timeout=timeout)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            content = answer.read().decode()
        finally:
            connection.close()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(content) if is_json else content

    def get(self, path: str) -> tuple[int, Any]:
        return self.call("GET", path)

    def end(self, number: int = signal.SIGTERM, seconds: float = 15) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(seconds)


class Shop:
    """Starts and runs the programs of one test, with its own log directory."""

    listing: ClassVar[list[dict[str, Any]]] = []  # asked of the program once, for all tests

    def __init__(self, images: dict[str, Any], folder: Path) -> None:
        self.images = images
        self.folder = folder
        self.started: list[Program] = []
        self.env = {
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            "BIND_HOST": "127.0.0.61",
            "PORT": "0",
            "CONTROL_PORT": "0",
            "DRAIN_SECONDS": "0.1",
            "LOG_PATH": str(folder / "app.log"),
            "ORDER_LOG_PATH": str(folder / "orders.log"),
            "ORDER_TIME_SCALE": "0.004",
            "DATABASE_URL": f"sqlite:///{folder / 'shop.db'}",
            "DATABASE_WAIT_SECONDS": "5",
        }

    def start(
        self, image: str, module: str, *arguments: str, tree: Path | None = None, **env: str
    ) -> Program:
        log = self.folder / f"{module}-{len(self.started)}.out"
        program = Program(tree or self.images[image].path, module, arguments, {**self.env, **env}, log)
        self.started.append(program)
        return program

    def run(self, image: str, module: str, *arguments: str, expect: int = 0, **options: Any) -> str:
        """Run a program to its end and return what it printed."""
        program = self.start(image, module, *arguments, **options)
        status = program.process.wait(60)
        assert status == expect, program.output()
        return program.output()

    def migrate(self, *arguments: str, image: str = "shop:2.0.0", expect: int = 0, **options: Any) -> str:
        return self.run(image, "shop.migrate", *arguments, expect=expect, **options)

    def ids(self, release: int) -> list[str]:
        """The ids of a release's migrations, in order."""
        if not self.listing:
            self.listing.extend(json.loads(self.migrate("list", "--json")))
        return [entry["id"] for entry in self.listing if entry["release"] == release]

    def prepare(self, *releases: int) -> None:
        """Create the baseline and apply the migrations of these releases."""
        self.steps([("up", name) for release in releases for name in self.ids(release)])

    def steps(self, steps: list[tuple[str, str]]) -> None:
        """Create the baseline and migrate up or down, all in one process, which is quicker than one each."""
        code = (
            "import json, sys\nfrom shop import baseline, migrate\n"
            "sys.exit(baseline.main() or max([migrate.main(step) for step in json.loads(sys.argv[1])] or [0]))"
        )
        tree = self.images["shop:2.0.0"].path / "app"
        command = [PYTHON, "-c", code, json.dumps(steps)]
        done = subprocess.run(command, cwd=tree, env=self.env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def shop(images: dict[str, Any], tmp_path: Path) -> Iterator[Shop]:
    """The programs, with a SQLite database of the test's own."""
    shop = Shop(images, tmp_path)
    yield shop
    for program in shop.started:
        if program.process.poll() is None:
            program.process.kill()
            program.process.wait()


@pytest.fixture(params=["sqlite", "postgresql"])
def both(request: pytest.FixtureRequest, shop: Shop) -> Shop:
    """The programs, once with SQLite and once with PostgreSQL."""
    if request.param == "postgresql":
        folder = request.getfixturevalue("postgresql")
        name = f"shop_{time.time_ns()}"
        with psycopg.connect(f"postgresql://shop@/postgres?host={folder}", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        shop.env["DATABASE_URL"] = f"postgresql://shop@/{name}?host={folder}"
    return shop


@pytest.fixture
def until() -> Callable[..., Any]:
    """`wait_for`, for tests."""
    return wait_for
