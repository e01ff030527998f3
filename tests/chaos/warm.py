"""Imports the plugins and the DAGs' modules, for the process that tasks are forked from."""

from __future__ import annotations

import importlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

for folder in ("plugins/operators", "plugins/hooks", "plugins/triggers", "plugins/notifiers"):
    for path in sorted((ROOT / folder).glob("*.py")):
        importlib.import_module(f"{folder.replace('/', '.')}.{path.stem}".removesuffix(".__init__"))
