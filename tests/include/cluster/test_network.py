"""Several stand-ins on one machine do not share service addresses."""

import ipaddress

from include.cluster import network
from include.cluster.registry import Registry, addresses
from include.cluster.settings import Settings
from include.cluster.store import Store


def claimed(path):
    path.mkdir(exist_ok=True)
    return network.claim(path)


def test_two_stand_ins_get_two_ranges_and_each_gets_its_own_again(tmp_path):
    first, held = claimed(tmp_path / "a")
    second, other = claimed(tmp_path / "b")
    try:
        assert first != second
        assert not ipaddress.ip_network(first).overlaps(ipaddress.ip_network(second))
    finally:
        held.close()
        other.close()
    again, held = claimed(tmp_path / "b")
    held.close()
    assert again == second


def test_services_move_when_their_range_is_another_stand_ins(tmp_path):
    store = Store(tmp_path / "objects.db")
    before = Registry(store, Settings(tmp_path, tmp_path, service_range="127.96.0.0/16"))
    before.create("namespaces", "", {"metadata": {"name": "x"}})
    before.create("services", "x", {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 8080}]}})
    assert before.get("services", "x", "web")["spec"]["clusterIP"].startswith("127.96.")

    after = Registry(store, Settings(tmp_path, tmp_path, service_range="127.99.0.0/16"))
    addresses.renumber(after)

    spec = after.get("services", "x", "web")["spec"]
    assert spec["clusterIP"].startswith("127.99.")
    assert spec["clusterIPs"] == [spec["clusterIP"]]
