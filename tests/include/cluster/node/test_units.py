"""The node's rules that need no process."""

from pathlib import Path

import pytest

from include.cluster.node.actions import duration
from include.cluster.node.addresses import Addresses
from include.cluster.node.backoff import Backoff
from include.cluster.node.env import expand
from include.cluster.node.paths import PathMap
from include.cluster.node.shim.logfile import LogFile
from include.cluster.node.shim.root import inside
from include.cluster.node.status import ContainerView, PodView, phase


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("$$(A)", "$(A)"),
        ("$$", "$"),
        ("$(B) $A", "$(B) $A"),
        ("a$(A)b$(A)", "a1b1"),
    ],
)
def test_expansion(text, expected):
    assert expand(text, {"A": "1"}) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/data", "/real/data"),
        ("/data/shop.db", "/real/data/shop.db"),
        ("sqlite:////data/shop.db", "sqlite:////real/data/shop.db"),
        ("cat /data/a>/logs/b", "cat /real/data/a>/real/logs/b"),
        ("--file=/data/a:/data/b", "--file=/real/data/a:/real/data/b"),
        ("/database /my/data /data-old", "/database /my/data /data-old"),
        ("/data/deeper/x", "/other/x"),
    ],
)
def test_paths_without_namespaces(text, expected):
    real = {"/data": Path("/real/data"), "/logs/": Path("/real/logs"), "/data/deeper": Path("/other")}
    assert PathMap(real).text(text) == expected


def test_backoff_doubles_and_the_first_is_free():
    backoff = Backoff(10, 300, free=1)
    delays = []
    for _ in range(8):
        backoff.fail(lasted=1)
        delays.append(backoff.delay)
    assert delays == [0, 10, 20, 40, 80, 160, 300, 300]
    backoff.fail(lasted=601)
    assert backoff.delay == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(10, "10s"), (80, "1m20s"), (300, "5m0s"), (0.2, "200ms"), (1.5, "1.5s"), (3600, "1h0m0s"), (0, "0s")],
)
def test_durations_as_go_writes_them(seconds, text):
    assert duration(seconds) == text


def test_addresses_are_unique_and_rest():
    addresses = Addresses()
    first = addresses.take("a")
    assert addresses.take("b") != first
    addresses.give_back("a")
    assert addresses.take("c") != first
    assert addresses.take("a", first) == first
    assert addresses.take("d", first) != first
    assert addresses.take("e", "10.0.0.1").startswith("127.")


def test_links_do_not_lead_out_of_the_root(tmp_path):
    (tmp_path / "var").mkdir()
    (tmp_path / "var/run").symlink_to("/run")
    (tmp_path / "up").symlink_to("../../../etc")
    assert inside(str(tmp_path), "/var/run/secrets") == f"{tmp_path}/run/secrets"
    assert inside(str(tmp_path), "/up/passwd") == f"{tmp_path}/etc/passwd"


def view(
    role: str, state: dict, *, last: dict | None = None, restart: bool = False, started: bool = False
) -> ContainerView:
    return ContainerView("c", role, {"state": state, "lastState": last or {}, "started": started}, restart)


RUNNING, WAITING = {"running": {}}, {"waiting": {}}


def ended(code: int) -> dict:
    return {"terminated": {"exitCode": code}}


@pytest.mark.parametrize(
    ("containers", "policy", "expected"),
    [
        ([view("main", WAITING)], "Always", "Pending"),
        ([view("main", RUNNING), view("main", WAITING)], "Always", "Pending"),
        ([view("main", RUNNING), view("main", WAITING, last=ended(1), restart=True)], "Always", "Running"),
        ([view("main", WAITING, last=ended(1), restart=True)], "OnFailure", "Running"),
        ([view("main", ended(0))], "Always", "Running"),
        ([view("main", ended(0)), view("main", ended(1))], "Never", "Failed"),
        ([view("main", ended(0)), view("main", ended(0))], "OnFailure", "Succeeded"),
        ([view("sidecar", RUNNING, started=True), view("main", ended(0))], "Never", "Running"),
        ([view("init", ended(1)), view("main", WAITING)], "Never", "Failed"),
        ([view("init", ended(1), restart=True), view("main", WAITING)], "Always", "Pending"),
    ],
)
def test_phase(containers, policy, expected):
    pod = PodView(address="", host="", start_time="", sandbox=True, restart_policy=policy)
    assert phase(containers, pod, "Pending") == expected
    assert phase(containers, pod, "Failed") == "Failed"


def test_a_log_line_ends_at_either_newline(tmp_path):
    log = LogFile(str(tmp_path / "log"))
    log.feed("stdout", b"a\r\nb\rc\nd\r")
    log.feed("stdout", b"\ne")
    log.close()
    lines = (tmp_path / "log").read_bytes().split(b"\n")
    assert [line.partition(b" stdout ")[2] for line in lines] == [b"F a", b"F b\rc", b"F d", b"P e", b""]
