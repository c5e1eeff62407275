"""What a failed query is called in front of the user. peewee and the drivers hide the reason; it is dug out here."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EDQUOT, EFBIG, ENOSPC, EROFS
from pathlib import Path

import peewee

from darknet_bridge.errors import shown

from ..core.errors import CorruptLibraryError, NoSpaceError, ReadOnlyError, UserError

# What leaves a query: peewee's own errors, and the drivers' where a driver is called directly.
_FAILED: tuple[type[Exception], ...] = (peewee.PeeweeException, sqlite3.Error)
# A fault of this program, not something a user can mend.
_FAULTS: tuple[type[Exception], ...] = (
    *(peewee.IntegrityError, peewee.ProgrammingError),
    *(sqlite3.IntegrityError, sqlite3.ProgrammingError),
)
try:
    import psycopg
except ImportError:
    pass  # only libraries on a server need it
else:
    _FAILED += (psycopg.Error,)
    _FAULTS += (psycopg.IntegrityError, psycopg.ProgrammingError)

# Less than this left, and an I/O error is taken for a full disk (some file systems say EIO when they are full).
FULL_BYTES = 1 << 20


def _texts(error: BaseException) -> str:
    """What every error in the chain says: a failed rollback covers the reason of the failed statement."""
    texts: list[str] = []
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            texts.append(str(one).lower())
            todo += [one.__cause__, one.__context__]
    return "\n".join(texts)


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < FULL_BYTES
    except OSError:
        return False


def _of_sqlite(text: str, file: Path) -> UserError:
    place = shown(file)
    if "disk is full" in text or ("i/o error" in text and _is_full(file.parent)):
        return NoSpaceError(f"The disk with {place} is full. Nothing was lost: free some space, then try again.")
    if "readonly" in text or "read-only" in text:
        return ReadOnlyError(f"{place} can't be written: its disk or folder is read-only.")
    if "locked" in text:
        return UserError(f"{place} is in use by another program. Close that program, then try again.")
    if "malformed" in text or "not a database" in text:
        return CorruptLibraryError(f"{place} is damaged. Restore a backup of it; the damaged file is kept.")
    if "unable to open" in text:
        return UserError(f"{place} can't be opened. Look whether the folder exists and may be written by you.")
    if "i/o error" in text:
        return UserError(f"The disk with {place} reports a read or write error. Check the disk, then try again.")
    return UserError(f"The library {place} could not be used: {text.splitlines()[0]}.")


def _of_postgres(text: str, where: str) -> UserError:
    if "no space" in text or "disk full" in text:
        return NoSpaceError(f"The disk of the database server {where} is full. Nothing was lost: free some space there.")
    if "password" in text or "authentication" in text:
        return UserError(f"The database server {where} refused the user name or the password.")
    if "read-only" in text or "permission denied" in text:
        return ReadOnlyError(f"The database user may not write to {where}.")
    if "does not exist" in text and "database" in text:
        return UserError(f"There is no such database: {where}. Create it on the server first.")
    return UserError(f"The database server {where} does not answer. Your work on the screen is kept: try again in a moment.")


@contextmanager
def reported(where: str, file: Path | None) -> Iterator[None]:
    """Errors of the database leave as UserErrors. file: the SQLite file, None for a server; where: its name without password."""
    try:
        yield
    except _FAILED as error:
        text = _texts(error)
        if isinstance(error, _FAULTS) and "permission denied" not in text:
            raise
        raise (_of_sqlite(text, file) if file is not None else _of_postgres(text, where)) from error
    except OSError as error:
        raise os_error(error, Path(os.fsdecode(error.filename)) if error.filename else file or Path(where)) from error


def os_error(error: OSError, path: Path) -> UserError:
    """The UserError (not raised) for a failed file operation on path."""
    place = shown(path)
    if error.errno in (ENOSPC, EDQUOT, EFBIG):
        return NoSpaceError(f"The disk with {place} is full. Free some space, then try again.")
    if error.errno == EROFS or isinstance(error, PermissionError):
        return ReadOnlyError(f"{place} can't be written: its disk or folder is read-only.")
    return UserError(f"{place}: {error.strerror or type(error).__name__}.")
