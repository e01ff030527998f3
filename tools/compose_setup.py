"""What docker-compose.yaml's ``set-up`` does: kubeconfig, image lock and the shop's beginnings on k3s.

Digests of images that Docker builds differ from machine to machine, so the lock is written from what the registry
answers, into a copy of ``include/config`` that the other containers read.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import requests
import yaml

from tools.demo import cluster
from tools.demo.options import ROOT, DemoError

REGISTRY_INSIDE = "http://registry:5000"
REGISTRY = "localhost:5000"
IMAGES = ("shop:1.0.0", "shop:2.0.0")
LOCK = "compose.lock.yaml"
MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)


def digest_of(image: str, registry: str = REGISTRY_INSIDE) -> str:
    """The digest under which the registry has ``name:tag``.

    Raises:
        DemoError: it has not got it.
    """
    name, _, tag = image.partition(":")
    answer = requests.head(f"{registry}/v2/{name}/manifests/{tag}", headers={"Accept": MANIFESTS}, timeout=10)
    if not answer.ok or "Docker-Content-Digest" not in answer.headers:
        raise DemoError(
            f"the registry has no {image} ({answer.status_code});"
            " run docker compose --profile images build, then push"
        )
    return answer.headers["Docker-Content-Digest"]


def write_config(target: Path, registry: str = REGISTRY_INSIDE) -> None:
    """A copy of ``include/config`` whose environments use the registry's images."""
    shutil.copytree(ROOT / "include" / "config", target, dirs_exist_ok=True)
    standin = yaml.safe_load((target / "images" / "standin.lock.yaml").read_text())["images"]
    images: dict[str, Any] = {}
    for image in IMAGES:
        images[image] = {"digest": digest_of(image, registry)}
        if build := standin.get(image, {}).get("build"):  # the programs are the same files, so is their id
            images[image]["build"] = build
    lock = {"registry": REGISTRY, "images": images}
    (target / "images" / LOCK).write_text(yaml.safe_dump(lock))
    environments = yaml.safe_load((target / "environments.yaml").read_text())
    for environment in environments["environments"]:
        environment["image_lock"] = LOCK
    (target / "environments.yaml").write_text(yaml.safe_dump(environments, sort_keys=False))


def write_kubeconfig(source: Path, target: Path, server: str = "https://k3s:6443") -> None:
    """The kubeconfig that k3s wrote for itself, with the address that the other containers see."""
    config = yaml.safe_load(source.read_text())
    for entry in config["clusters"]:
        entry["cluster"]["server"] = server
    target.touch(0o600)
    target.write_text(yaml.safe_dump(config))


def main() -> int:
    """Set everything up; 1 after one line when something is missing."""
    state = ROOT / "state"
    try:
        write_config(state / "config")
        write_kubeconfig(Path("/kube/config"), state / "kubeconfig")
        cluster.set_up(
            cluster.connect(state / "kubeconfig"),
            lambda: None,
            registry=REGISTRY,
            database=os.environ.get("SHOP_DATABASE_URL", ""),
        )
    except (DemoError, requests.RequestException) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
