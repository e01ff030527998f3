"""What Airflow loads of plugins/, and when the rest is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"


def test_airflow_walks_only_plugin_entries():
    from airflow._shared.module_loading import find_path_from_directory

    found = {Path(path).name for path in find_path_from_directory(str(PLUGINS), ".airflowignore", "glob")}
    assert {name for name in found if name.endswith(".py")} == {
        "guards_page.py",
        "deadline_references.py",
        "operations_page.py",
        "preload.py",
        "releases_page.py",
    }


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
def test_it_is_imported_once_in_the_processes_that_start_tasks(monkeypatch, command, component, imports):
    from plugins import preload

    called = []
    monkeypatch.setattr(preload, "warm_up", lambda: called.append(True))
    monkeypatch.setattr(sys, "argv", command)
    preload.Preload().on_starting(component)
    assert called == ([True] if imports else [])


LEFT = """
import importlib.util, sys
from pathlib import Path
from plugins.preload import PROVIDER, warm_up

warm_up()
assert PROVIDER in sys.modules
before = set(sys.modules)
for path in sorted(Path("dags").glob("*.py")):
    spec = importlib.util.spec_from_file_location(f"parsed_{path.stem}", path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
late = [name for name in set(sys.modules) - before if name.partition(".")[0] in ("include", "plugins")]
print(sorted(late))
"""


def test_a_task_that_reads_its_dag_file_finds_everything_there():
    """In a process of its own, as this one has imported much already."""
    done = subprocess.run(
        [sys.executable, "-c", LEFT], cwd=PLUGINS.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stdout


def test_what_cannot_be_imported_does_not_keep_the_scheduler_from_starting(monkeypatch, caplog):
    from plugins import preload

    monkeypatch.setattr(preload, "MODULES", ("plugins.nothing_of_this_name",))
    monkeypatch.setattr(preload, "PACKAGES", ())
    monkeypatch.setattr(preload.logger, "disabled", False)  # Airflow's initdb() disables the loggers it finds
    preload.warm_up()
    assert "plugins.nothing_of_this_name cannot be preloaded" in caplog.text
