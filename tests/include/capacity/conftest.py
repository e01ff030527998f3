"""Releases with capacity facts that a test may change."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from include.capacity.plan import Plan
from include.release.frozen import Frozen, freeze
from include.release.images import ImageLock, LockedImage
from include.release.loading import PROJECT, Sources, shown_path
from include.release.problems import RejectedError


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """A copy of the project's releases and configuration."""
    shutil.copytree(PROJECT / "include" / "releases", tmp_path / "releases")
    shutil.copytree(PROJECT / "include" / "config", tmp_path / "config")
    return Sources(tmp_path / "releases", tmp_path / "config")


@pytest.fixture
def frozen(sources: Sources) -> Callable[..., Frozen]:
    """Freezes a release after its file was changed (pairs of old and new text)."""

    def build(*pairs: tuple[str, str], release: str = "release-2", environment: str = "production") -> Frozen:
        change(sources.releases / f"{release}.yaml", *pairs)
        where = sources.environments().find(environment)
        assert where is not None
        images = {
            f"shop:{tag}": LockedImage(digest=f"sha256:{n * 64}")
            for tag, n in (("1.0.0", "1"), ("2.0.0", "2"))
        }
        lock = ImageLock(registry="registry.example.com", images=images)
        return freeze(sources.read_release(release), where, lock, sources.capacity_policy(where))

    return build


@pytest.fixture
def plan(frozen: Callable[..., Frozen]) -> Callable[..., Plan]:
    """The plan of a release after its file was changed."""

    def build(*pairs: tuple[str, str], **options: str) -> Plan:
        found = frozen(*pairs, **options).capacity()
        assert found is not None
        return found

    return build


@pytest.fixture
def rejected(frozen: Callable[..., Frozen], sources: Sources) -> Callable[..., str]:
    """What is said of a release after its file was changed."""

    def build(*pairs: tuple[str, str], **options: str) -> str:
        with pytest.raises(RejectedError) as raised:
            frozen(*pairs, **options)
        text = str(raised.value)
        for folder in (sources.releases, sources.config):
            text = text.replace(f"{shown_path(folder)}/", "")
        return text

    return build


def change(path: Path, *pairs: tuple[str, str]) -> None:
    """Replace the first occurrence of each text in a file."""
    text = path.read_text()
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    path.write_text(text)
