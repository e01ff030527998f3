"""Which names, labels and keys Kubernetes accepts, and its words for those it does not."""

from __future__ import annotations

import json
import re
from typing import Any

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_C_LABEL = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_CONFIG_KEY = r"[-._a-zA-Z0-9]+"


def quoted(value: Any) -> str:
    """A value as Go's ``%q`` and ``%#v`` show it in these messages."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _too_long(limit: int, unit: str = "characters") -> str:
    return f"must be no more than {limit} {unit}"


def _form(text: str, expression: str, *examples: str) -> str:
    shown = ", ".join(f"{'or ' if index else ''}'{one}'" for index, one in enumerate(examples))
    shown = shown.replace(", or", ",  or")
    return f"{text} (e.g. {shown}, regex used for validation is '{expression}')"


def dns_label(value: str) -> list[str]:
    """What is wrong with a name that must be an RFC 1123 label; empty when nothing is."""
    problems = []
    if len(value) > 63:
        problems.append(_too_long(63))
    if "." in value and not dns_subdomain(value):
        problems.append("must not contain dots")
    elif not re.fullmatch(_LABEL, value):
        text = (
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
            "end with an alphanumeric character"
        )
        problems.append(_form(text, _LABEL, "my-name", "123-abc"))
    return problems


def dns_subdomain(value: str) -> list[str]:
    """What is wrong with a name that must be an RFC 1123 subdomain."""
    problems = []
    if len(value) > 253:
        problems.append(_too_long(253))
    if not re.fullmatch(_SUBDOMAIN, value):
        text = (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
            "start and end with an alphanumeric character"
        )
        problems.append(_form(text, _SUBDOMAIN.replace("(?:", "("), "example.com"))
    return problems


def dns1035_label(value: str) -> list[str]:
    """What is wrong with a name that must start with a letter."""
    problems = []
    if len(value) > 63:
        problems.append(_too_long(63))
    if not re.fullmatch(_C_LABEL, value):
        text = (
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
            "character, and end with an alphanumeric character"
        )
        problems.append(_form(text, _C_LABEL, "my-name", "abc-123"))
    return problems


def qualified_name(value: str) -> list[str]:
    """What is wrong with a label's or annotation's key."""
    parts = value.split("/")
    problems = []
    name = parts[-1]
    if len(parts) > 2:
        text = "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
        shown = _form(text, _QUALIFIED, "MyName", "my.name", "123-abc")
        return [shown + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    if len(parts) == 2:
        if not parts[0]:
            problems.append("prefix part must be non-empty")
        else:
            problems += [
                f"prefix part {problem}".replace("253 characters", "253 bytes")
                for problem in dns_subdomain(parts[0])
            ]
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append("name part " + _too_long(63, "bytes"))
    if not re.fullmatch(_QUALIFIED, name):
        text = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
        problems.append(_form(text, _QUALIFIED, "MyName", "my.name", "123-abc"))
    return problems


def label_value(value: str) -> list[str]:
    """What is wrong with a label's value."""
    problems = []
    if len(value) > 63:
        problems.append(_too_long(63, "bytes"))
    expression = f"({_QUALIFIED})?"
    if not re.fullmatch(expression, value):
        text = (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
            "start and end with an alphanumeric character"
        )
        problems.append(_form(text, expression, "MyValue", "my_value", "12345"))
    return problems


def config_key(value: str) -> list[str]:
    """What is wrong with a key of a ConfigMap or Secret."""
    problems = []
    if len(value) > 253:
        problems.append(_too_long(253))
    if not re.fullmatch(_CONFIG_KEY, value):
        text = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        problems.append(_form(text, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    elif value == ".":
        problems.append("must not be '.'")
    elif value == ".." or value.startswith(".."):
        problems.append("must not be '..'" if value == ".." else "must not start with '..'")
    return problems


def env_name(value: str) -> list[str]:
    """What is wrong with the name of an environment variable."""
    if value and all(" " <= char <= "~" and char != "=" for char in value):
        return []
    return [
        "a valid environment variable name must consist only of printable ASCII characters other than '='"
    ]


def port_name(value: str) -> list[str]:
    """What is wrong with the name of a port."""
    problems = []
    if len(value) > 15:
        problems.append("must be no more than 15 characters")
    if not re.fullmatch(r"[-a-z0-9]+", value):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search(r"[a-z]", value):
        problems.append("must contain at least one letter (a-z)")
    if "--" in value:
        problems.append("must not contain consecutive hyphens")
    if value[:1] == "-" or value[-1:] == "-":
        problems.append("must not begin or end with a hyphen")
    return problems


def port_number(value: int) -> list[str]:
    """What is wrong with a port's number."""
    return [] if 1 <= value <= 65535 else ["must be between 1 and 65535, inclusive"]
