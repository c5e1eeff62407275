"""Opens a library and holds its repositories. A library that is too new or damaged is refused and left as it is."""

from __future__ import annotations

import os
from pathlib import Path

import peewee
from playhouse.migrations import Runner

from darknet_bridge.errors import shown

from ..core.errors import CorruptLibraryError, NewerLibraryError, UserError
from . import copies
from .codec import Paths
from .database import FILE_NAME, Database, is_url
from .errors import os_error, reported
from .repo_annotations import AnnotationRepo
from .repo_categories import CategoryRepo
from .repo_datasets import DatasetRepo
from .repo_experiments import ExperimentRepo
from .repo_groups import GroupRepo
from .repo_runs import RunRepo
from .repo_settings import SettingsRepo

MIGRATIONS = Path(__file__).parent / "migrations"
BACKUP_FOLDER = "backups"


class Store:
    """A library's repositories. All methods are for one thread at a time; the database waits for a second one."""

    def __init__(self, db: Database) -> None:
        paths = Paths(db.root)
        self._db = db
        self.settings = SettingsRepo(db, paths)
        self.datasets = DatasetRepo(db, paths)
        self.groups = GroupRepo(db, paths)
        self.categories = CategoryRepo(db, paths)
        self.annotations = AnnotationRepo(db, paths)
        self.runs = RunRepo(db, paths)
        self.experiments = ExperimentRepo(db, paths, self.runs)

    @property
    def revision(self) -> int:
        """Grows with every change committed through this store; for backups of what has changed."""
        return self._db.revision

    @property
    def read_only(self) -> bool:
        return self._db.read_only

    @property
    def where(self) -> str:
        """The library's file or server, without a password, for messages."""
        return self._db.where

    def close(self) -> None:
        self._db.close()

    def quick_check(self) -> list[str]:
        """What is wrong with the file, in SQLite's words; nothing on a server, which checks its own."""
        if self._db.is_postgres:
            self._db.one(peewee.SQL("SELECT 1"))
            return []
        try:
            rows = self._db.rows(peewee.SQL("PRAGMA quick_check"))
        except CorruptLibraryError as error:
            return [str(error)]
        return [str(row[0]) for row in rows if row[0] != "ok"]

    def backup(self, target: Path) -> None:
        """A copy of the library as one SQLite file, also of a library on a server. Whole or not there at all."""
        with reported(self.where, target):
            copies.write(self._db, MIGRATIONS, target)

    def restore(self, source: Path) -> None:
        """Makes the library what a backup was, in one transaction; whoever reads it meanwhile sees the old or the new one.

        Raises UserError where the copy is damaged, too new, or this library is on a server.
        """
        if self._db.is_postgres:
            raise UserError("A library on a server is restored there. Put the backup in a folder as library.db to look at it.")
        check_copy(source)
        with reported(self.where, self._db.file):
            copies.read(self._db, source)
        _bring_up_to_date(self._db)


def check_copy(path: Path) -> None:
    """Raises CorruptLibraryError for a backup that is damaged, NewerLibraryError, UserError for one that is no library."""
    if not path.is_file():
        raise UserError(f"There is no file {shown(path)}.")
    db = Database.sqlite_file(path)
    try:
        store = Store(_probed(db))
        if store.quick_check():
            raise CorruptLibraryError(f"The backup {shown(path)} is damaged. Choose another one.")
        if not db.engine.table_exists("schema_migration"):
            raise UserError(f"{shown(path)} is not a library of Darknet Studio.")
        _refuse_newer(db, _runner(db))
    finally:
        db.close()


def open_store(location: Path | str, read_only: bool = False, root: Path | None = None) -> Store:
    """Opens or makes a library.

    location: a folder, or postgresql://user@host/database. root: the folder paths are stored relative to, which is the library's
    own folder with SQLite. Raises NewerLibraryError, CorruptLibraryError, NoSpaceError, ReadOnlyError, UserError.
    """
    if is_url(location):
        db = Database.postgres(str(location), root or Path("/"), read_only)
    else:
        db = _open_sqlite(Path(location), read_only)
    try:
        _bring_up_to_date(db)
    except BaseException:
        db.close()
        raise
    return Store(db)


def _open_sqlite(folder: Path, read_only: bool) -> Database:
    file = folder / FILE_NAME
    if read_only:
        if not file.is_file():
            raise UserError(f"There is no library in {shown(folder)} to look at.")
        return _open_for_reading(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise os_error(error, folder) from error
    if file.is_file() and file.stat().st_size > 0:
        # Before the first pragma that writes: a newer or damaged library is to stay as it is.
        looking = _open_for_reading(folder)
        try:
            _refuse_newer(looking, _runner(looking))
        finally:
            looking.close()
    return Database.sqlite(folder, read_only=False)


def _open_for_reading(folder: Path) -> Database:
    try:
        return _probed(Database.sqlite(folder, read_only=True))
    except CorruptLibraryError:
        raise
    except UserError:
        # Reading a library needs two files beside it; on a read-only disk it can only be taken as one nobody writes to.
        if os.access(folder, os.W_OK):
            raise
        return _probed(Database.sqlite(folder, read_only=True, frozen=True))


def _probed(db: Database) -> Database:
    """SQLite opens a file without looking at it."""
    try:
        db.one(peewee.SQL("SELECT COUNT(*) FROM sqlite_master"))
    except BaseException:
        db.close()
        raise
    return db


def _runner(db: Database) -> Runner:
    return Runner(db.engine, str(MIGRATIONS))


def _refuse_newer(db: Database, runner: Runner) -> None:
    with reported(db.where, db.file):
        known, applied = {each.name for each in runner.migrations()}, set(runner.applied())
    if applied - known:
        raise NewerLibraryError(
            f"The library {db.where} was made by a newer version of Darknet Studio: it has format {_number(applied)}, and this "
            f"version knows formats up to {_number(known)}. Nothing in it was changed. Open it with the newer version."
        )


def _number(names: set[str]) -> int:
    return max(int(name.split("_")[0]) for name in names)


def _bring_up_to_date(db: Database) -> None:
    runner = _runner(db)
    _refuse_newer(db, runner)
    with reported(db.where, db.file):
        rows = runner.status()
    if all(each.applied for each in rows):
        return
    if db.read_only:
        raise UserError(f"The library {db.where} was made by an older version. Open it once for writing to bring it up to date.")
    if any(each.applied for each in rows):
        target = copies.new_path(db.root / BACKUP_FOLDER, "before-update")
        with reported(db.where, target):
            copies.write(db, MIGRATIONS, target)
    with reported(db.where, db.file), db.alone():
        runner.up()
