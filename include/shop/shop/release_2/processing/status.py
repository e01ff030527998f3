"""How the order processor ends: its exit statuses."""

from __future__ import annotations

DONE = 0
"""All orders are processed, or the limit is reached, or it was told to end and has finished what was in work."""
FAILED = 1
"""A worker failed, or was killed again and again."""
WRONG_SETTINGS = 2
"""An environment variable cannot be used; nothing was done."""
DATABASE_GONE = 3
"""The database does not answer, or went away in mid-batch; what was in work is taken up again."""
SAME_ERROR = 4
"""One error on many different orders and none processed between: ended early."""
OLD_SCHEMA = 5
"""A migration that this build needs is not applied; nothing was done."""

MEANINGS = {
    DONE: "done",
    FAILED: "a worker failed",
    WRONG_SETTINGS: "a setting cannot be used",
    DATABASE_GONE: "the database went away",
    SAME_ERROR: "many orders failed with the same error",
    OLD_SCHEMA: "the schema is too old",
}
