"""Rules about the tree that no linter has."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES = 400


def tracked(*patterns: str) -> list[Path]:
    """Files under version control (or, without git, in the tree)."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=False
    )
    names = [name for name in done.stdout.split("\0") if name]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def test_no_python_file_is_longer_than_400_lines() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in tracked("*.py")}
    assert len(lengths) > 50
    assert {str(path.relative_to(ROOT)): count for path, count in lengths.items() if count > MOST_LINES} == {}


def test_what_the_readme_names_exists() -> None:
    text = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^    |`)make ([a-z0-9-]+)", text, re.MULTILINE))
    assert {"demo", "test"} <= named
    assert named - targets == set()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_continuous_integration_runs_the_readme_s_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert "make test" in script
    assert "    make test " in (ROOT / "README.md").read_text()
    assert script.index("make deps") < script.index("make test ")


def test_every_page_of_the_documentation_is_in_both_indexes():
    pages = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
    readme, index = (ROOT / "README.md").read_text(), (ROOT / "docs" / "architecture.md").read_text()
    assert [name for name in pages if f"(docs/{name})" not in readme] == []
    assert [name for name in pages if f"]({name})" not in index and name != "architecture.md"] == []
