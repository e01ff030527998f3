"""``python -m tools.stand_in_doc``: write the lists in docs/stand-in.md from what the stand-in itself goes by."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from include.cluster.rules import limits
from include.cluster.rules.limits import Limit

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "stand-in.md"
BEGIN = "<!-- written by python -m tools.stand_in_doc -->\n"


def _rows(prefix: str, entries: Iterable[Limit]) -> list[str]:
    entries = list(entries)
    rows = []
    for entry in entries:
        twin = Limit(entry.path.replace("initContainers[*]", "containers[*]"), entry.why, entry.fine)
        if twin != entry and twin in entries:
            continue  # init containers are as containers are
        fine = ", ".join(f"`{value}`" for value in entry.fine)
        rows.append(f"| `{prefix}{entry.path}` | {entry.why} | {fine} |")
    return rows


def _table(pods: Iterable[Limit], others: dict[str, tuple[Limit, ...]]) -> list[str]:
    lines = ["| field | why | values that are fine |", "|---|---|---|", *_rows("pod: ", pods)]
    for plural, entries in others.items():
        lines += _rows(f"{plural}: ", entries)
    return lines


def lists() -> str:
    """The two lists, as Markdown."""
    return "\n".join(
        [
            "## Kept, with a Warning, and without effect",
            "",
            *_table(limits.POD_WITHOUT_EFFECT, limits.WITHOUT_EFFECT),
            "",
            "## Refused by name",
            "",
            f"Volumes of other kinds than {', '.join(limits.VOLUMES)}, and:",
            "",
            *_table(limits.POD_REFUSED, limits.REFUSED),
            "",
        ]
    )


def current(text: str) -> str:
    """The document's text with its lists made anew; what stands before the mark is kept."""
    return text.partition(BEGIN)[0] + BEGIN + lists()


def main() -> None:
    """Rewrite the document."""
    DOCUMENT.write_text(current(DOCUMENT.read_text()))


if __name__ == "__main__":
    main()
