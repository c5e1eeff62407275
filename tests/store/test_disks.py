"""Full and read-only disks, and a schema that agrees with itself. Needs to mount small file systems; skipped where it may not."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import peewee
import pytest
from playhouse.schema_diff import diff_models

from gui.core.errors import NoSpaceError, ReadOnlyError, UserError
from gui.core.workspace import Workspace
from gui.store import Store, open_store
from gui.store.tables import TABLES

from .conftest import Library, fill


def mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    try:
        mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", folder)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill_up(folder: Path) -> Path:
    """Leaves no byte free."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return ballast


def submit_until_full(library: Library) -> int:
    """Returns the revision of the first image at the end."""
    image = library.images[0]
    with pytest.raises(NoSpaceError, match=r"small/library/library\.db is full\. Nothing was lost"):
        while True:
            library.submit(image, *[library.box()] * 200)
    return library.store.annotations.get(library.group, image).revision


def test_a_full_disk_is_named_and_loses_nothing(small_disk: Path) -> None:
    library = fill(open_store(small_disk / "library"))
    ballast = fill_up(small_disk)
    revision = submit_until_full(library)
    before = library.store.annotations.get(library.group, library.images[0])
    for _ in range(3):
        with pytest.raises(NoSpaceError):
            library.submit(library.images[0], *[library.box(library.gull)] * 500)
        assert library.store.annotations.get(library.group, library.images[0]) == before
    ballast.unlink()
    library.submit(library.images[0], library.box(library.gull))
    after = library.store.annotations.get(library.group, library.images[0])
    assert (after.revision, after.submitted) == (revision + 1, (library.box(library.gull),))
    assert library.store.quick_check() == []
    library.store.close()


def test_a_full_disk_in_a_long_import_leaves_all_or_nothing(small_disk: Path) -> None:
    library = fill(open_store(small_disk / "library"))
    with pytest.raises(NoSpaceError):
        library.store.annotations.submit_many(library.group, {image: [library.box()] * 20_000 for image in library.images})
    assert library.store.annotations.submitted(library.group) == {}
    library.submit(library.images[0], library.box())
    library.store.close()


def test_a_backup_that_does_not_fit_leaves_nothing(small_disk: Path) -> None:
    workspace = Workspace.open(small_disk / "library")
    library = fill(workspace.store)
    library.submit(library.images[0], *[library.box()] * 3000)
    ballast = fill_up(small_disk)
    with pytest.raises(NoSpaceError):
        workspace.backups.make()
    assert list(workspace.backups_folder.iterdir()) == []
    ballast.unlink()
    workspace.close()


def test_a_library_on_a_read_only_disk_can_be_looked_at(small_disk: Path) -> None:
    library = fill(open_store(small_disk / "library"))
    library.submit(library.images[0], library.box())
    library.store.close()
    mount("-o", "remount,ro", small_disk)
    before = sorted(path.name for path in (small_disk / "library").iterdir())
    workspace = Workspace.open(small_disk / "library")
    try:
        assert workspace.read_only
        assert "nothing can be written" in workspace.read_only_reason
        assert workspace.store.groups.get(library.group).boxes == 1
        with pytest.raises(ReadOnlyError):
            workspace.store.settings.set("x", 1)
        assert sorted(path.name for path in (small_disk / "library").iterdir()) == before
    finally:
        workspace.close()
        mount("-o", "remount,rw", small_disk)
    with pytest.raises(ReadOnlyError):
        mount("-o", "remount,ro", small_disk)
        try:
            Workspace.open(small_disk / "library", must_write=True)
        finally:
            mount("-o", "remount,rw", small_disk)


def test_the_migrations_make_what_the_tables_say(sqlite_store: Store) -> None:
    engine = sqlite_store._db.engine
    with engine.bind_ctx(TABLES):
        assert not diff_models(engine, TABLES)
    for table in TABLES:
        if isinstance(table._meta.primary_key, peewee.AutoField):
            name = table._meta.table_name
            (sql,) = engine.execute_sql("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
            assert "AUTOINCREMENT" in sql, name


def test_the_pragmas_that_keep_what_was_saved(sqlite_store: Store) -> None:
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "trusted_schema": 0}
    assert {name: sqlite_store._db.engine.pragma(name) for name in expected} == expected


def test_transactions_are_not_nested_and_writes_need_one(sqlite_store: Store) -> None:
    with sqlite_store._db.transaction(), pytest.raises(RuntimeError, match="inside"):
        sqlite_store.settings.set("x", 1)
    with pytest.raises(RuntimeError, match="outside"):
        sqlite_store._db.run(TABLES[0].delete())


def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="can't be made"):
        Workspace.open(tmp_path / "file" / "library")


def test_a_copy_of_a_library_that_is_open(sqlite_store: Store, tmp_path: Path) -> None:
    fill(sqlite_store)
    sqlite_store.backup(tmp_path / "copies" / "one.db")
    assert [path.name for path in (tmp_path / "copies").iterdir()] == ["one.db"]
    (tmp_path / "again").mkdir()
    shutil.copy(tmp_path / "copies" / "one.db", tmp_path / "again" / "library.db")
    again = open_store(tmp_path / "again")
    assert again.datasets.list()[0].images == 3
    again.close()
