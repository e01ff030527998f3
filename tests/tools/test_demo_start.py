"""The demo with a ``.venv`` from which something was deleted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["rich", "psutil"])
def test_a_package_that_is_gone_is_named_in_one_line(name: str, tmp_path: Path) -> None:
    code = (
        "import runpy, sys\n"
        "class Gone:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {name!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Gone())\n"
        "runpy.run_module('tools.demo', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"DEMO_DIR": str(tmp_path / "demo")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    told = f"error: .venv is damaged (no module named '{name}'): make clean, then again\n"
    assert (done.returncode, done.stderr) == (1, told)
