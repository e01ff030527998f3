"""The image store: trees by digest, and the names that point at them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from include.cluster.images.builder import Builder, Config
from include.cluster.images.reference import Reference

BASE_REFERENCE = "standin.local/python:3"
"""The built-in base image: no files of its own, the host's ``python3`` and ``sh``."""

_OFFICIAL_PYTHON = "docker.io/library/python"
_BASE_CONFIG: Config = {
    "Env": ["PATH=/opt/standin/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    "Cmd": ["python3"],
}


@dataclass(frozen=True)
class Image:
    """An image: the directory ``path`` holds its files, ``config`` is an OCI image configuration's inner part.

    ``config`` may have Env (``NAME=value`` texts), WorkingDir, User, Entrypoint, Cmd, Labels, ExposedPorts.
    """

    digest: str
    path: Path
    config: Config = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes in its files."""
        return sum(path.lstat().st_size for path in self.path.rglob("*") if not path.is_dir())


def digest_of(tree: Path, config: Config) -> str:
    """``sha256:`` of the sorted paths, their executable bit and content, and of the configuration."""
    total = hashlib.sha256()
    for path in sorted(tree.rglob("*"), key=lambda item: item.relative_to(tree).as_posix()):
        name = path.relative_to(tree).as_posix()
        if path.is_symlink():
            kind, content = "link", os.fsencode(path.readlink())
        elif path.is_dir():
            kind, content = "dir", b""
        else:
            kind, content = "exec" if path.stat().st_mode & 0o111 else "file", path.read_bytes()
        total.update(f"{len(name)}:{name} {kind} {hashlib.sha256(content).hexdigest()}\n".encode())
    total.update(json.dumps(config, sort_keys=True).encode())
    return f"sha256:{total.hexdigest()}"


class ImageStore:
    """The images below one directory. Several processes may use it at once.

    Args:
        root: the directory; made when absent.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._trees = root / "sha256"
        self._names = root / "refs.json"
        self._trees.mkdir(parents=True, exist_ok=True)
        if self.resolve(BASE_REFERENCE) is None:
            with tempfile.TemporaryDirectory(dir=root, prefix=".build-") as work:
                empty = Path(work) / "empty"
                empty.mkdir()
                self.tag(self._keep(empty, dict(_BASE_CONFIG)), BASE_REFERENCE)

    def build(
        self,
        dockerfile: Path,
        context: Path,
        args: Mapping[str, str] | None = None,
        target: str = "",
    ) -> Image:
        """Builds an image from a small subset of Dockerfile; see ``builder.py``.

        ``FROM python:<tag>`` builds on the built-in base, so that one Dockerfile serves real registries too.

        Raises:
            BuildError: the Dockerfile is wrong, or needs what is not built here.
        """
        with tempfile.TemporaryDirectory(dir=self.root, prefix=".build-") as work:
            builder = Builder(dockerfile, context, args or {}, self._base, Path(work))
            tree, config = builder.build(target)
            return self._keep(tree, config)

    def tag(self, image: Image, reference: str) -> None:
        """Lets a name point at an image; it may have pointed at another before."""
        name = Reference.parse(reference).tagged
        with self._locked():
            names = self._read_names() | {name: image.digest}
            temporary = self._names.with_name(f".refs-{os.getpid()}.json")
            temporary.write_text(json.dumps(names, indent=2, sort_keys=True) + "\n", encoding="utf-8")
            temporary.replace(self._names)

    def resolve(self, reference: str) -> Image | None:
        """The image that a reference names, or None. A digest wins over a tag.

        Raises:
            ReferenceError: the text is no image reference.
        """
        parsed = Reference.parse(reference)
        names = self._read_names()
        digest = parsed.digest or names.get(parsed.tagged, "")
        place = self._trees / digest.removeprefix("sha256:")
        if not digest or not (place / "config.json").is_file():
            return None
        if parsed.digest and not any(Reference.parse(name).name == parsed.name for name in names):
            return None
        config = json.loads((place / "config.json").read_text(encoding="utf-8"))
        return Image(digest, place / "tree", config)

    def list(self) -> dict[str, str]:
        """All names with the digest each points at."""
        return dict(sorted(self._read_names().items()))

    def _base(self, reference: str) -> tuple[Path, Config] | None:
        image = self.resolve(reference)
        if image is None and Reference.parse(reference).name == _OFFICIAL_PYTHON:
            image = self.resolve(BASE_REFERENCE)
        return (image.path, image.config) if image else None

    def _keep(self, tree: Path, config: Config) -> Image:
        digest = digest_of(tree, config)
        place = self._trees / digest.removeprefix("sha256:")
        if not place.exists():
            with tempfile.TemporaryDirectory(dir=self.root, prefix=".keep-") as work:
                whole = Path(work) / "image"
                whole.mkdir()
                shutil.move(tree, whole / "tree")
                (whole / "config.json").write_text(json.dumps(config, sort_keys=True), encoding="utf-8")
                # renamed in one step: another builder of the same content may have been faster
                with contextlib.suppress(FileExistsError, OSError):
                    whole.rename(place)
        return Image(digest, place / "tree", config)

    def _read_names(self) -> dict[str, str]:
        try:
            found = json.loads(self._names.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return {str(name): str(digest) for name, digest in found.items()}

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.root / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
