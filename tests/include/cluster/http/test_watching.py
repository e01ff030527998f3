"""Watches: many at once, clients that leave, histories that end."""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from include.cluster.settings import Settings
from tests.include.cluster.http.serving import Cluster, serve

MAPS = "/api/v1/namespaces/default/configmaps"


def test_every_watcher_hears_of_every_change_in_order(cluster: Cluster) -> None:
    start = cluster.server.registry.store.revision
    registry = cluster.server.registry

    def make() -> None:
        for number in range(50):
            registry.create("configmaps", "default", {"metadata": {"name": f"x{number}"}})

    def watch(_: int) -> list[str]:
        found = cluster.ask("GET", f"{MAPS}?watch=1&timeoutSeconds=2&resourceVersion={start}")
        return [json.loads(line)["object"]["metadata"]["name"] for line in found.text.splitlines()]

    with ThreadPoolExecutor(9) as pool:
        heard = [pool.submit(watch, number) for number in range(8)]
        time.sleep(0.5)
        cluster.run(make)
        assert all(one.result() == [f"x{number}" for number in range(50)] for one in heard)


def test_a_client_that_leaves_is_forgotten(cluster: Cluster) -> None:
    port = cluster.server.settings.port
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=cluster.context, timeout=5)
    connection.request("GET", f"{MAPS}?watch=1", headers={"Authorization": f"Bearer {cluster.token}"})
    connection.getresponse()
    watchers = cluster.server.api.hub.watching
    assert cluster.run(lambda: watchers("configmaps")) == 1
    connection.sock and connection.sock.close()
    connection.close()
    end = time.monotonic() + 5
    while cluster.run(lambda: watchers("configmaps")) and time.monotonic() < end:
        time.sleep(0.05)
    assert cluster.run(lambda: watchers("configmaps")) == 0


def test_what_is_older_than_the_history_has_expired(tmp_path: Path) -> None:
    for cluster in serve(tmp_path, Settings(tmp_path, tmp_path / "images", watch_history=3)):
        page = cluster.ask("POST", MAPS, {"metadata": {"name": "a"}}) and cluster.ask(
            "POST", MAPS, {"metadata": {"name": "b"}}
        )
        old = page.json["metadata"]["resourceVersion"]
        token = cluster.ask("GET", f"{MAPS}?limit=1").json["metadata"]["continue"]
        for number in range(5):
            cluster.ask("POST", MAPS, {"metadata": {"name": f"x{number}"}})
        watched = cluster.ask("GET", f"{MAPS}?watch=1&resourceVersion={old}&timeoutSeconds=5")
        event = json.loads(watched.text)
        assert (watched.code, event["type"], event["object"]["code"], event["object"]["reason"]) == (
            200,
            "ERROR",
            410,
            "Expired",
        )
        assert event["object"]["message"].startswith(f"too old resource version: {old} (")
        exact = cluster.ask("GET", f"{MAPS}?resourceVersion={old}&resourceVersionMatch=Exact")
        assert (exact.code, exact.json["message"]) == (
            410,
            "The resourceVersion for the provided list is too old.",
        )
        rest = cluster.ask("GET", f"{MAPS}?limit=1&continue={token}")
        assert (rest.code, rest.json["reason"]) == (410, "Expired")
        inconsistent = rest.json["metadata"]["continue"]
        names = [
            item["metadata"]["name"]
            for item in cluster.ask("GET", f"{MAPS}?continue={inconsistent}").json["items"]
        ]
        assert names[0] == "b"
        assert cluster.ask("GET", f"{MAPS}?resourceVersion={old}").code == 200


def test_pages_show_one_moment(cluster: Cluster) -> None:
    for name in ("a", "b", "c"):
        cluster.ask("POST", MAPS, {"metadata": {"name": name}})
    first = cluster.ask("GET", f"{MAPS}?limit=1").json
    assert first["metadata"]["remainingItemCount"] == 2
    cluster.ask("DELETE", f"{MAPS}/b")
    cluster.ask("POST", MAPS, {"metadata": {"name": "bb"}})
    rest = cluster.ask("GET", f"{MAPS}?continue={first['metadata']['continue']}").json
    assert [item["metadata"]["name"] for item in rest["items"]] == ["b", "c"]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
