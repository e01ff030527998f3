"""The command ``plan``: one walk over the volume that decides about every file, and changes none.

The answer, whose names other steps and messages read:

    classes[]       name, files, bytes, actions {action: {files, bytes}}, freed, held, examples, largest, new
    stricter        classes that take more than when they were last cleaned here, and by which of their settings
    unclassified    files, bytes, largest: files of no class stay
    open            files that are open (the first few): path, by
    left            why files stay although their time is over, or were not looked at: files, bytes, examples
    freed           bytes that a run of this plan frees; archives on the volume take some of it
    archived        bytes that go into archives
    archives_bytes  what the archives of earlier runs take
    archives_need   what the new archives take before anything is deleted, about, and the room where they go: bytes, free, fit,
                    of (bytes that go into them), elsewhere
    entries         lines of the plan
    before, after   the space now, and when the plan is carried out (see usage)
    shortfall       null, or what is missing to the target and what would have to change (see shortfall)
    holds_of_nothing  holds that match neither a file of the volume, nor what its archives hold, nor a restored copy
    archives_of_no_class  class, archives, bytes: of classes that the policy has no more; they stay
    unreadable, other_file_systems, expired_left, holds
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import Any, Dict, List, Optional

from . import forecast, history, largest, rules, shortfall
from .ahead import ReadAhead
from .classes import Policy
from .entries import ARCHIVE_DELETE, ARCHIVE_PUNCH, EXPIRE_ARCHIVE, Entry, Plan, PlanWriter, record
from .expiring import Expiring
from .growing import Growing
from .listing import listing
from .looking import Looker, punchable
from .openness import holders
from .request import DAY, Request
from .sifting import Sifter
from .sizing import Sizing
from .summary import counted, say, shown
from .tally import BLOCK, largest_facts
from .unmatched import unmatched
from .usage import Usage, usage, usage_of
from .walking import Walk, open_root

SAY_EVERY_S = 10
MOST_HOLDS, MOST_GLOBS = 10, 5
"""Of the holds that match nothing, so many are named."""
MOST_GONE = 10
"""Classes that are no more, of which archives are named."""


def run(request: Request) -> Dict[str, Any]:
    """Plan. Returns the answer."""
    past = history.read(request.layout.history)
    policy = Policy(request)
    before = usage(request)
    root = open_root(request.root)
    try:
        plan = Planning(request, policy, past, root)
        facts = plan.run()
        if not request.dry_run:
            history.append(request.layout.history, plan.growing.marks(root))
    finally:
        os.close(root)
    facts.update(_outlook(request, plan, past, before, facts))
    say(listing(facts))
    return facts


class Planning:
    """A walk and what it found."""

    def __init__(self, request: Request, policy: Policy, past: history.History, root: int) -> None:
        self.request = request
        self.policy = policy
        self.growing = Growing(past, request.now())
        self.expiring = Expiring(request, policy)
        self._past = past
        self._root = root
        self._walk = Walk(request.layout, root)
        layout = request.layout
        self._writer = PlanWriter(
            layout.plan,
            {
                "classes": [found.name for found in request.classes],
                "dev": self._walk.dev,
                "archive_dev": _dev(layout.archives, layout.archive_base),
                "run": request.run,
                "as_of": request.now(),
                "holds": request.holds_facts(),
            },
        )
        self.sifter = Sifter(
            policy,
            self.growing,
            Looker(request),
            self._writer,
            request.now(),
            punch=punchable(os.path.join(layout.run, "punch-probe")),
        )

    def run(self) -> Dict[str, Any]:
        """Walk and write the plan. Returns the answer without its outlook."""
        sized = any(found.keep_size is not None for found in self.request.classes)
        spool = os.path.join(self.request.layout.run, "sized")
        if sized:
            self.sifter.spool = PlanWriter(spool, {"classes": [], "dev": self._walk.dev})
        self._go()
        if self.sifter.spool is not None:
            self.sifter.spool.finish()
            Sizing(self.sifter, Plan(spool), self._root).run()
            with suppress(FileNotFoundError):
                os.unlink(spool)
        self._links()
        for entry in sorted(self.sifter.parts.values()):
            self._count(entry, min(entry.blocks * BLOCK, entry.end - entry.start))
        for entry in self.expiring.entries():
            self._count(entry, entry.blocks * BLOCK)
        self._writer.finish()
        return self._facts()

    def _go(self) -> None:
        said = time.monotonic()
        with ReadAhead(self._walk, self.request.workers):
            for path, descriptor in self._walk:
                self.sifter.directory(path, descriptor, self._walk)
                if time.monotonic() - said >= SAY_EVERY_S:
                    said = time.monotonic()
                    say(
                        f"{counted(self._walk.directories, 'directory', 'directories')} seen, {counted(self._writer.entries, 'file')} "
                        "in the plan so far"
                    )

    def _links(self) -> None:
        """Names of files that have several: the space comes back only with the last of all of them."""
        for names in self.sifter.links.values():
            for number, link in enumerate(names):
                found, seen = self.request.classes[link.number], link.seen
                path = link.directory + b"/" + link.name if link.directory else link.name
                entry = Entry(
                    path, seen.st_dev, seen.st_ino, seen.st_size, seen.st_blocks, seen.st_mtime_ns, seen.st_nlink,
                    len(names), found.name, self.policy.whole(link.number), 0, seen.st_size,
                )  # fmt: skip
                last = number == len(names) - 1 and len(names) >= seen.st_nlink
                self._count(entry, seen.st_blocks * BLOCK if last else 0)

    def _count(self, entry: Entry, freed: int) -> None:
        """A single entry into the plan."""
        number = next(n for n, found in enumerate(self.request.classes) if found.name == entry.class_name)
        self._writer.frame(entry.directory, [record(entry, number)])
        tally = self.sifter.tallies[number]
        tally.act(entry.action, 1, freed)
        tally.example(entry.action, entry.path)

    def _open(self) -> List[Dict[str, Any]]:
        """The open files, and who has them open, as far as that shows."""
        opened = self.sifter.opened
        who = holders([(dev, ino) for _, dev, ino in opened])
        return [{"path": shown(path), "by": who.get((dev, ino), [])} for path, dev, ino in opened]

    def _facts(self) -> Dict[str, Any]:
        sifter, walk = self.sifter, self._walk
        known = self._past.cleaned()
        classes = [
            {**tally.facts(), "new": bool(tally.actions) and tally.name not in known}
            for tally in sifter.tallies
        ]
        before = self._past.rules()
        stricter = {
            rule.name: rules.stricter(before[rule.name], rule)
            for rule, tally in zip(self.request.classes, sifter.tallies)
            if tally.actions and rule.name in before
        }
        amounts = [(action, amount) for tally in sifter.tallies for action, amount in tally.actions.items()]
        loose = sifter.unclassified
        return {
            "classes": classes,
            "new_classes": [str(found["name"]) for found in classes if found["new"]],
            "stricter": [f"{name} ({'; '.join(said)})" for name, said in stricter.items() if said],
            "unclassified": {**loose.seen.facts(), "largest": largest_facts(loose.largest)},
            "left": sifter.left_facts(),
            "freed": sum(amount.bytes for _, amount in amounts),
            "archived": sum(a.bytes for action, a in amounts if action in (ARCHIVE_DELETE, ARCHIVE_PUNCH)),
            "files": sum(amount.files for _, amount in amounts),
            "expired": sum(a.files for action, a in amounts if action == EXPIRE_ARCHIVE),
            "archives_bytes": self.expiring.elsewhere
            + sum(sum(ages.values()) for ages in self.expiring.space.values()),
            "entries": self._writer.entries,
            "directories": walk.directories,
            "largest": _largest(sifter),
            "open": self._open(),
            "unreadable": walk.unreadable,
            "unreadable_examples": [f"{shown(path)}: {why}" for path, why in walk.unreadable_examples],
            "other_file_systems": [shown(path) for path in walk.other_file_systems[:20]],
            "expired_left": self.expiring.left,
            "holds": [{"case": hold.case, "owner": hold.owner} for hold in self.request.holds],
            "holds_of_nothing": [
                {"case": hold.case, "owner": hold.owner, "globs": list(hold.globs[:MOST_GLOBS])}
                for hold in unmatched(self.request, self.policy, sifter.unseen)[:MOST_HOLDS]
            ],
            "archives_of_no_class": [
                {"class": name, "archives": count, "bytes": space}
                for name, (count, space) in sorted(self.expiring.of_no_class.items())[:MOST_GONE]
            ],
            "punchable": sifter.punch,
            "dry_run": self.request.dry_run,
        }


def _dev(*paths: str) -> int:
    """The device of the first of the directories that is there; 0 when none is, and nothing lies in them."""
    for path in paths:
        with suppress(FileNotFoundError):
            return os.stat(path).st_dev
    return 0


def _largest(sifter: Sifter) -> List[Dict[str, Any]]:
    every = [
        (space, path, tally.name)
        for tally in (*sifter.tallies, sifter.unclassified)
        for space, path in tally.largest
    ]
    return [{"path": shown(p), "bytes": b, "class": name} for b, p, name in sorted(every, reverse=True)[:10]]


def _outlook(
    request: Request, plan: Planning, past: history.History, before: Usage, facts: Dict[str, Any]
) -> Dict[str, Any]:
    """The space when the plan is carried out, and what is missing then."""
    archives = int(facts["archived"] * past.ratio(shortfall.ASSUMED_RATIO))
    freed = facts["freed"] - plan.expiring.freed_elsewhere
    after = before.after(freed - (0 if request.archive_to else archives))
    grounds = [
        shortfall.Ground(found, tally.ages, plan.expiring.space.get(found.name, {}))
        for found, tally in zip(request.classes, plan.sifter.tallies)
    ]
    shortfall.keep(request.layout, grounds)
    largest.keep(request.layout, [*plan.sifter.tallies, plan.sifter.unclassified])
    _say_growth(facts["classes"], past.last_after(request.run))
    return {
        "archives_need": _archives_need(request, archives, facts["archived"]),
        "before": before.facts(request),
        "after": after.facts(request),
        "shortfall": shortfall.missed(request, past, grounds, after),
        "forecast": forecast.facts(past.points, time.time(), after.free),
    }


def _archives_need(request: Request, archives: int, archived: int) -> Dict[str, Any]:
    """The archives are all written before the first file is deleted: is there room for them where they go?"""
    path = request.layout.archives
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    free = usage_of(path).free
    return {
        "bytes": archives,
        "of": archived,
        "free": free,
        "fit": archives <= free,
        "elsewhere": bool(request.archive_to),
    }


def _say_growth(classes: List[Dict[str, Any]], before: Optional[history.Point]) -> None:
    """What each class grew by in a day since the last run left it; null where that is not known."""
    days = (time.time() - before.at) / DAY if before else 0.0
    for found in classes:
        then = before.classes.get(found["name"]) if before and days > 1 / 24 else None
        found["bytes_per_day"] = None if then is None else round((found["bytes"] - then) / days)
