"""A server for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.include.cluster.http.serving import Cluster, serve


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    yield from serve(tmp_path)
