"""`python -m include.shop.build --images-dir DIR`: build the shop's images for the embedded cluster."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from include.cluster.images import BuildError, Image, ImageStore

IMAGES = Path(__file__).with_name("images.yaml")
REGISTRY = "standin.local"
"""What image references of the embedded cluster begin with, so that no real registry is taken for the source."""


def build_all(store: ImageStore, declared: Path = IMAGES) -> Iterator[tuple[str, Image]]:
    """Builds and names every image of an images file.

    Yields:
        The reference, e.g. `shop:1.0.0`, and the image.

    Raises:
        BuildError: the Dockerfile cannot be built; the text names file and line.
    """
    content = yaml.safe_load(declared.read_text(encoding="utf-8"))
    folder = declared.parent
    for entry in content["images"]:
        reference = f"{entry['name']}:{entry['tag']}"
        args = {**content.get("args", {}), **entry.get("args", {})}
        image = store.build(
            folder / content["dockerfile"], folder / content["context"], args, entry["target"]
        )
        store.tag(image, reference)
        store.tag(image, f"{REGISTRY}/{reference}")
        yield reference, image


def main(argv: list[str] | None = None) -> int:
    """Builds all images and prints their digests. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m include.shop.build", description=__doc__)
    parser.add_argument("--images-dir", type=Path, required=True, help="the embedded cluster's image store")
    parser.add_argument("--file", type=Path, default=IMAGES, help="what to build (default: the shop's)")
    options = parser.parse_args(argv)
    try:
        for reference, image in build_all(ImageStore(options.images_dir), options.file):
            print(f"{reference}  {image.digest}")
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
