"""What can be set from outside, and which port the UI gets."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from include.release.loading import Sources
from tools.demo import airflow, options, ports
from tools.demo.cluster import UPCOMMERCE
from tools.demo.options import DemoError, Options


@pytest.fixture(autouse=True)
def nothing_reserved() -> Iterator[None]:
    yield
    while ports._reserved:
        ports._reserved.pop().close()


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_settings_come_from_make_s_variables() -> None:
    read = options.read({"PORT": "9090", "ONCE": "1", "KEEP": "", "PYTHON": ""})
    assert (read.port, read.once, read.keep) == (9090, True, False)


@pytest.mark.parametrize(("name", "value"), [("PORT", "http"), ("PORT", "70000"), ("ONCE", "maybe")])
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    with pytest.raises(DemoError, match=f"{name}={value}"):
        options.read({name: value})


def test_a_taken_usual_port_is_stepped_over_and_said(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "USUAL", taken)
    port, why = ports.choose(None)
    assert port != taken
    assert f"port {taken} is taken, using {port}" in why


def test_two_demos_do_not_choose_the_same_port() -> None:
    first, _ = ports.choose(None)
    second, _ = ports.choose(None)
    assert first != second


def test_a_taken_port_that_was_asked_for_is_refused(taken: int) -> None:
    with pytest.raises(DemoError, match=f"port {taken} is taken"):
        ports.choose(taken)


def test_shared_settings_are_airflow_s_and_hold_no_secret() -> None:
    shared = airflow.shared_settings()
    assert shared["AIRFLOW__CORE__PARALLELISM"] == "8"
    assert all(name.startswith("AIRFLOW__") for name in shared.keys() - {"PYTHONWARNINGS"})
    assert not [name for name in shared if name.endswith(("SECRET", "KEY", "PASSWORD"))]


def test_shared_settings_exist_in_this_airflow() -> None:
    from airflow.configuration import conf

    known = conf.configuration_description
    for name in airflow.shared_settings().keys() - {"PYTHONWARNINGS"}:
        _, section, option = name.lower().split("__")
        assert option in known[section]["options"], name


def test_the_demo_listens_on_this_machine_only() -> None:
    made = {"fernet": "f", "api": "a", "jwt": "j"}
    settings = airflow.settings(Options(), 8123, made)
    assert settings["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert settings["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8123/execution/"
    assert airflow.shared_settings().items() <= settings.items()


def test_who_approves_is_chosen_by_a_word() -> None:
    assert options.read({}).approve_by_hand is False
    assert options.read({"APPROVE": "me"}).approve_by_hand is True
    with pytest.raises(DemoError, match=r"APPROVE=you is not me"):
        options.read({"APPROVE": "you"})


def test_each_release_passes_qa_before_production() -> None:
    assert [step.title for step in options.STEPS] == [
        "release-1 to qa", "release-1 to production", "release-2 to qa", "release-2 to production",
    ]  # fmt: skip


def test_environments_and_namespaces_are_those_of_the_configuration() -> None:
    sources = Sources.from_environment()
    configured = sources.environments().environments
    places = {each.name: each.namespace for each in configured}
    assert {name: places[name] for name in sources.release_environment_names()} == options.ENVIRONMENTS
    assert places["payments"] == UPCOMMERCE
    records = f"AIRFLOW_CONN_{configured[0].records.upper()}"
    assert records in airflow.settings(Options(), 8123, {"fernet": "f", "api": "a", "jwt": "j"})
