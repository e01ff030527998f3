"""``python -m include.release.schemas``: JSON Schemas of the YAML files, for editors."""

from __future__ import annotations

import argparse
import json
import sys

from pydantic import BaseModel

from include.capacity.policy import CapacityPolicies
from include.logs.retention import LogRetention
from include.orders.codes import OrderErrors
from include.orders.config import Orders
from include.release.environments import Environments
from include.release.images import ImageLock
from include.release.loading import PROJECT
from include.release.spec import Release
from include.restarts.cause.rules import Causes
from include.restarts.guards import Guards

FOLDER = PROJECT / "include" / "config" / "schemas"
MODELS: dict[str, type[BaseModel]] = {
    "release": Release,
    "environments": Environments,
    "capacity": CapacityPolicies,
    "guards": Guards,
    "causes": Causes,
    "orders": Orders,
    "order_errors": OrderErrors,
    "images-lock": ImageLock,
    "log-retention": LogRetention,
}


def schema_text(model: type[BaseModel]) -> str:
    """The schema of a model, as it stands in its file."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
    return json.dumps(schema, indent=2) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Write the schemas, or with --check say which is old. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m include.release.schemas", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether the files are current")
    options = parser.parse_args(argv)
    status = 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, model in MODELS.items():
        path, text = FOLDER / f"{name}.schema.json", schema_text(model)
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        if options.check:
            sys.stderr.write(f"{path.relative_to(PROJECT)} is old: run python -m include.release.schemas\n")
            status = 1
        else:
            path.write_text(text, encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
