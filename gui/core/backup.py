"""Backups of the library: when one is made, which are kept, how one comes back.

Made after 30 minutes of change, before imports, updates, restores and deleted categories, and at the end of a session where the
newest is older. Order is by number, since clocks jump. Restoring backs up the present library first: nothing is overwritten.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from darknet_bridge.errors import shown

from ..store import Store, check_copy, copies
from ..store.errors import os_error
from .errors import UserError

INTERVAL_S = 30 * 60
KEPT = 5
LIBRARY = "library.db"
REASONS = {
    "automatic": "made automatically",
    "by-hand": "made by you",
    "before-import": "before an import",
    "before-update": "before an update of the library",
    "before-restore": "before a backup was restored",
    "before-delete": "before a category was deleted",
}


@dataclass(frozen=True, slots=True)
class Backup:
    """made_at: UTC seconds, for showing. Newer ones have higher numbers."""

    number: int
    reason: str
    path: Path
    bytes: int
    made_at: float

    @property
    def reason_text(self) -> str:
        return REASONS.get(self.reason, self.reason)


class Backups:
    """Of one open library. All methods are for the store's thread."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._saved_revision = store.revision
        self._saved_at = time.monotonic()
        if not store.read_only:
            copies.remove_unfinished(folder)

    def list(self) -> list[Backup]:
        """Newest first."""
        found = []
        for number, reason, path in reversed(copies.numbered(self._folder)):
            with suppress(OSError):
                state = path.stat()
                found.append(Backup(number, reason, path, state.st_size, state.st_mtime))
        return found

    def make(self, reason: str = "by-hand") -> Path:
        """A backup now. Raises NoSpaceError; then what it was for had better not begin."""
        path = copies.new_path(self._folder, reason)
        self._store.backup(path)
        self._saved_revision, self._saved_at = self._store.revision, time.monotonic()
        thin(self._folder)
        return path

    @property
    def is_due(self) -> bool:
        """Something changed since the last one, which is 30 minutes ago."""
        changed = self._store.revision != self._saved_revision
        return changed and not self._store.read_only and time.monotonic() - self._saved_at >= INTERVAL_S

    def make_if_due(self) -> Path | None:
        return self.make("automatic") if self.is_due else None

    def make_at_end(self) -> Path | None:
        """For short sessions: a backup where something changed and the newest is older than the interval, or not of this time."""
        if self._store.read_only or self._store.revision == self._saved_revision:
            return None
        newest = next(iter(self.list()), None)
        if newest is not None and abs(time.time() - newest.made_at) < INTERVAL_S:
            return None
        return self.make("automatic")

    def restore(self, path: Path) -> Path:
        """Puts a backup in the library's place. Returns where the library as it was is kept.

        Raises UserError, and changes nothing, where the backup is damaged or from a newer version.
        """
        aside = self.make("before-restore")
        self._store.restore(path)
        return aside


def thin(folder: Path) -> None:
    """Keeps the newest five, and of older ones fewer and fewer: about one for every doubling of their age in backups."""
    made = copies.numbered(folder)
    for number, _, path in made[:-KEPT]:
        if not _is_kept(number, made[-1][0] - number):
            with suppress(OSError):
                path.unlink()


def _is_kept(number: int, distance: int) -> bool:
    """Whoever is kept at a distance was kept at every smaller one, because its number divides by a power of two."""
    level = max(distance // KEPT, 1).bit_length() - 1
    return number % (1 << (level + 2)) == 0


def replace_damaged(folder: Path) -> str:
    """Moves a damaged library aside and puts the newest sound backup in its place. Returns what to tell the user."""
    aside = _free_name(folder)
    try:
        for suffix in ("-wal", "-shm", ""):
            file = folder / (LIBRARY + suffix)
            if file.exists():
                file.rename(aside.with_name(aside.name + suffix))
        backup = _newest_sound(folder / "backups")
        if backup is not None:
            _copy(backup, folder / LIBRARY)
    except OSError as error:
        raise os_error(error, folder) from error
    kept = f"The library was damaged. The damaged file is kept as {shown(aside)}. "
    if backup is None:
        return kept + "There was no backup of it, so you begin with an empty library."
    return kept + f"The newest backup, {backup.name}, took its place; what was done after it is missing."


def _free_name(folder: Path) -> Path:
    number = 1
    while (folder / f"library-damaged-{number}.db").exists():
        number += 1
    return folder / f"library-damaged-{number}.db"


def _newest_sound(folder: Path) -> Path | None:
    for _, _, path in reversed(copies.numbered(folder)):
        with suppress(UserError):
            check_copy(path)
            return path
    return None


def _copy(source: Path, target: Path) -> None:
    """Whole or not at all, also in a power cut."""
    partial = target.with_name(target.name + ".part")
    try:
        shutil.copyfile(source, partial)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(target)
        copies.sync_folder(target.parent)
    finally:
        partial.unlink(missing_ok=True)
