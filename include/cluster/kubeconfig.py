"""Kubeconfig files: where the server is, which CA to trust, and a token."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import yaml

NAME = "standin"


def render(url: str, ca: bytes, token: str, *, user: str, namespace: str = "default") -> str:
    """A kubeconfig as text, with the CA inline."""
    cluster = {"server": url, "certificate-authority-data": base64.b64encode(ca).decode()}
    context = {"cluster": NAME, "user": user, "namespace": namespace}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": NAME, "context": context}],
        "current-context": NAME,
    }
    text: str = yaml.safe_dump(config, sort_keys=False)
    return text


def write(path: Path, text: str) -> None:
    """Writes the file whole or not at all, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    temporary.touch(mode=0o600, exist_ok=True)
    temporary.write_text(text)
    os.replace(temporary, path)  # noqa: PTH105 - atomic, unlike a move
