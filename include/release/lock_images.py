"""``python -m include.release.lock_images --images-dir DIR``: build the shop's images and write their lock file."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from include.cluster.images import Image, ImageStore
from include.release.builds import LABEL_QA_ONLY
from include.release.images import ImageLock, LockedImage
from include.release.loading import PROJECT
from include.shop.build import REGISTRY, build_all

LOCK = PROJECT / "include" / "config" / "images" / "standin.lock.yaml"
_HEADER = """\
# yaml-language-server: $schema=../schemas/images-lock.schema.json
# Written by `make images`; not by hand. The same files give the same digests everywhere.
"""


def lock_of(store: ImageStore) -> ImageLock:
    """Build every image into the store, and say what each is."""
    images = {}
    for reference, image in build_all(store):
        labels = image.config.get("Labels") or {}
        qa_only = str(labels.get(LABEL_QA_ONLY, "")).lower() == "true"
        images[reference] = LockedImage(digest=image.digest, build=_build_id(image), qa_only=qa_only)
    return ImageLock(registry=REGISTRY, images=images)


def text_of(lock: ImageLock) -> str:
    """The lock file's text."""
    body: str = yaml.safe_dump(lock.model_dump(mode="json", exclude_defaults=True), sort_keys=True, width=110)
    return _HEADER + body


def _build_id(image: Image) -> str | None:
    """What the program in the image will answer at /version, computed by its own code."""
    program = "from shop.common.build import build_id; print(build_id())"
    command = [sys.executable, "-B", "-S", "-c", program]
    done = subprocess.run(command, cwd=image.path / "app", capture_output=True, text=True, check=True)
    return done.stdout.strip()


def main(argv: list[str] | None = None) -> int:
    """Build, then write the lock file (or compare with it). Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m include.release.lock_images", description=__doc__)
    parser.add_argument("--images-dir", type=Path, help="image store (default: a temporary one)")
    parser.add_argument("--check", action="store_true", help="only say whether the lock file is current")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        text = text_of(lock_of(ImageStore(options.images_dir or Path(temporary))))
    if LOCK.is_file() and LOCK.read_text(encoding="utf-8") == text:
        return 0
    if options.check:
        sys.stderr.write(f"{LOCK.relative_to(PROJECT)} is not what the images are now: run make images\n")
        return 1
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    LOCK.write_text(text, encoding="utf-8")
    sys.stdout.write(f"wrote {LOCK.relative_to(PROJECT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
