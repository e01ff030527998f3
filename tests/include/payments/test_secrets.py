"""What a shop says in its trouble goes into logs, XComs and messages: without its passwords."""

from __future__ import annotations

import json
from typing import Any

import pytest

from include.payments import over_http
from include.payments.command import CommandShop
from include.payments.over_http import UPCOMMERCE, HttpShop
from include.payments.shop import ShopError
from include.release.kube import KubeError, Reply

URL = "postgresql://shop:hunter2@db:5432/shop"


class Asked:
    """A cluster whose Service gives one answer."""

    def __init__(self, answer: Reply | KubeError) -> None:
        self.answer = answer

    def ask_service(self, *_: Any, **__: Any) -> Reply:
        if isinstance(self.answer, KubeError):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    "answer",
    [
        Reply(500, json.dumps({"error": f"cannot connect to {URL}"})),
        Reply(409, f"cannot connect to {URL}"),
        Reply(404, f"cannot connect to {URL}", by_server=True),
        Reply(200, f"connected to {URL}"),
        Reply(200, json.dumps({"database": URL})),
        # cut to 200 characters in the middle of the password
        Reply(500, f"{'x' * 170} postgresql://shop:{'hunter2' * 9}@db"),
        KubeError(0, f"cannot connect to {URL}", "POST"),
    ],
)
def test_what_a_shop_answers(answer: Reply | KubeError, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_http, "ATTEMPTS", 1)
    there: Any = Asked(answer)
    shop = HttpShop(there, "sre", "upcommerce-service", 5000, UPCOMMERCE, by="swype", counts=True)
    with pytest.raises(ShopError) as caught:
        shop.hold("a test", "run-1")
    assert "hunter2" not in str(caught.value)
    assert "hunt" not in str(caught.value)
    assert "postgresql://shop:***" in str(caught.value)


class Ran:
    """A cluster in which every Job has ended so, with this log."""

    def __init__(self, condition: str, log: str) -> None:
        self.condition, self.written = condition, log

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        template = {"spec": {"containers": [{"name": "app", "image": "shop:1"}]}}
        conditions = [{"type": self.condition, "status": "True"}]
        return {
            "metadata": {"name": name},
            "spec": {"template": template},
            "status": {"conditions": conditions},
        }

    def list(self, kind: str, namespace: str, **_: Any) -> list[dict[str, Any]]:
        return [{"metadata": {"name": "pod-1"}}] if kind == "Pod" else []

    def create(self, manifest: dict[str, Any], namespace: str) -> None:
        """Nothing has to be kept."""

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Nothing is kept."""

    def log(self, *_: Any, **__: Any) -> str:
        return self.written


KEY = "\n".join(["-----BEGIN PRIVATE KEY-----", *["hunter2" * 9] * 30, "-----END PRIVATE KEY-----"])


@pytest.mark.parametrize(
    ("condition", "log"),
    [
        ("Failed", f"connecting\ncannot connect to {URL}\n"),
        ("Failed", f"password=hunter2\n{KEY}\nTraceback: bad key\n"),
        ("Complete", f"connecting\nconnected to {URL}\n"),
    ],
)
def test_what_a_command_prints(condition: str, log: str) -> None:
    there: Any = Ran(condition, log)
    commands: Any = {step: ["ask"] for step in ("hold", "roll_back", "release", "state")}
    shop = CommandShop(there, "sre", "upcommerce-app", commands, by="swype")
    with pytest.raises(ShopError) as caught:
        shop.state()
    assert "***" in str(caught.value)
    assert "hunter2" not in str(caught.value)
