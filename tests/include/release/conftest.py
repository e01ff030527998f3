"""Release files that tests change and read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from include.release.environments import Environment
from include.release.frozen import Frozen, freeze
from include.release.images import ImageLock, LockedImage
from include.release.loading import PROJECT, Sources, shown_path
from include.release.problems import RejectedError


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """A copy of the project's releases and configuration that a test may break."""
    shutil.copytree(PROJECT / "include" / "releases", tmp_path / "releases")
    shutil.copytree(PROJECT / "include" / "config", tmp_path / "config")
    return Sources(tmp_path / "releases", tmp_path / "config")


@pytest.fixture
def lock() -> ImageLock:
    """A lock file with made-up digests."""
    images = {
        f"shop:{tag}": LockedImage(digest=f"sha256:{number * 64}", build=number * 64)
        for tag, number in (("1.0.0", "1"), ("2.0.0", "2"))
    }
    return ImageLock(registry="registry.example.com", images=images)


@pytest.fixture
def production(sources: Sources) -> Environment:
    found = sources.environments().find("production")
    assert found is not None
    return found


@pytest.fixture
def frozen(sources: Sources, production: Environment, lock: ImageLock) -> Frozen:
    """Release 2, frozen for production."""
    return freeze(sources.read_release("release-2"), production, lock)


@pytest.fixture
def rejected(sources: Sources) -> Callable[..., str]:
    """Change release-1.yaml (pairs of old and new text); returns what is said of it."""

    def change(*pairs: tuple[str, str]) -> str:
        path = sources.releases / "release-1.yaml"
        text = path.read_text()
        for old, new in pairs:
            assert old in text, old
            text = text.replace(old, new, 1)
        path.write_text(text)
        with pytest.raises(RejectedError) as raised:
            sources.read_release("release-1")
        return str(raised.value).replace(f"{shown_path(sources.releases)}/", "")

    return change
