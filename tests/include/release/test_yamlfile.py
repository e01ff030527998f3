from __future__ import annotations

import time
from pathlib import Path

import pytest

from include.release.problems import RejectedError
from include.release.yamlfile import MAX_BYTES, parse, read_text


def problems(text: str) -> list[str]:
    return [f"{each.where} {each.field}: {each.found}" for each in parse(text, "x.yaml")[1]]


def test_values_are_what_was_written():
    text = "a: yes\nb: 0644\nc: 12:30\nd: true\ne: 7\nf: '7'\ng:\nh: 1e3\ni: 2026-11-21\n"
    value = parse(text, "x.yaml")[0][0].value
    assert value == {
        "a": "yes", "b": "0644", "c": "12:30", "d": True, "e": 7, "f": "7", "g": None, "h": 1000.0, "i": "2026-11-21",
    }  # fmt: skip


def test_every_value_has_its_line():
    document = parse("a:\n  - b: 1\n    c: 2\n", "x.yaml")[0][0]
    assert document.where(("a", 0, "c")) == "x.yaml:3"
    assert document.where(("a", 0, "absent")) == "x.yaml:2"


def test_duplicate_keys_aliases_and_tags_are_all_named_at_once():
    text = "a: &x [1]\nb: *x\na: 2\nc: !!python/object:os.system {}\n? [k]\n: 1\n"
    assert problems(text) == [
        "x.yaml:1 a: anchor &x",
        "x.yaml:2 b: alias *x",
        "x.yaml:3 a: the key 'a' again (first on line 1)",
        "x.yaml:4 c: tag tag:yaml.org,2002:python/object:os.system",
        "x.yaml:5 : a key that is no text",
    ]


def test_a_bomb_of_aliases_costs_nothing():
    levels = ["a0: &a0 [lol, lol, lol]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    started = time.monotonic()
    found = problems("\n".join(levels))
    assert time.monotonic() - started < 1
    assert "x.yaml:2 a1[0]: alias *a0" in found


@pytest.mark.parametrize("text", ["[" * 10_000, "- " * 5_000 + "x", "a: {" * 500])
def test_deep_nesting_is_refused(text):
    assert "more than 40 levels of nesting" in problems(text)[0]


def test_a_huge_number_stays_text():
    assert parse("a: " + "9" * 5000, "x")[0][0].value == {"a": "9" * 5000}


def test_broken_yaml_names_line_and_column():
    (found,) = problems("a: 1\nb: [1, 2\nc: 3\n")
    assert found.startswith("x.yaml:3 : no YAML:")


def test_a_large_file_is_refused_unread(tmp_path: Path):
    path = tmp_path / "big.yaml"
    with path.open("wb") as file:
        file.truncate(10 * 1024 * 1024)
    with pytest.raises(RejectedError, match=rf"10,485,760 bytes\n.*at most {MAX_BYTES:,} bytes"):
        read_text(path, "big.yaml")


@pytest.mark.parametrize(
    ("content", "found"),
    [(b"a: 1\nb: \xff\xfe", "byte 0xff at offset 8"), (b"a: 1\n\x00", "a NUL byte")],
)
def test_a_binary_file_is_refused(tmp_path: Path, content: bytes, found: str):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(RejectedError, match=f"x.yaml:2\n.*{found}"):
        read_text(path, "x.yaml")
