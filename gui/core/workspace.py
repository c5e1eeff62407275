"""A library that is open: its folders, its lock, its store, and what goes with it (changes, undo, settings, event log).

    library.db  library.lock  runs/<id>/  images/<dataset>/  thumbs/  backups/

A damaged library is moved aside and the newest sound backup takes its place; `notices` says so. A library that another window
has, or whose folder can't be written, is opened for reading, and `read_only_reason` says why.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from errno import EACCES
from pathlib import Path
from typing import Any, Protocol, TypeVar

from darknet_bridge.errors import shown

from ..store import Store, open_store
from .backup import Backups, replace_damaged
from .changes import EVERYTHING, Changes
from .errors import CorruptLibraryError, LockedError, ReadOnlyError, UserError
from .event_log import EventLog
from .library_lock import LibraryLock
from .undo import UndoStack

T = TypeVar("T")
VARIABLE = "DARKNET_STUDIO_LIBRARY"
FOLDERS = ("runs", "images", "thumbs", "backups")


class StoreRunner(Protocol):
    """Runs a call on the store's thread and waits for it."""

    def __call__(self, call: Callable[[], T], /) -> T: ...


class Settings(Protocol):
    """JSON values by name; kept in the library."""

    def get(self, key: str, default: Any = None) -> Any: ...

    def set(self, key: str, value: object) -> None: ...


def default_folder() -> Path:
    """Where this platform keeps a user's data."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "Darknet Studio"
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "share") / "darknet-studio"


def _folder_of(location: Path | str) -> Path:
    """A library on a server keeps its files in a folder of its own here; the password is no part of its name."""
    if isinstance(location, str) and "://" in location:
        if not location.startswith(("postgresql://", "postgres://")):
            raise UserError("A library is a folder or an address that begins with postgresql://")
        place = location.split("://", 1)[1].rsplit("@", 1)[-1].split("?")[0]
        return default_folder() / "servers" / hashlib.sha256(place.encode()).hexdigest()[:16]
    return Path(location).expanduser().absolute()


class Workspace:
    """Build with open(). folder: of this library's files; store: used on the store's thread only, see run_store."""

    def __init__(self, folder: Path, store: Store, lock: LibraryLock, reason: str, notices: tuple[str, ...]) -> None:
        self.folder = folder
        self.store = store
        self.changes = Changes()
        self.undo = UndoStack()
        self.backups = Backups(store, folder / "backups")
        self.read_only_reason = reason
        self.notices = notices
        self._lock = lock
        self._log = EventLog.from_environment()
        self._runner: StoreRunner | None = None

    @classmethod
    def open(cls, location: Path | str | None = None, read_only: bool = False, must_write: bool = False) -> Workspace:
        """Opens or makes a library.

        location: a folder or postgresql://...; None is DARKNET_STUDIO_LIBRARY, or the platform's data folder. must_write: raise
        LockedError or ReadOnlyError instead of opening for reading. Raises UserError with what to do.
        """
        where = location or os.environ.get(VARIABLE) or default_folder()
        folder = _folder_of(where)
        lock = LibraryLock(folder)
        reason = "The library was opened for reading only." if read_only else _take(folder, lock)
        if reason and must_write and not read_only:
            raise (LockedError if lock.holder() is not None and os.access(folder, os.W_OK) else ReadOnlyError)(reason)
        try:
            store, notices = _open(where, folder, bool(reason))
        except BaseException:
            lock.release()
            raise
        return cls(folder, store, lock, reason, notices)

    @property
    def read_only(self) -> bool:
        return bool(self.read_only_reason)

    @property
    def settings(self) -> Settings:
        return self.store.settings

    @property
    def runs_folder(self) -> Path:
        return self.folder / "runs"

    @property
    def images_folder(self) -> Path:
        return self.folder / "images"

    @property
    def thumbs_folder(self) -> Path:
        return self.folder / "thumbs"

    @property
    def backups_folder(self) -> Path:
        return self.folder / "backups"

    def run_folder(self, run_id: int) -> Path:
        """For store.runs.add; the folder is made by who fills it."""
        return self.runs_folder / str(run_id)

    def use_store_thread(self, runner: StoreRunner) -> None:
        """A window gives its way to the store's thread; without one, run_store calls directly."""
        self._runner = runner

    def run_store(self, call: Callable[[], T]) -> T:
        """From any thread but Tk's: call on the store's thread, wait, return its result or raise its error."""
        return call() if self._runner is None else self._runner(call)

    def require_writing(self) -> None:
        """Raises ReadOnlyError with the reason where nothing can be changed."""
        if self.read_only:
            raise ReadOnlyError(self.read_only_reason)

    def event(self, name: str, /, **fields: object) -> None:
        """A line of the event log, see event_log."""
        self._log.write(name, **fields)

    def restore(self, backup: Path) -> Path:
        """Puts a backup in the library's place; nothing before can be undone then. Returns where the present one is kept."""
        self.require_writing()
        aside = self.backups.restore(backup)
        self.undo.clear()
        self.changes.publish(EVERYTHING)
        return aside

    def close(self) -> None:
        """Ends with a backup where one is due. A disk that is too full for it is no reason not to close."""
        with suppress(UserError):
            self.backups.make_at_end()
        self.store.close()
        self._lock.release()
        self._log.close()


def _take(folder: Path, lock: LibraryLock) -> str:
    """Makes the folders and takes the lock. Returns why the library can only be read, "" when it can be written."""
    try:
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        file = folder / "library.db"
        if file.exists() and not os.access(file, os.W_OK):
            raise PermissionError(EACCES, "it belongs to somebody else or is marked read-only", str(file))
        if lock.take():
            return ""
    except OSError as error:
        if not folder.is_dir():
            raise UserError(f"The folder {shown(folder)} can't be made: {error.strerror}. Choose another one.") from error
        return (
            f"The library is open for reading only, because nothing can be written to {shown(folder)}: {error.strerror}. "
            "You can look at everything."
        )
    return (
        f"The library {shown(folder)} is open in another window, so this one can only look at it. "
        "Close the other window and open it again to change something."
    )


def _open(where: Path | str, folder: Path, read_only: bool) -> tuple[Store, tuple[str, ...]]:
    try:
        store = open_store(where, read_only, root=folder)
        problems = store.quick_check() if not read_only else []
        if not problems:
            return store, ()
        store.close()
    except CorruptLibraryError:
        if read_only:
            raise
    notice = replace_damaged(folder)
    return open_store(where, root=folder), (notice,)
