"""Archives whose time is over: since they were made, and since the newest of their bytes was written.

Nothing goes of which a single file is held, nor what cannot be read: its manifest says what is in it.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any, Dict, Iterator, List, Tuple

from .classes import Policy
from .entries import EXPIRE_ARCHIVE, Entry
from .manifests import Manifest, Place, all_manifests
from .problems import StepError
from .request import DAY, Request
from .summary import say, shown


class Expiring:
    """Finds them; ``left`` is what stays although its archive time is over, and why."""

    def __init__(self, request: Request, policy: Policy) -> None:
        self._request = request
        self._policy = policy
        self._now = request.now()
        self.left: List[Dict[str, Any]] = []
        self.space: Dict[str, Dict[int, int]] = {}
        """What the archives of each class take on the volume (bytes), by their age in days."""
        self.elsewhere = 0
        """What all those take that lie in another place (bytes),"""
        self.freed_elsewhere = 0
        """and those of them that go."""
        self.of_no_class: Dict[str, Tuple[int, int]] = {}
        """Archives, and what they take, of classes that the policy has no more: nothing says when their time is over."""

    def entries(self) -> Iterator[Entry]:
        """The archives that go."""
        for base, path in all_manifests(self._request.layout):
            try:
                manifest = Manifest(path)
                created = datetime.fromisoformat(
                    str(manifest.header["created"]).replace("Z", "+00:00")
                ).timestamp()
                name = manifest.archive
                if manifest.header["volume"] != self._request.volume:
                    continue  # another volume's, in the same directory: its own run knows its holds
            except (StepError, KeyError, ValueError) as error:
                self._leave(path, f"its manifest cannot be read: {error}")
                continue
            try:
                place = Place(self._request.layout, name, base)
                seen = os.lstat(place.archive)
            except OSError:
                continue  # gone already, or not yet there
            found = self._request.log_class(manifest.class_name)
            space, age = seen.st_blocks * 512, int(max(self._now - created, 0) // DAY)
            if place.on_the_volume:
                by_age = self.space.setdefault(manifest.class_name, {})
                by_age[age] = by_age.get(age, 0) + space
            else:
                self.elsewhere += space
            if found is None:
                count, taken = self.of_no_class.get(manifest.class_name, (0, 0))
                self.of_no_class[manifest.class_name] = count + 1, taken + space
                continue
            days = found.archive_keep_days
            if days is None or created + days * DAY >= self._now:
                continue
            if self._stays(path, manifest, found.minimum_days):
                continue
            if not place.on_the_volume:
                self.freed_elsewhere += space
            yield Entry(
                os.fsencode(name), seen.st_dev, seen.st_ino, seen.st_size, seen.st_blocks, seen.st_mtime_ns,
                seen.st_nlink, seen.st_nlink, found.name, EXPIRE_ARCHIVE, 0, seen.st_size,
            )  # fmt: skip

    def _stays(self, path: str, manifest: Manifest, minimum_days: float) -> bool:
        """Whether an archive stays although its archive time is over."""
        try:
            for record in manifest:
                hold = self._policy.holder(record.path)
                if hold:
                    self._leave(path, f"{shown(record.path)} in it is held: {hold.case} ({hold.owner})")
                    return True
        except StepError as error:
            self._leave(path, error.text)
            return True
        newest = float((manifest.end or {}).get("last", self._now))
        if newest + minimum_days * DAY >= self._now:
            self._leave(path, f"its newest bytes are less than {minimum_days:g} days old")
            return True
        return False

    def _leave(self, path: str, why: str) -> None:
        say(f"Kept: the archive of {path}: {why}")
        if len(self.left) < 20:
            self.left.append({"manifest": os.path.basename(path), "why": why})
