"""Jobs that a test makes up, on the stand-in cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.cluster.images import ImageStore
from include.jobs.load import Load
from include.jobs.naming import LABEL_CONTENT, job_name, short_digest
from tests.standin import TEST


@pytest.fixture
def load_of(cluster, namespace) -> Callable[..., Load]:
    """Makes a load that runs a piece of Python."""
    image = ImageStore(TEST / "images").resolve("standin.local/python:3")
    assert image is not None

    def build(code: str, by: str = "dag/run/0", seconds: int = 60, **changes: Any) -> Load:
        pod: dict[str, Any] = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1}
        pod |= changes.pop("pod", {})
        container = {"name": "work", "image": f"standin.local/python:3@{image.digest}"}
        container |= {"command": ["python3", "-uc", code], **changes.pop("container", {})}
        content = short_digest([pod, container])
        labels = {LABEL_CONTENT: content}
        spec = {"backoffLimit": 0, "activeDeadlineSeconds": seconds, "template": {
            "metadata": {"labels": labels}, "spec": {**pod, "containers": [container]}}}  # fmt: skip
        meta = {"name": job_name("work", content, by), "namespace": namespace, "labels": labels}
        manifest = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}
        texts = {"label": "work", "title": "does something", "subject": "The work",
                 "what_now": "look at Job {job} and clear this task"}  # fmt: skip
        return Load(manifest, **(texts | {"start_grace": 1.0, "place_grace": 1.0} | changes))

    return build


@pytest.fixture
def carrier(cluster, namespace):
    """A carrier, and what it says."""
    from include.jobs.carrying import Carrier

    said: list[str] = []
    return Carrier(cluster.connect(), namespace, said.append), said
