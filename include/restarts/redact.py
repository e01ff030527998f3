"""Secrets out of texts that are kept: log tails, termination messages and events go into a ConfigMap that many can read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

HIDDEN = "***"
_WORDS = (
    r"(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?|"
    r"auth|authorization|signature|session[_-]?id|cookie|sig|cvv|cvc)"
)
_NAME = rf"[\w.-]*{_WORDS}[\w-]*"

_RULES: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    # a PEM block, whole or cut off
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S),
        HIDDEN,
    ),
    # scheme://user:password@host, also with a password that has '@', '/' or blanks in it
    (
        re.compile(r"(?P<head>\b[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s]*@(?=[\w.\[-])", re.I),
        rf"\g<head>:{HIDDEN}@",
    ),
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
    # "password": "...", 'token': '...', with any characters between the quotes
    (
        re.compile(
            rf"(?P<head>[\"']{_NAME}[\"']\s*[:=]\s*)(?P<quote>[\"'])(?:\\.|(?!(?P=quote)).)*(?P=quote)?", re.I
        ),
        rf"\g<head>\g<quote>{HIDDEN}\g<quote>",
    ),
    # password="a b", PASSWORD='...'
    (
        re.compile(
            rf"(?P<head>(?<![\w]){_NAME}\s*[:=]\s*)(?P<quote>[\"'])(?:\\.|(?!(?P=quote)).)*(?P=quote)?", re.I
        ),
        rf"\g<head>\g<quote>{HIDDEN}\g<quote>",
    ),
    # password=..., DB_PASSWORD: ..., ?token=...&, --password ...
    (re.compile(rf"(?P<head>(?<![\w]){_NAME}=)[^\s&;,\"')}}\]]+", re.I), rf"\g<head>{HIDDEN}"),
    (
        re.compile(rf"(?P<head>(?<![\w])[\w.-]*{_WORDS}\s*:\s+)(?![\"'{{\[])[^\s,;}}\])]+", re.I),
        rf"\g<head>{HIDDEN}",
    ),
    (re.compile(rf"(?P<head>--?[\w-]*{_WORDS}[\w-]*\s+)(?!-)[^\s]+", re.I), rf"\g<head>{HIDDEN}"),
    # JSON Web Tokens, and keys known by their beginning
    (re.compile(r"\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?"), HIDDEN),
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


def redact(text: str) -> str:
    """The text without what looks like a secret. Rather too much is hidden than too little."""
    for pattern, put in _RULES:
        text = pattern.sub(put, text)
    return text


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
