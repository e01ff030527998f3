"""The command ``restore``: bring files back from the archives, never over one that is there.

Everything is written to a directory of its own first, each byte compared with the checksums of the manifest; a file
gets its name when it is whole. Its date is that of the restore: retention counts from there, not from its first life.
A hold on a file's first path holds its copy too: where copies were asked for is noted.
However many files are asked back, some of them at a time are written and get their names, and are noted as done.
"""

from __future__ import annotations

import contextlib
import errno
import filecmp
import hashlib
import heapq
import os
import shutil
from typing import Any

from . import codecs
from .copies import RESTORED, note_copies
from .manifests import Place
from .originals import Original, Piece, names
from .outcome import SHOWN, Outcome, Progress
from .problems import BAD_REQUEST, NO_SPACE, StepError
from .request import Request
from .selecting import Selection, Wish, wish
from .summary import counted, say, shown, sized
from .usage import Usage, usage, usage_of
from .verifying import UnfitError, skip
from .walking import make_directory, open_root

PIECE = 1 << 20
A_LINK = (errno.ELOOP, errno.ENOTDIR)


def run(request: Request) -> dict[str, Any]:
    """Restore. Returns the facts of the answer. Raises StepError."""
    asked = wish(request)
    selection = Selection(request, asked)
    base = request.layout.state if not asked.to else request.root
    target = os.path.join(base, asked.to or os.path.join(RESTORED, request.slug))
    if not selection.files:
        unread = "".join(f"\n{why}" for why in list(selection.damaged.values())[:SHOWN])
        text = f"No archive of this volume has what is asked for. Nothing was restored.{unread}"
        raise StepError(text, BAD_REQUEST, {"files": 0})
    progress = Progress(request.layout, target)
    space = usage_of(os.path.dirname(target)) if os.path.isabs(asked.to) else usage(request)
    _require_space(selection, selection.needed - progress.needed(), space, request)
    if request.dry_run:
        return _would(selection, target)
    if asked.to and not os.path.isabs(asked.to):
        note_copies(request.layout, os.path.normpath(asked.to))
    place = _open_target(target, base)
    # By its descriptor: whatever is put in the target's place meanwhile.
    working = f"/proc/self/fd/{place}/.restoring-{request.slug}"
    outcome = Outcome(damaged=dict(selection.damaged))
    try:
        for files in selection.batches():
            before = progress.outcome(files)
            if before is not None:
                say(f"{counted(len(files), 'file')} restored already, by an earlier try.")
                outcome.add(before)
            else:
                outcome.merge(_batch(files, working, place, asked, progress))
    finally:
        shutil.rmtree(working, ignore_errors=True)
        os.close(place)
    return _answer(outcome, target)


def _batch(files: list[Original], working: str, place: int, asked: Wish, progress: Progress) -> Outcome:
    """Restore some files, all of which fit into memory. Returns what became of them."""
    shutil.rmtree(working, ignore_errors=True)
    os.mkdir(working, 0o750)
    outcome = Outcome()
    broken = _write(files, working, outcome)
    for number, (file, name) in enumerate(zip(files, names(files))):
        if number not in broken:
            _publish(f"{working}/{number}", place, name, file, outcome, asked.end)
    if not outcome.conflicts and not outcome.damaged:
        progress.done(files, outcome)
    return outcome


def _open_target(target: str, base: str) -> int:
    """A descriptor of the directory to restore to, which is made. Raises StepError where a link lies on the way."""
    if not target.startswith(base + "/"):
        os.makedirs(target, mode=0o750, exist_ok=True)
        return open_root(target)
    root = open_root(base)
    try:
        return make_directory(root, os.fsencode(os.path.relpath(target, base)))
    except OSError as error:
        if error.errno not in A_LINK:
            raise
        raise StepError(
            f"{target} is no directory, or a link lies on the way to it; links are not followed. Nothing was restored.\n"
            "Restore to another directory."
        ) from error
    finally:
        os.close(root)


def _would(selection: Selection, target: str) -> dict[str, Any]:
    """What a run in earnest would write; nothing is changed."""
    said = f"{counted(selection.files, 'file')}, {sized(selection.size)}"
    say(f"Dry run: {said}, would be restored to {target}:")
    for name in heapq.nsmallest(SHOWN, (name for files in selection.batches() for name in names(files))):
        there = (
            " (a file lies there: left as it is)"
            if os.path.lexists(os.path.join(os.fsencode(target), name))
            else ""
        )
        say(f"  {shown(name)}{there}")
    return {
        "to": target,
        "files": selection.files,
        "bytes": selection.size,
        "there_already": 0,
        "restored": [],
        "dry_run": True,
    }


def _require_space(selection: Selection, needed: int, space: Usage, request: Request) -> None:
    """Raises StepError when less than the volume's floor would be free: logs are written on beside what comes back."""
    after = space.after(-needed)
    if after.free < 0 or after.free_percent < request.floor_percent:
        spare = max(space.free - int((space.used + space.free) * request.floor_percent / 100), 0)
        raise StepError(
            f"{counted(selection.files, 'file')} of {sized(needed)} asked back, and there is room for {sized(spare)}: {sized(space.free)} "
            f"({space.free_percent:.1f} %) are free, and the floor, {request.floor_percent:g} %, is left to whoever writes there. "
            "Nothing was restored.\n"
            "Ask for less, or make room first. Without a restore: docs/log-cleanup.md says how `tar` reads the archives elsewhere.",
            NO_SPACE,
            {"needed_bytes": needed, "free_bytes": space.free, "room_bytes": spare},
        )


def _write(files: list[Original], working: str, outcome: Outcome) -> set[int]:
    """Every piece into its file, archive by archive. Returns the numbers of the files that are not whole."""
    by_archive: dict[Place, list[tuple[int, Piece]]] = {}
    for number, file in enumerate(files):
        for piece in file.pieces:
            by_archive.setdefault(piece.place, []).append((number, piece))
    broken: set[int] = set()
    for place, pieces in by_archive.items():
        pieces.sort(key=lambda each: each[1].record.at)
        say(f"{place.name}: {counted(len(pieces), 'file')}")
        left = {number for number, _ in pieces}
        try:
            for number in _from_archive(place, pieces, files, working):
                left.discard(number)
        except (codecs.DamagedError, UnfitError, FileNotFoundError) as error:
            outcome.damaged[place.name] = str(error)
            broken |= left
    for number, file in enumerate(files):
        if number not in broken:
            _complete(os.path.join(working, str(number)), file)
    return broken


def _from_archive(place: Place, pieces: list[tuple[int, Piece]], files: list[Original], working: str) -> Any:
    """Write the pieces of one archive; yields the number of each file whose piece is right."""
    if not os.path.exists(place.archive):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), place.archive)
    source = codecs.source(codecs.codec_of(place.archive), place.archive)
    at = 0
    written: tuple[int, int] | None = None
    try:
        for number, piece in pieces:
            path = os.path.join(working, str(number))
            if written is not None and written[1] == piece.record.at < at:
                shutil.copyfile(
                    os.path.join(working, str(written[0])), path
                )  # one more name of the same bytes
                yield number
                continue
            skip(source, piece.record.at - at)
            at = _extract(source, piece, files[number].first, path)
            written = (number, piece.record.at)
            yield number
    finally:
        source.close()


def _extract(source: codecs.Source, piece: Piece, first: int, path: str) -> int:
    """Write one piece to where it belongs in its file. Returns where the source is then. Raises UnfitError."""
    digest = hashlib.sha256()
    at = piece.record.at
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        for place, count, _ in piece.extents:
            os.lseek(descriptor, place - first, os.SEEK_SET)
            while count:
                data = source.read(min(PIECE, count))
                if not data:
                    raise UnfitError(f"it ends within {shown(piece.record.path)}")
                digest.update(data)
                codecs.write_all(descriptor, data)
                count -= len(data)
                at += len(data)
    finally:
        os.close(descriptor)
    if digest.hexdigest() != piece.record.sha256:
        raise UnfitError(f"the checksum of {shown(piece.record.path)} is wrong")
    return at


def _complete(path: str, file: Original) -> None:
    """Holes at the end, the mode, and onto the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.ftruncate(descriptor, file.last - file.first)
        os.fchmod(descriptor, file.pieces[-1].record.mode & 0o777)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish(
    source: str, place: int, name: bytes, file: Original, outcome: Outcome, end: float | None
) -> None:
    """Give a whole file its name below the target, unless something lies there; a link on the way is something, too."""
    above, _, last = name.rpartition(b"/")
    try:
        directory = make_directory(place, above)
    except OSError as error:
        if error.errno not in A_LINK:
            raise
        outcome.conflict(name)
        return
    try:
        _name(source, directory, last)
    except FileExistsError:
        there = os.path.join(b"/proc/self/fd/%d" % directory, last)
        if _same(os.fsencode(source), there):
            outcome.there += 1
        else:
            outcome.conflict(name)
    else:
        outcome.restored(name, file, end)
    finally:
        os.close(directory)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(source)


def _name(source: str, directory: int, name: bytes) -> None:
    """Give a file a name in a directory. Raises FileExistsError where there is something of that name."""
    try:
        os.link(source, name, dst_dir_fd=directory, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # no hard links here, and the volume is ours
        with contextlib.suppress(FileNotFoundError):
            os.stat(name, dir_fd=directory, follow_symlinks=False)
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        os.rename(source, name, dst_dir_fd=directory)


def _same(source: bytes, there: bytes) -> bool:
    return os.path.isfile(there) and not os.path.islink(there) and filecmp.cmp(source, there, shallow=False)


def _answer(outcome: Outcome, target: str) -> dict[str, Any]:
    """Tell people, and return the facts. Raises StepError when a file could not be brought back."""
    say(f"Restored {counted(outcome.files, 'file')}, {sized(outcome.size)}, to {target}.")
    if later := outcome.changed_later:
        say(
            f"{counted(later, 'file')} of these {'was' if later == 1 else 'were'} written to after the time, and may have lines of it."
        )
    if there := outcome.there:
        say(f"{counted(there, 'file')} {'was' if there == 1 else 'were'} there already, the same.")
    for name in outcome.conflict_names:
        say(f"Not restored: another file lies at {name}.")
    damaged = [f"{archive}: {why}" for archive, why in outcome.damaged.items()]
    for text in damaged[:SHOWN]:
        say(f"DAMAGED: {text}")
    found = {
        "to": target,
        "files": outcome.files,
        "bytes": outcome.size,
        "there_already": there,
        "changed_later": later,
        "restored": outcome.examples,
        "conflicts": outcome.conflict_names,
        "damaged": damaged,
    }
    if outcome.conflicts or damaged:
        raise StepError(
            f"{_not_whole(outcome)} Everything else is restored.\n"
            "Choose another directory for what lies in the way; look at the disk below the archives for what is damaged.",
            facts=found,
        )
    return found


def _not_whole(outcome: Outcome) -> str:
    """What did not come back, in a sentence each."""
    said = []
    if outcome.conflicts:
        said.append(f"Not restored, since another file lies there: {counted(outcome.conflicts, 'file')}.")
    if outcome.damaged:
        said.append(f"Cannot be read: {counted(len(outcome.damaged), 'archive')}.")
    return " ".join(said)
