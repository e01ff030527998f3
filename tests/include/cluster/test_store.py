"""The store: what is written is there after a restart, in order, and everybody hears of it in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.cluster.store import Change, StaleError, Store


def _obj(name: str, **more: Any) -> dict[str, Any]:
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name, "namespace": "a"}, **more}


def test_a_restart_keeps_objects_and_goes_on_counting(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    first = store.put("configmaps", _obj("x", data={"k": "ä"}))
    store.close()  # a kill does no less: each write is committed before it is told
    again = Store(tmp_path / "db")
    assert again.get("configmaps", "a", "x") == first
    second = again.put("configmaps", _obj("y"))
    assert int(second["metadata"]["resourceVersion"]) == int(first["metadata"]["resourceVersion"]) + 1
    assert again.oldest == int(first["metadata"]["resourceVersion"])


def test_lists_are_ordered_and_kept_apart_by_namespace(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    for namespace, name in (("b", "x"), ("a", "z"), ("a", "y")):
        store.put("pods", {"metadata": {"name": name, "namespace": namespace}})
    assert [obj["metadata"]["name"] for obj in store.list("pods")] == ["y", "z", "x"]
    assert [obj["metadata"]["name"] for obj in store.list("pods", "b")] == ["x"]


def test_a_write_over_another_version_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    old = store.put("configmaps", _obj("x"), expect="")
    with pytest.raises(StaleError):
        store.put("configmaps", _obj("x"), expect="")
    store.put("configmaps", _obj("x", data={}), expect=old["metadata"]["resourceVersion"])
    with pytest.raises(StaleError):
        store.put("configmaps", _obj("x"), expect=old["metadata"]["resourceVersion"])


def test_listeners_that_write_do_not_change_the_order_for_others(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    heard: list[int] = []

    def writer(change: Change) -> None:
        if change.key[2] == "x":
            store.put("configmaps", _obj("y"))

    store.listen(writer)
    store.listen(lambda change: heard.append(change.revision))
    store.put("configmaps", _obj("x"))
    assert heard == sorted(heard)
    assert len(heard) == 2


def test_a_removed_object_is_told_with_the_revision_of_its_end(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    store.put("configmaps", _obj("x"))
    last = store.remove("configmaps", "a", "x")
    assert last is not None
    assert last["metadata"]["resourceVersion"] == str(store.revision)
    assert store.history[-1].type == "DELETED"
    assert store.list("configmaps", "a") == []


def test_history_reaches_back_as_far_as_it_says(tmp_path: Path) -> None:
    store = Store(tmp_path / "db", history=3)
    for number in range(5):
        store.put("configmaps", _obj(f"x{number}"))
    assert store.oldest == store.revision - 3
