"""What ``make orders`` does to the demo's database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.include.shop.conftest import images, shop  # noqa: F401 - fixtures
from tools.demo import orders


@pytest.fixture
def make(shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Callable[..., str]:  # noqa: F811
    """Runs ``make orders`` in a demo that is up; returns what it prints."""
    shop.prepare(1, 2)
    home = tmp_path / "demo" / "cluster"
    (home / "shop-data").mkdir(parents=True)
    (home / "kubeconfig").touch()
    (home / "shop-data" / "shop.db").symlink_to(shop.folder / "shop.db")
    monkeypatch.setenv("DEMO_DIR", str(home.parent))

    def run(mode: str, status: int = 0) -> str:
        assert orders.main([mode]) == status
        found = capsys.readouterr()
        return str(found.err if status else found.out)

    return run


def asked(shop: Any, statement: str) -> Any:  # noqa: F811
    with closing(sqlite3.connect(shop.folder / "shop.db")) as connection:
        return connection.execute(statement).fetchall()


def process(shop: Any, expect: int = 0) -> str:  # noqa: F811
    settings = {"ORDER_STOP_AFTER": "5", "ORDER_RETRY_SECONDS": "100"}
    return str(shop.run("shop:2.0.0", "shop.orders", "--once", expect=expect, **settings))


def test_a_bad_order_among_good_ones(make, shop):  # noqa: F811
    said = make("poison")
    process(shop)
    ((bad,),) = asked(shop, "SELECT id FROM orders WHERE status = 'held'")
    assert f"order {bad}, is for something that is in no catalog" in said
    assert f"with {bad} in 'Open again'" in said
    assert asked(shop, "SELECT count(*) FROM orders WHERE status = 'processed'") == [(27,)]
    make("ok")
    shop.run("shop:2.0.0", "shop.orders", "--reopen", str(bad))
    process(shop)
    assert asked(shop, "SELECT DISTINCT status FROM orders") == [("processed",)]


def test_everything_fails_until_it_is_put_right(make, shop):  # noqa: F811
    assert "handed over to the developers" in make("systemic")
    assert "stopped: error #12 on" in process(shop, expect=4)
    make("systemic")
    make("ok")
    process(shop)
    assert asked(shop, "SELECT DISTINCT status FROM orders") == [("processed",)]


def test_a_burst_is_taken_back(make, shop):  # noqa: F811
    assert "Outstanding orders too high" in make("burst")
    assert asked(shop, "SELECT count(*) FROM orders WHERE status = 'open'") == [(1520,)]
    make("ok")
    assert asked(shop, "SELECT count(*) FROM orders WHERE status = 'open'") == [(28,)]


def test_without_a_demo_or_before_release_2_one_line_says_so(make, shop, tmp_path, monkeypatch):  # noqa: F811
    with closing(sqlite3.connect(shop.folder / "shop.db")) as connection, connection:
        connection.execute("DROP TABLE order_problems")
    assert make("ok", 1) == "error: the shop processes no orders yet: wait until release-2 is in production\n"
    monkeypatch.setenv("DEMO_DIR", str(tmp_path))
    assert make("ok", 1) == "error: no demo is up: run make demo in another terminal first\n"
