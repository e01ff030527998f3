"""Ticket 100: what a password must have, and how it is kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

LEAST_LENGTH = 12


def unmet(password: str) -> list[str]:
    """Return the requirements that a password does not meet, as sentences for its user."""
    rules = [
        (len(password) >= LEAST_LENGTH, f"at least {LEAST_LENGTH} characters"),
        (any(c.islower() for c in password), "a small letter"),
        (any(c.isupper() for c in password), "a capital letter"),
        (any(c.isdigit() for c in password), "a digit"),
        (any(not c.isalnum() for c in password), "a character that is neither a letter nor a digit"),
    ]
    return [text for met, text in rules if not met]


def hashed(password: str) -> str:
    """Return what is stored instead of the password."""
    salt = os.urandom(16)
    return f"scrypt${_text(salt)}${_text(_digest(password, salt))}"


def matches(password: str, stored: str) -> bool:
    """Whether this is the password that was stored."""
    kind, _, rest = stored.partition("$")
    salt, _, digest = rest.partition("$")
    return kind == "scrypt" and hmac.compare_digest(_text(_digest(password, base64.b64decode(salt))), digest)


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
