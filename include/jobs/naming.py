"""A Job's name: what it carries, and who asks. A retry of the same task finds the Job of the try before it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from include.release.frozen import FIELD_MANAGER

LABEL_CONTENT = f"{FIELD_MANAGER}/content"
"""On a Job: the digest of what it carries, whoever asks."""
KEEP_SECONDS = 7 * 24 * 3600
"""How long a Job that has ended is kept."""
LONGEST = 63
"""A Job's name is a label of its pods."""


def short_digest(content: Any) -> str:
    """Ten hex digits of a content's SHA-256."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:10]


def job_name(start: str, content: str, asked_by: str) -> str:
    """``<start>-<content>-<who asks>``; a start that is too long is cut.

    Args:
        start: what people know it by, in letters that Kubernetes accepts.
        content: digest of what it carries (``short_digest``), also its label ``LABEL_CONTENT``.
        asked_by: DAG run and how often it was cleared: the same for every retry of a task.
    """
    ending = f"{content}-{short_digest(asked_by)[:6]}"
    return f"{start[: LONGEST - 1 - len(ending)].strip('-')}-{ending}"
