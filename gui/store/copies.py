"""Copies of a library: how backup files are named and written. When to make one and which to keep is gui.core.backup's.

A copy is always one SQLite file. Names carry a number that grows, because clocks jump: library-000012-before-import.db.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import peewee
from playhouse.migrations import Runner

from .database import Database
from .tables import TABLES

NAME = re.compile(r"library-(\d{6,})-([a-z-]+)\.db")
ROWS_AT_ONCE = 10_000


def numbered(folder: Path) -> list[tuple[int, str, Path]]:
    """(number, reason, path) of every copy in a folder, oldest first."""
    found = []
    for path in folder.glob("library-*.db"):
        match = NAME.fullmatch(path.name)
        if match:
            found.append((int(match[1]), match[2], path))
    return sorted(found)


def remove_unfinished(folder: Path) -> None:
    """What a process left that was killed in the middle of a copy. Only for the library's one writer."""
    for path in folder.glob("library-*.db.part*"):
        with suppress(OSError):
            path.unlink()


def new_path(folder: Path, reason: str) -> Path:
    """The next name. reason: small letters and hyphens."""
    made = numbered(folder)
    return folder / f"library-{(made[-1][0] if made else 0) + 1:06d}-{reason}.db"


def write(db: Database, migrations: Path, target: Path) -> None:
    """Copies the library to target: all of it or nothing. Raises OSError, sqlite3.Error or peewee's."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with _put_in_place(target) as partial:
        if db.is_postgres:
            _copy_rows(db, migrations, partial)
        else:
            with closing(sqlite3.connect(partial)) as copy:
                db.engine.connection().backup(copy)
                # One file that can be carried away, without a log beside it.
                copy.execute("PRAGMA journal_mode = delete")


def read(db: Database, source: Path) -> None:
    """Replaces everything in an SQLite library by what a copy holds, in one transaction of SQLite's backup."""
    with closing(sqlite3.connect(source.absolute().as_uri() + "?mode=ro", uri=True)) as copy:
        copy.backup(db.engine.connection())
    db.revision += 1


@contextmanager
def _put_in_place(target: Path) -> Iterator[Path]:
    """A name to write to; it becomes target, safely on disk, when the block ends well, and goes away when not."""
    partial = target.with_name(target.name + ".part")
    partial.unlink(missing_ok=True)
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(target)
        sync_folder(target.parent)
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            partial.with_name(partial.name + suffix).unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Makes a rename in the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy_rows(db: Database, migrations: Path, partial: Path) -> None:
    """From a server: the same tables in a new file, then every row, read in one transaction so that they fit together."""
    copy: Any = peewee.SqliteDatabase(str(partial), autoconnect=False)
    copy.connect()
    try:
        Runner(copy, str(migrations)).up()
        with copy.atomic(), db.snapshot() as source:
            for table in TABLES:
                columns = [field.column_name for field in table._meta.sorted_fields]
                names = ", ".join(f'"{column}"' for column in columns)
                marks = ", ".join("?" * len(columns))
                cursor = source.execute(f'SELECT {names} FROM "{table._meta.table_name}"')
                while rows := cursor.fetchmany(ROWS_AT_ONCE):
                    sql = f'INSERT INTO "{table._meta.table_name}" ({names}) VALUES ({marks})'
                    copy.connection().executemany(sql, rows)
    finally:
        copy.close()
