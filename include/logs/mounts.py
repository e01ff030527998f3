"""Where the Job of a clean-up has what is its own."""

from __future__ import annotations

PROGRAM_MOUNT, REQUEST_MOUNT = "/program", "/request"
ARCHIVE_MOUNT = "/archive"
"""The claim that archives go to, where they do not stay on the volume."""
