"""Secrets out of texts that are kept: log tails, termination messages and events go into a ConfigMap that many can read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

HIDDEN = "***"
# Every repetition is bounded, or begins where no other match of its rule can: a text of 64 KiB, whatever is in it, takes
# some hundredths of a second. So names are looked for by the word in them, not by their beginning.
_WORDS = (
    r"(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?|"
    r"auth|authorization|signature|session[_-]?id|cookie|sig|cvv|cvc)"
)
_NAME = rf"{_WORDS}[\w-]{{0,64}}"
_VALUE = r"(?P<quote>[\"'])(?:\\.|(?!(?P=quote)).)*(?P=quote)?"


def _without_password(found: re.Match[str]) -> str:
    """``://user:password@host``: up to the last '@', as passwords have '@' and '/' in them too."""
    user, rest = found["user"], found["rest"]
    host = _HOST.match(rest)
    if host:
        return f"://{user}:{HIDDEN}{rest[host.end() - 1 :]}"
    # Cut off before its '@', unless it is the port of a host.
    cut = found.end() == len(found.string) and _USER.fullmatch(user) and not _PORT.match(rest)
    return f"://{user}:{HIDDEN}" if cut else found[0]


_HOST = re.compile(r".*@(?=[\w.\[-])", re.S)
_USER = re.compile(r"[\w.~%+-]*")
_PORT = re.compile(r"\d{0,5}(?!\w)")

_RULES: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    # a PEM block: whole, its end cut off, its beginning cut off
    (
        re.compile(
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.S
        ),
        HIDDEN,
    ),
    (re.compile(r"\A.*?-----END [A-Z ]{0,40}PRIVATE KEY-----", re.S), HIDDEN),
    (re.compile(r"://(?P<user>[^\s:/@]*):(?P<rest>\S*)"), _without_password),
    # Authorization: Bearer ..., Proxy-Authorization: Basic ..., {"Authorization": "Bearer ..."}
    (
        re.compile(
            r"(?P<head>authorization[\"']?\s*[:=]\s*[\"']?)(?:(?P<kind>[a-z]+)\s+)?[^\s\"',;}]+", re.I
        ),
        lambda found: f"{found['head']}{found['kind'] + ' ' if found['kind'] else ''}{HIDDEN}",
    ),
    (re.compile(r"\b(?P<kind>bearer|basic)\s+[\w.~+/=-]{8,}", re.I), rf"\g<kind> {HIDDEN}"),
    # Set-Cookie: a=b; c=d
    (re.compile(r"(?P<head>\b(?:set-)?cookie\s*:\s*).*", re.I), rf"\g<head>{HIDDEN}"),
    # "password": "...", 'token': '...', password="a b", with any characters between the quotes
    (
        re.compile(rf"(?P<head>{_NAME}[\"']?\s*[:=]\s*){_VALUE}", re.I),
        rf"\g<head>\g<quote>{HIDDEN}\g<quote>",
    ),
    # password=..., ?token=...&
    (re.compile(rf"(?P<head>{_NAME}=)[^\s&;,\"')}}\]]+", re.I), rf"\g<head>{HIDDEN}"),
    # and with a colon, as in YAML
    (re.compile(rf"(?P<head>{_WORDS}\s*:\s+)(?![\"'{{\[])[^\s,;}}\])]+", re.I), rf"\g<head>{HIDDEN}"),
    # --password ..., --db-password ...: from the last dash before the word
    (re.compile(rf"(?P<head>-\w*{_NAME}\s+)(?!-)[^\s]+", re.I), rf"\g<head>{HIDDEN}"),
    # JSON Web Tokens, also without the parts that were cut off, and keys known by their beginning
    (re.compile(r"\beyJ[\w-]{10,}(?:\.[\w-]*){0,4}"), HIDDEN),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), HIDDEN),
    (
        re.compile(
            r"\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|xox[abprs]-[\w-]{10,}|sk_(?:live|test)_\w{8,})"
        ),
        HIDDEN,
    ),
    # card numbers
    (
        re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w.])"),
        lambda found: HIDDEN if _is_card(found[0]) else found[0],
    ),
]


READ = 8 * 1024
"""Characters of a text of which only the beginning is kept: more than a termination message has."""


def redact(text: str) -> str:
    """The text without what looks like a secret. Rather too much is hidden than too little."""
    for pattern, put in _RULES:
        text = pattern.sub(put, text)
    return text


def beginning(text: str, length: int = READ) -> str:
    """At most so many characters of a text, cut between words; to be redacted, and cut again to much less.

    So what is kept in the end has no secret that was cut in two, and so was not known as one.
    """
    return text if len(text) <= length else "".join(text[:length].rsplit(None, 1)[:1])


def ending(text: str, length: int) -> str:
    """At most so many of the last characters of a text, cut between lines, or words; as ``beginning``."""
    if len(text) <= length:
        return text
    end = text[-length:]
    lines = end.partition("\n")[2]
    return lines if lines.strip() else "".join(end.split(None, 1)[-1:])


def redacted(value: Any) -> Any:
    """A value as JSON has it, with every text in it redacted."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: redacted(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(each) for each in value]
    return value


def _is_card(text: str) -> bool:
    """Whether the digits have the check digit of a card number (Luhn)."""
    digits = [int(each) for each in text if each.isdigit()]
    doubled = [each * 2 - 9 * (each > 4) for each in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
