"""What Airflow loads of plugins/, and when the Kubernetes provider is imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"


def test_airflow_walks_only_plugin_entries():
    from airflow._shared.module_loading import find_path_from_directory

    found = {Path(path).name for path in find_path_from_directory(str(PLUGINS), ".airflowignore", "glob")}
    assert {name for name in found if name.endswith(".py")} == {"preload.py", "releases_page.py"}


class Job:
    """Airflow calls the listener with a Job before it says which component that is."""


@pytest.mark.parametrize(
    ("command", "component", "imports"),
    [
        (["airflow", "scheduler"], Job(), True),
        (["airflow", "triggerer"], Job(), True),
        (["airflow", "dag-processor"], Job(), False),
        (["airflow", "scheduler"], object(), False),
    ],
)
def test_the_provider_is_imported_once_in_the_processes_that_start_tasks(
    monkeypatch, command, component, imports
):
    from plugins import preload

    called = []
    monkeypatch.setattr(preload.importlib, "import_module", called.append)
    monkeypatch.setattr(sys, "argv", command)
    preload.Preload().on_starting(component)
    assert called == ([preload.PROVIDER] if imports else [])
