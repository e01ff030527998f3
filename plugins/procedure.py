"""What the DAGs of all procedures have in common."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

RETRYING: dict[str, Any] = {
    "owner": "sre",
    "retries": 3,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=1),
}
"""``default_args`` of tasks that are safe to run again."""

PROCEDURE: dict[str, Any] = {
    "schedule": None,
    # Runs of several apps and environments go on beside each other; two of one place are kept apart by its lock.
    "max_active_runs": 4,
    "tags": ["release", "kubernetes"],
    "default_args": RETRYING,
}
"""Arguments of ``@dag``."""
