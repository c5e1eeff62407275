"""Opening a library in every state it can be in, and its backups."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gui.core import backup
from gui.core.changes import EVERYTHING
from gui.core.errors import CorruptLibraryError, LockedError, NewerLibraryError, ReadOnlyError, UserError
from gui.core.event_log import VARIABLE as EVENT_VARIABLE
from gui.core.workspace import VARIABLE, Workspace, default_folder


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "my library"


@pytest.fixture
def workspace(place: Path) -> Iterator[Workspace]:
    opened = Workspace.open(place)
    yield opened
    opened.close()


def names(workspace: Workspace) -> list[str]:
    return [each.name for each in workspace.store.experiments.list()]


def test_folders(workspace: Workspace, place: Path) -> None:
    assert sorted(path.name for path in place.iterdir() if path.is_dir()) == ["backups", "images", "runs", "thumbs"]
    assert workspace.run_folder(3) == place / "runs" / "3"
    assert (workspace.read_only, workspace.notices) == (False, ())
    assert workspace.run_store(lambda: 5) == 5


def test_the_place_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "named"))
    opened = Workspace.open()
    assert opened.folder == tmp_path / "named"
    opened.close()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    if sys.platform.startswith("linux"):
        assert default_folder() == tmp_path / "data" / "darknet-studio"
    with pytest.raises(UserError, match="postgresql://"):
        Workspace.open("mysql://somewhere")


def test_a_second_window_reads_and_says_so(workspace: Workspace, place: Path) -> None:
    workspace.store.experiments.create("Birds")
    second = Workspace.open(place)
    assert second.read_only
    assert "another window" in second.read_only_reason
    assert names(second) == ["Birds"]
    workspace.store.experiments.create("Cats")
    assert names(second) == ["Cats", "Birds"]
    with pytest.raises(ReadOnlyError):
        second.store.experiments.create("Dogs")
    with pytest.raises(ReadOnlyError, match="another window"):
        second.require_writing()
    second.close()
    with pytest.raises(LockedError, match="another window"):
        Workspace.open(place, must_write=True)
    workspace.require_writing()


def test_the_lock_ends_with_its_process(place: Path) -> None:
    code = (
        "import os,sys; sys.path.insert(0, sys.argv[2]); from gui.core.workspace import Workspace;"
        "w = Workspace.open(sys.argv[1]); print(w.read_only, flush=True); os.kill(os.getpid(), 9)"
    )
    root = str(Path(__file__).resolve().parents[2])
    told = subprocess.run([sys.executable, "-c", code, str(place), root], capture_output=True, text=True, check=False)
    assert (told.stdout, told.returncode) == ("False\n", -9)
    opened = Workspace.open(place)
    assert not opened.read_only
    opened.close()


def test_a_library_to_look_at_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no library"):
        Workspace.open(tmp_path / "nothing", read_only=True)
    assert not (tmp_path / "nothing").exists()


def test_a_newer_library_is_left_alone(place: Path) -> None:
    Workspace.open(place).close()
    file = place / "library.db"
    connection = sqlite3.connect(file)
    connection.execute("INSERT INTO schema_migration (name, applied) VALUES ('0042_wonders', '2030-01-01')")
    connection.commit()
    connection.close()
    before = file.read_bytes()
    for read_only in (False, True):
        with pytest.raises(NewerLibraryError, match=r"format 42.*up to \d+"):
            Workspace.open(place, read_only=read_only)
    assert file.read_bytes() == before
    assert list(place.glob("library-damaged*")) == []


@pytest.mark.parametrize("garbage", [b"not a database at all" * 500, None])
def test_a_damaged_library_is_moved_aside(place: Path, garbage: bytes | None) -> None:
    workspace = Workspace.open(place)
    workspace.store.experiments.create("Birds")
    workspace.backups.make()
    workspace.store.experiments.create("Lost")
    workspace.close()
    file = place / "library.db"
    if garbage is None:
        pages = bytearray(file.read_bytes())
        pages[8192:] = b"\x55" * (len(pages) - 8192)
        garbage = bytes(pages)
    file.write_bytes(garbage)
    with pytest.raises(CorruptLibraryError):
        Workspace.open(place, read_only=True).store.experiments.list()
    opened = Workspace.open(place)
    assert "damaged" in opened.notices[0]
    assert "library-000001-by-hand.db" in opened.notices[0]
    assert names(opened) == ["Birds"]
    assert (place / "library-damaged-1.db").read_bytes() == garbage
    opened.close()


def test_a_damaged_library_without_a_backup(place: Path) -> None:
    place.mkdir()
    (place / "library.db").write_bytes(b"x" * 5000)
    opened = Workspace.open(place)
    assert "empty library" in opened.notices[0]
    assert names(opened) == []
    opened.close()


def test_an_empty_file_and_garbage_settings_do_not_stop_the_start(place: Path) -> None:
    place.mkdir()
    (place / "library.db").touch()
    opened = Workspace.open(place)
    opened.settings.set("theme", "light")
    opened.close()
    connection = sqlite3.connect(place / "library.db")
    connection.execute("UPDATE setting SET value = '{garbage'")
    connection.commit()
    connection.close()
    opened = Workspace.open(place)
    assert opened.settings.get("theme", "dark") == "dark"
    opened.close()


def test_restore(workspace: Workspace) -> None:
    heard: list[frozenset[str]] = []
    workspace.changes.subscribe(heard.append)
    workspace.store.experiments.create("Birds")
    made = workspace.backups.make()
    workspace.store.experiments.create("Cats")
    workspace.undo.push("x", lambda: None, lambda: None)
    looking = Workspace.open(workspace.folder)
    assert names(looking) == ["Cats", "Birds"]
    aside = workspace.restore(made)
    assert names(workspace) == names(looking) == ["Birds"]
    looking.close()
    assert workspace.undo.undo_label is None
    assert heard == [frozenset({EVERYTHING})]
    assert [each.reason for each in workspace.backups.list()] == ["before-restore", "by-hand"]
    workspace.restore(aside)
    assert names(workspace) == ["Cats", "Birds"]
    workspace.store.experiments.create("Dogs")
    assert workspace.store.quick_check() == []


def test_a_backup_that_is_none_changes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    workspace.store.experiments.create("Birds")
    wrong = tmp_path / "wrong.db"
    wrong.write_bytes(b"garbage" * 1000)
    with pytest.raises(CorruptLibraryError):
        workspace.restore(wrong)
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE x (y)").connection.close()
    with pytest.raises(UserError, match="not a library"):
        workspace.restore(tmp_path / "other.db")
    with pytest.raises(UserError, match="no file"):
        workspace.restore(tmp_path / "none.db")
    assert names(workspace) == ["Birds"]


def test_an_unfinished_backup_of_a_killed_process_goes_away(place: Path) -> None:
    Workspace.open(place).close()
    (place / "backups" / "library-000007-automatic.db.part").touch()
    (place / "backups" / "library-000007-automatic.db.part-journal").touch()
    (place / "backups" / "mine.db.part").touch()
    Workspace.open(place).close()
    assert [path.name for path in (place / "backups").iterdir()] == ["mine.db.part"]


def test_a_library_without_write_permission_can_be_looked_at(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace.open(place)
    workspace.store.experiments.create("Birds")
    workspace.close()
    may = os.access
    # For root every file can be written, so that permissions alone would test nothing.
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(place / "library.db") and may(path, mode))
    opened = Workspace.open(place)
    assert "belongs to somebody else" in opened.read_only_reason
    assert names(opened) == ["Birds"]
    opened.close()


def test_backups_are_made_when_due(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0 + time.monotonic()]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    workspace.backups.make()
    clock[0] += backup.INTERVAL_S + 1
    assert workspace.backups.make_if_due() is None
    workspace.store.experiments.create("Birds")
    made = workspace.backups.make_if_due()
    assert made is not None
    assert workspace.backups.make_if_due() is None
    workspace.store.experiments.create("Cats")
    assert workspace.backups.make_if_due() is None


def test_a_short_session_ends_with_a_backup(place: Path) -> None:
    workspace = Workspace.open(place)
    workspace.store.experiments.create("Birds")
    workspace.close()
    assert [path.name for path in (place / "backups").iterdir()] == ["library-000001-automatic.db"]
    workspace = Workspace.open(place)
    workspace.store.experiments.create("Cats")
    workspace.close()
    assert len(list((place / "backups").iterdir())) == 1
    os.utime(place / "backups" / "library-000001-automatic.db", (5e9, 5e9))
    workspace = Workspace.open(place)
    workspace.store.experiments.create("Dogs")
    workspace.close()
    assert len(list((place / "backups").iterdir())) == 2


def test_thinning_keeps_the_newest_and_some_old_ones(tmp_path: Path) -> None:
    for number in range(1, 401):
        (tmp_path / f"library-{number:06d}-automatic.db").touch()
        backup.thin(tmp_path)
    kept = sorted(int(path.name.split("-")[1]) for path in tmp_path.iterdir())
    assert kept[-5:] == [396, 397, 398, 399, 400]
    assert 8 <= len(kept) <= 20
    assert kept[0] <= 256


def test_an_older_library_is_backed_up_and_updated(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gui.store import store as module

    workspace = Workspace.open(place)
    workspace.store.experiments.create("Birds")
    workspace.close()
    later = tmp_path / "migrations"
    shutil.copytree(module.MIGRATIONS, later)
    (later / "0099_later.py").write_text("def up(migrator, db):\n    db.execute_sql('CREATE TABLE later (x INTEGER)')\n")
    monkeypatch.setattr(module, "MIGRATIONS", later)
    with pytest.raises(UserError, match="older version"):
        Workspace.open(place, read_only=True)
    opened = Workspace.open(place)
    assert "before-update" in [each.reason for each in opened.backups.list()]
    assert names(opened) == ["Birds"]
    opened.close()


def test_event_log(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "events.jsonl"
    monkeypatch.setenv(EVENT_VARIABLE, str(log))
    workspace = Workspace.open(place)
    workspace.event("saved", image=3, revision=1, boxes=2)
    assert [json.loads(line) for line in log.read_text().splitlines()] == [
        {"event": "saved", "image": 3, "revision": 1, "boxes": 2}
    ]
    workspace.event("error", code="x", text=os.fsdecode(b"bad\xff"))
    workspace.close()
    workspace.event("screen", name="home")
    assert len(log.read_text().splitlines()) == 2
    monkeypatch.setenv(EVENT_VARIABLE, str(tmp_path / "no" / "such" / "folder"))
    workspace = Workspace.open(place)
    workspace.event("screen", name="home")
    workspace.close()
