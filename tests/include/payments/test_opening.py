"""What can be wrong with the payments of a guard in guards.yaml is said once, and what is right opens the shop meant."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from include.payments.command import CommandShop
from include.payments.opening import open_payments, shop_of
from include.payments.over_http import UPCOMMERCE, HttpShop
from include.release.loading import PROJECT, Sources
from include.release.problems import RejectedError
from include.restarts.guards import Guard, Payments
from include.restarts.loading import read_guards

GUARD = """guards:
  - name: swype
    title: UpCommerce's payment service
    environment: payments
    deployment: swype-app
    payments: """
PATHS = "hold: /hold, release: /release, state: /state"
COMMAND = "hold: [ask, hold], release: [ask, release], state: [ask]"
NEITHER = "a path such as /queue/hold (http), or a command such as [python3, -m, queue] (command)"
NOBODY: Any = None


@pytest.mark.parametrize(
    ("payments", "field", "expected"),
    [
        ("{kind: upcommerce, port: 5000, settle: keep}", "",
         "service and port of the shop, such as service: upcommerce-service, port: 5000"),
        ("{kind: upcommerce, service: s, port: 5000, settle: keep, hold: /x}", "",
         "no hold: kind upcommerce knows them; or kind: http"),
        (f"{{kind: http, service: s, port: 5000, settle: roll_back, {PATHS}}}", "",
         "roll_back: a path, such as /queue/hold"),
        ("{kind: http, service: s, port: 5000, settle: keep, hold: hold, release: /r, state: /s}", "",
         "hold: a path, such as /queue/hold"),
        (f"{{kind: command, settle: keep, {COMMAND}}}", "", "deployment: the one in whose image the commands are"),
        ("{kind: command, deployment: app, settle: keep, hold: x, release: [a], state: [b]}", "",
         "hold: a command, such as [python3, -m, queue, hold]"),
        ("{kind: command, deployment: app, settle: keep, hold: [], release: [a], state: [b]}", ".hold", NEITHER),
        ("{kind: http, service: s, port: 5000, settle: keep, hold: 3, release: /r, state: /s}", ".hold", NEITHER),
        ("{kind: upcommerce, service: s, port: 5000, settle: maybe}", ".settle", "roll_back or keep"),
        ("{kind: fax, settle: keep}", ".kind", "upcommerce, http or command"),
    ],
)  # fmt: skip
def test_bad_payments_are_said_once(tmp_path: Path, payments: str, field: str, expected: str) -> None:
    shutil.copy(PROJECT / "include" / "config" / "environments.yaml", tmp_path)
    (tmp_path / "guards.yaml").write_text(GUARD + payments + "\n")
    with pytest.raises(RejectedError) as error:
        read_guards(Sources(PROJECT / "include" / "releases", tmp_path))
    (problem,) = error.value.problems
    assert (problem.line, problem.field, problem.expected) == (6, f"guards[0].payments{field}", expected)


def payments(**given: Any) -> Payments:
    return Payments.model_validate({"settle": "keep", **given})


def test_each_kind_opens_its_shop() -> None:
    shop = shop_of(payments(kind="upcommerce", service="s", port=5000), NOBODY, "sre", "swype")
    assert isinstance(shop, HttpShop)
    assert (shop.paths, shop.by, shop.counts) == (UPCOMMERCE, "swype", True)
    paths = {"hold": "/a", "release": "/b", "state": "/c"}
    shop = shop_of(
        payments(kind="http", service="s", port=80, timeout_seconds=7, **paths), NOBODY, "sre", "x"
    )
    assert isinstance(shop, HttpShop)
    assert (shop.paths, shop.timeout, shop.counts) == (paths, 7, False)
    commands = {"hold": ["a"], "release": ["b"], "state": ["c", "d"]}
    shop = shop_of(payments(kind="command", deployment="app", **commands), NOBODY, "sre", "x")
    assert isinstance(shop, CommandShop)
    assert (shop.commands, shop.deployment) == (commands, "app")


def test_a_guard_without_payments_opens_nothing() -> None:
    guard = Guard(name="web", title="t", environment="payments", deployment="web")
    assert open_payments(guard, NOBODY, "sre") is None
