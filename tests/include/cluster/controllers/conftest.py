from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.include.cluster.controllers.kit import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "ca.crt").write_text("a certificate")
    made = World(tmp_path)
    await made.start()
    yield made
    await made.stop()
