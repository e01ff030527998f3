"""The main application as a process: both builds, readiness, log rotation, and an end that drops nothing."""

from __future__ import annotations

import http.client
import re
import shutil
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

USER = {"first_name": "Ann", "last_name": "Lee", "email": "ann@plants.example", "password": "Green-Leaf-2024"}


@pytest.mark.parametrize("image", ["shop:1.0.0", "shop:2.0.0"])
def test_version_tells_release_and_build(shop: Any, image: str) -> None:
    app = shop.start(image, "shop.app").serving()
    status, version = app.get("/version")
    assert status == 200
    assert (version["program"], version["version"]) == ("app", image.partition(":")[2])
    assert version["release"] == int(version["version"][0])
    assert re.fullmatch("[0-9a-f]{64}", version["build"])
    assert app.get("/healthz") == (200, {"healthy": True})


def test_build_id_is_that_of_the_files(shop: Any, tmp_path: Any) -> None:
    tree = tmp_path / "changed"
    shutil.copytree(shop.images["shop:1.0.0"].path, tree)
    with (tree / "app/shop/search_v1.py").open("a") as file:
        file.write("# one line more\n")
    builds = {
        shop.start("shop:1.0.0", "shop.app", tree=t).serving().get("/version")[1]["build"]
        for t in (tree, None, None)
    }
    assert len(builds) == 2


def test_ready_only_with_a_schema_that_is_new_enough(shop: Any) -> None:
    first = shop.start("shop:1.0.0", "shop.app").serving()
    status, answer = first.get("/readyz")
    assert (status, answer["ready"]) == (503, False)
    assert "baseline" in answer["reason"]
    shop.prepare(1)
    assert first.get("/readyz") == (200, {"ready": True})
    second = shop.start("shop:2.0.0", "shop.app").serving()
    status, answer = second.get("/readyz")
    assert status == 503
    assert answer["reason"].endswith("not applied: " + ", ".join(shop.ids(2)))
    shop.prepare(1, 2)
    assert second.get("/readyz") == (200, {"ready": True})
    shop.env["DATABASE_URL"] = "sqlite:////nowhere/shop.db"
    lost = shop.start("shop:2.0.0", "shop.app").serving()
    status, answer = lost.get("/readyz")
    assert status == 503
    assert "does not answer" in answer["reason"]
    assert lost.get("/healthz")[0] == 200


def test_both_builds_work_on_one_schema_while_pods_roll(both: Any) -> None:
    both.prepare(1, 2)
    old = both.start("shop:1.0.0", "shop.app").serving()
    new = both.start("shop:2.0.0", "shop.app").serving()
    assert old.get("/readyz")[0] == new.get("/readyz")[0] == 200
    for app, email in ((old, "ann@plants.example"), (new, "bob@plants.example")):
        status, user = app.call("POST", "/users", {**USER, "email": email, "middle_name": "Mae"})
        assert status == 201
        assert new.get(f"/users/{user['id']}")[1]["middle_name"] == "Mae"
        status, order = app.call(
            "POST", "/orders", {"user_id": user["id"], "item": "Monstera", "quantity": 2}
        )
        assert (status, order["status"]) == (201, "open")
        assert old.get(f"/orders/{order['id']}")[1]["item"] == "Monstera"
    assert old.call("POST", "/users", USER)[0] == 409
    assert new.get("/orders")[1] == {"open": 22}
    # A page the old build does not have is in no menu that the old build shows.
    assert old.get("/catalog/exotic")[0] == 404
    assert "/catalog/exotic" not in [entry["path"] for entry in old.get("/menu")[1]["menu"]]
    assert [section["section"] for section in new.get("/menu")[1]["menu"]] == ["Shop", "Mine", "More"]
    assert len(new.get("/catalog/exotic")[1]["plants"]) == 6
    assert new.get("/catalog/exotic/2")[1]["permit_needed"] is True


def test_password_requirements_are_all_told(shop: Any) -> None:
    shop.prepare(1)
    app = shop.start("shop:1.0.0", "shop.app").serving()
    status, answer = app.call("POST", "/users", {**USER, "password": "short"})
    assert status == 422
    assert len(answer["unmet"]) == 4
    assert app.call("POST", "/users", USER)[0] == 201


def test_search_takes_what_is_typed_as_a_value(both: Any) -> None:
    both.prepare(1, 2)
    for image in ("shop:1.0.0", "shop:2.0.0"):
        app = both.start(image, "shop.app").serving()
        assert [plant["name"] for plant in app.get("/catalog?q=VINE")[1]["plants"]] == ["Swiss cheese vine"]
        assert app.get("/catalog?q=%25")[1]["plants"] == []
        assert app.get("/catalog?q=%27%20OR%20%27%27%3D%27")[1]["plants"] == []
        prices = [plant["price_cents"] for plant in app.get("/catalog?sort=price_cents")[1]["plants"]]
        assert prices == sorted(prices)


def test_the_injection_that_release_2_fixes(shop: Any) -> None:
    shop.prepare(1, 2)
    # Ordering by a question about another table reads that table, one bit at a time.
    sort = "(SELECT%20count(*)%20FROM%20accounts)"
    assert shop.start("shop:1.0.0", "shop.app").serving().get(f"/catalog?sort={sort}")[0] == 200
    status, answer = shop.start("shop:2.0.0", "shop.app").serving().get(f"/catalog?sort={sort}")
    assert (status, answer) == (400, {"error": "sort: expected one of name, price_cents"})


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/users/0x1", None, 404),
        ("GET", "/users/99999", None, 404),
        ("GET", "/nowhere", None, 404),
        ("DELETE", "/orders", None, 405),
        ("POST", "/orders", [1], 400),
        ("POST", "/orders", {"user_id": 1, "item": "Monstera", "quantity": 0}, 422),
        ("POST", "/orders", {"user_id": 999, "item": "Monstera", "quantity": 1}, 422),
        ("POST", "/orders", {"user_id": True, "item": "Monstera", "quantity": 1}, 422),
        ("POST", "/users", {**USER, "email": "nul\0"}, 422),
    ],
)
def test_wrong_requests_are_refused(shop: Any, method: str, path: str, body: Any, status: int) -> None:
    shop.prepare(1)
    app = shop.start("shop:1.0.0", "shop.app").serving()
    assert app.call(method, path, body)[0] == status


def test_access_log_follows_rotation(shop: Any, until: Callable[..., Any]) -> None:
    shop.prepare(1)
    app = shop.start("shop:1.0.0", "shop.app").serving()
    log = shop.folder / "app.log"
    app.get("/menu")
    until(lambda: log.exists() and "GET /menu" in log.read_text(), "the request is logged")
    log.rename(log.with_suffix(".1"))
    app.get("/catalog")
    until(lambda: log.exists() and "GET /catalog" in log.read_text(), "a new log is begun")
    assert "GET /catalog" not in log.with_suffix(".1").read_text()
    app.process.send_signal(signal.SIGHUP)
    app.get("/healthz")
    app.get("/orders")
    until(lambda: "GET /orders" in log.read_text(), "SIGHUP ends nothing")
    assert "/healthz" not in log.read_text()


def test_a_full_log_volume_does_not_stop_the_shop(shop: Any, until: Callable[..., Any]) -> None:
    shop.prepare(1)
    app = shop.start("shop:1.0.0", "shop.app", LOG_PATH="/dev/full").serving()
    assert app.get("/menu")[0] == app.get("/menu")[0] == 200
    until(lambda: "cannot write /dev/full" in app.output(), "it is said")
    assert app.output().count("cannot write /dev/full") == 1


def test_metrics_are_prometheus_text(shop: Any, until: Callable[..., Any]) -> None:
    shop.prepare(1)
    app = shop.start("shop:1.0.0", "shop.app").serving()
    app.get("/menu")
    app.get("/nowhere")
    until(
        lambda: 'shop_http_requests_total{status="404"} 1' in app.get("/metrics")[1], "the request is counted"
    )
    text = app.get("/metrics")[1]
    assert 'shop_build_info{program="app",version="1.0.0"} 1' in text


def test_no_request_is_lost_when_it_ends(shop: Any) -> None:
    shop.prepare(1)
    app = shop.start("shop:1.0.0", "shop.app", DRAIN_SECONDS="1").serving()
    statuses: list[int] = []
    broken: list[str] = []
    left = threading.Event()  # what a Service does: no new connection to a pod that is not ready

    def client(keep: bool) -> None:
        connection = http.client.HTTPConnection(*app.place, timeout=10)
        while not left.is_set():
            try:
                connection.request("GET", "/catalog", headers={} if keep else {"Connection": "close"})
                answer = connection.getresponse()
                answer.read()
                statuses.append(answer.status)
            except (OSError, http.client.HTTPException) as error:
                broken.append(repr(error))
                return

    clients = [threading.Thread(target=client, args=(number % 2 == 0,)) for number in range(6)]
    for thread in clients:
        thread.start()
    while len(statuses) < 200 and not broken:
        time.sleep(0.01)
    app.process.send_signal(signal.SIGTERM)
    before = len(statuses)
    while app.get("/readyz")[0] == 200:
        time.sleep(0.01)
    time.sleep(0.2)
    left.set()
    for thread in clients:
        thread.join(10)
    assert app.process.wait(10) == 0
    assert broken == []
    assert set(statuses) == {200}
    assert len(statuses) > before


def test_a_request_in_flight_is_finished(shop: Any, until: Callable[..., Any]) -> None:
    shop.prepare(1)
    app = shop.start("shop:1.0.0", "shop.app", DRAIN_SECONDS="0").serving()
    with socket.create_connection(app.place, timeout=10) as slow:
        slow.sendall(b"GET /menu HTTP/1.1\r\n")
        time.sleep(0.2)
        app.process.send_signal(signal.SIGTERM)
        until(lambda: refused(app.place), "the listener is closed")
        assert app.process.poll() is None
        slow.sendall(b"Host: shop\r\n\r\n")
        answer = b"".join(iter(lambda: slow.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close" in answer
    assert app.process.wait(10) == 0


def refused(place: tuple[str, int]) -> bool:
    try:
        socket.create_connection(place, timeout=5).close()
    except ConnectionError:
        return True
    return False


def test_readiness_ends_before_the_listener(shop: Any, until: Callable[..., Any]) -> None:
    shop.prepare(1)
    app = shop.start("shop:1.0.0", "shop.app", DRAIN_SECONDS="1").serving()
    app.process.send_signal(signal.SIGTERM)
    until(lambda: app.get("/readyz")[0] == 503, "readiness is refused", 1)
    assert "draining" in app.get("/readyz")[1]["reason"]
    assert app.get("/menu")[0] == 200
    assert app.process.wait(10) == 0


def test_thousands_of_requests_on_many_connections(shop: Any, until: Callable[..., Any]) -> None:
    shop.prepare(1)
    app = shop.start("shop:1.0.0", "shop.app").serving()
    answered: list[int] = []

    def client() -> None:
        connection = http.client.HTTPConnection(*app.place, timeout=30)
        for _ in range(100):
            connection.request("GET", "/menu")
            answer = connection.getresponse()
            answer.read()
            answered.append(answer.status)
        connection.close()

    clients = [threading.Thread(target=client) for _ in range(20)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join(60)
    assert answered == [200] * 2000
    log = shop.folder / "app.log"
    # A request is logged after its answer has gone.
    until(lambda: len(log.read_text().splitlines()) >= 2000, "every request is logged")
    assert len(log.read_text().splitlines()) == 2000


def test_setting_that_makes_no_sense_is_named(shop: Any) -> None:
    output = shop.run("shop:1.0.0", "shop.app", PORT="eighty", expect=2)
    assert "PORT is 'eighty': expected a number" in output


def test_database_is_in_wal_mode(shop: Any) -> None:
    shop.prepare()
    with sqlite3.connect(shop.folder / "shop.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
