"""Where as-built documents go."""

from __future__ import annotations

import os

from include.release.environments import Environment
from include.release.frozen import Frozen
from include.release.loading import PROJECT

DOCUMENTS_SETTING = "PLAN_REDUCE_REPEAT_DOCUMENTS"


def document_store(frozen: Frozen) -> str:
    """URL of the document store: the setting PLAN_REDUCE_REPEAT_DOCUMENTS, else the environment's.

    A path without a scheme is below the project.
    """
    return store_of(frozen.environment)


def store_of(environment: Environment) -> str:
    """The same, of an environment."""
    place = os.environ.get(DOCUMENTS_SETTING) or environment.documents
    return place if "://" in place else f"file://{PROJECT / place}"
