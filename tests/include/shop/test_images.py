"""What is in the images of the shop."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

SHOP = Path(__file__).parents[3] / "include" / "shop"


def files(image: Any) -> set[str]:
    return {str(path.relative_to(image.path)) for path in image.path.rglob("*") if path.is_file()}


def test_releases_are_different_trees(images: dict[str, Any]) -> None:
    first, second = files(images["shop:1.0.0"]), files(images["shop:2.0.0"])
    assert "app/shop/search_v1.py" in first - second
    assert {"app/shop/orders.py", "app/shop/release_2/exotic.py"} <= second - first
    assert not any("release_2" in name for name in first)
    assert images["shop:1.0.0"].digest != images["shop:2.0.0"].digest


def test_every_module_is_in_an_image(images: dict[str, Any]) -> None:
    shipped = set().union(*(files(image) for image in images.values()))
    sources = {f"app/{path.relative_to(SHOP)}" for path in (SHOP / "shop").rglob("*.py")}
    assert sources <= shipped


def test_programs_run_as_an_ordinary_user_by_default(images: dict[str, Any]) -> None:
    for image in images.values():
        assert image.config["User"] == "10001"
        assert image.config["WorkingDir"] == "/app"
        assert image.config["Cmd"][:2] == ["python3", "-m"]


def test_only_the_qa_build_is_labelled_so(images: dict[str, Any]) -> None:
    labelled = {name for name, image in images.items() if image.config.get("Labels", {}).get("shop.qa-only")}
    assert labelled == {"shop:2.0.0-qa"}


def test_modules_of_an_image_are_complete(images: dict[str, Any]) -> None:
    # A module that imports what its image lacks would fail in production first.
    code = (
        "import importlib, pathlib\n"
        "for p in sorted(pathlib.Path('shop').rglob('*.py')):\n"
        "    importlib.import_module('.'.join(p.with_suffix('').parts).removesuffix('.__init__'))\n"
    )
    for name, image in images.items():
        done = subprocess.run(
            [sys.executable, "-B", "-c", code], cwd=image.path / "app", capture_output=True, text=True
        )
        assert done.returncode == 0, f"{name}: {done.stderr}"


def test_sources_are_python_3_9() -> None:
    for path in (SHOP / "shop").rglob("*.py"):
        ast.parse(path.read_text(), str(path), feature_version=(3, 9))


def test_only_the_standard_library_is_imported() -> None:
    for path in (SHOP / "shop").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            else:
                continue
            assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names), path
