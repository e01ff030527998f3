"""The table of procedures that meet: a cell for every pair of DAGs, and every test that the page names is there."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

from tests.dagtasks import bag

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "procedures.md"
PLACES = ("same environment", "another environment")
TEST = re.compile(r"`(test_\w+)(?:\[([\w-]+)\])?`")


def cells() -> dict[tuple[str, str, str], str]:
    """What the table says, by the procedure that runs, the one that is started, and where."""
    text = PAGE.read_text().split("## Every pair")[1].split("## ")[0]
    header, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    return {
        (row[0].strip("`"), row[1].strip("`"), place): cell
        for row in rows
        for place, cell in zip(header[2:], row[2:], strict=True)
    }


def defined() -> set[str]:
    found = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        found.update(re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE))
    return found


def test_the_table_has_a_cell_for_every_pair_of_procedures():
    assert set(cells()) == set(product(bag().dags, bag().dags, PLACES))


def test_every_cell_is_one_sentence_and_a_test_of_that_pair():
    for (first, second, _), cell in cells().items():
        (found,) = TEST.findall(cell)
        assert found[1] == f"{first}-{second}", cell
        sentence = TEST.sub("", cell).strip()
        assert sentence.endswith("."), cell
        assert ". " not in sentence, cell


def test_every_test_that_the_page_names_is_there():
    names = {name for name, _ in TEST.findall(PAGE.read_text())}
    assert len(names) >= 10
    assert names <= defined()
