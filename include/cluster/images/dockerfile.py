"""Reads Dockerfiles: instructions with their line, and the replacement of variables in them.

The libraries that read Dockerfiles stop at splitting lines; scopes of ARG and ENV, which decide what is copied, are
ours to get right, so the splitting is here too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_VARIABLE = re.compile(
    r"\\(?P<escaped>.)|\$(?:(?P<plain>[A-Za-z_]\w*)|\{(?P<name>[A-Za-z_]\w*)(?::(?P<sign>[-+])(?P<word>[^}]*))?\})"
)


class DockerfileError(Exception):
    """The Dockerfile cannot be read or built; the text names the line."""


@dataclass(frozen=True)
class Instruction:
    """One instruction. ``line`` is where it begins; ``flags`` are ``--name=value`` options before the arguments."""

    line: int
    keyword: str
    text: str
    flags: dict[str, str] = field(default_factory=dict)

    def words(self) -> list[str]:
        """The arguments: a JSON list if it is one, else split at blanks."""
        return self.json() or self.text.split()

    def json(self) -> list[str] | None:
        """The arguments when they are written as a JSON list of strings."""
        if not self.text.startswith("["):
            return None
        try:
            found = json.loads(self.text)
        except ValueError:
            return None
        return found if all(isinstance(entry, str) for entry in found) else None

    def command(self) -> list[str]:
        """The arguments of CMD and ENTRYPOINT; the shell form runs in ``/bin/sh -c``."""
        found = self.json()
        return ["/bin/sh", "-c", self.text] if found is None else found


def read(text: str) -> list[Instruction]:
    """All instructions in order."""
    found: list[Instruction] = []
    pending, begun = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if not pending:
            begun = number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        found.append(_instruction(begun, pending + line))
        pending = ""
    if pending:
        raise DockerfileError(f"line {begun}: the line is continued, but nothing follows")
    return found


def _instruction(line: int, text: str) -> Instruction:
    keyword, _, rest = text.strip().partition(" ")
    flags: dict[str, str] = {}
    rest = rest.strip()
    while rest.startswith("--"):
        flag, _, rest = rest.partition(" ")
        name, _, value = flag[2:].partition("=")
        flags[name] = value
        rest = rest.strip()
    return Instruction(line, keyword.upper(), rest, flags)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replaces ``$name``, ``${name}``, ``${name:-word}`` and ``${name:+word}``; unknown ones are empty."""

    def value(match: re.Match[str]) -> str:
        if match["escaped"] is not None:
            return match["escaped"] if match["escaped"] in "$\\" else match[0]
        found = variables.get(match["plain"] or match["name"], "")
        if match["sign"] == "-":
            return found or expand(match["word"], variables)
        if match["sign"] == "+":
            return expand(match["word"], variables) if found else ""
        return found

    return _VARIABLE.sub(value, text)


def pairs(instruction: Instruction) -> dict[str, str]:
    """The ``name=value`` pairs of ENV, LABEL and ARG; values may be quoted.

    Raises:
        DockerfileError: it is none of the accepted forms.
    """
    text = instruction.text
    if instruction.keyword == "ENV" and "=" not in text.split()[0]:
        name, _, value = text.partition(" ")
        return {name: value.strip()}
    found: dict[str, str] = {}
    position = 0
    pattern = re.compile(r"""\s*([^\s=]+)=((?:"(?:\\.|[^"])*"|'[^']*'|\\.|[^\s"'])*)""")
    while position < len(text):
        match = pattern.match(text, position)
        if match is None:
            raise DockerfileError(
                f"line {instruction.line}: {instruction.keyword} needs name=value, found {text[position:]!r}"
            )
        found[match[1].strip("\"'")] = _unquote(match[2])
        position = match.end()
        while position < len(text) and text[position].isspace():
            position += 1
    return found


def _unquote(text: str) -> str:
    def piece(match: re.Match[str]) -> str:
        if match[1] is not None:
            return re.sub(r'\\(["\\])', r"\1", match[1])
        if match[2] is not None:
            return match[2].replace("$", r"\$")
        return match[0]

    return re.sub(r""""((?:\\.|[^"])*)"|'([^']*)'|[^"']+""", piece, text)
