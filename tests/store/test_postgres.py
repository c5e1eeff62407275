"""What only a library on a server can show: two users, a server that goes away, no password anywhere."""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playhouse.schema_diff import diff_models

from gui.core.errors import ConflictError, NewerLibraryError, ReadOnlyError, UserError
from gui.core.workspace import Workspace
from gui.store import Store, open_store
from gui.store.tables import TABLES

from .conftest import fill
from .postgres_server import Server


def test_two_users_on_one_image(server: Server, tmp_path: Path) -> None:
    url = server.new_database()
    one, two = open_store(url, root=tmp_path / "one"), open_store(url, root=tmp_path / "two")
    library = fill(one)
    image = library.images[0]
    library.submit(image, library.box())
    with pytest.raises(ConflictError, match="Somebody else"):
        two.annotations.submit(library.group, image, [], 0)
    theirs = two.annotations.get(library.group, image)
    two.annotations.submit(library.group, image, [*theirs.submitted, library.box(library.gull)], theirs.revision)
    assert len(one.annotations.get(library.group, image).submitted) == 2
    one.close()
    two.close()


def test_two_users_at_the_same_moment(server: Server, tmp_path: Path) -> None:
    url = server.new_database()
    stores = [open_store(url, root=tmp_path) for _ in range(2)]
    library = fill(stores[0])
    start = threading.Barrier(2)
    lost: list[int] = []

    def work(store: Store) -> None:
        for image in library.images * 5:
            start.wait()
            revision = store.annotations.get(library.group, image).revision
            start.wait()
            try:
                store.annotations.submit(library.group, image, [library.box()], revision)
            except ConflictError:
                lost.append(image)

    threads = [threading.Thread(target=work, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Exactly one of each pair was told.
    assert sorted(lost) == sorted(library.images * 5)
    assert all(len(boxes) == 1 for boxes in stores[0].annotations.submitted(library.group).values())
    for store in stores:
        store.close()


def test_a_server_that_goes_and_comes_back(server: Server, tmp_path: Path) -> None:
    store = open_store(server.new_database(), root=tmp_path)
    library = fill(store)
    server.stop()
    try:
        for act in (lambda: library.submit(library.images[0], library.box()), store.datasets.list):
            began = time.monotonic()
            with pytest.raises(UserError, match="does not answer"):
                act()
            assert time.monotonic() - began < 30, "it does not wait for ever"
    finally:
        server.resume()
    library.submit(library.images[0], library.box())
    assert len(store.annotations.get(library.group, library.images[0]).submitted) == 1
    server.stop()
    server.resume()
    assert len(store.datasets.list()) == 1
    server.stop()
    server.resume()
    library.submit(library.images[0])
    store.close()


def test_no_password_in_any_message(tmp_path: Path) -> None:
    pytest.importorskip("psycopg", reason="the package psycopg is not installed (pip install 'psycopg[binary]')")
    url = "postgresql://me:se%23cret@127.0.0.1:1/birds"
    with pytest.raises(UserError, match=r"me@127\.0\.0\.1:1/birds does not answer") as told:
        open_store(url, root=tmp_path)
    error: BaseException | None = told.value
    while error is not None:
        assert "se#cret" not in str(error)
        assert "se%23cret" not in str(error)
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("url", ["postgresql://", "postgresql://host/", "postgresql://host:port/x", "postgresql://[::1/x"])
def test_an_address_that_is_none(url: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="can't be read"):
        open_store(url, root=tmp_path)


def test_an_option_nobody_knows(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not know"):
        open_store(server.url("postgres") + "&colour=red", root=tmp_path)


def test_a_database_that_is_not_there(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such database"):
        open_store(server.url("nowhere"), root=tmp_path)


def test_a_workspace_on_a_server(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    url = server.new_database()
    workspace = Workspace.open(url)
    library = fill(workspace.store)
    library.submit(library.images[0], library.box())
    assert workspace.folder.is_relative_to(tmp_path)
    second = Workspace.open(url)
    assert second.read_only
    with pytest.raises(ReadOnlyError):
        second.store.experiments.create("x")
    second.close()
    made = workspace.backups.make()
    with pytest.raises(UserError, match="restored there"):
        workspace.restore(made)
    workspace.close()
    (tmp_path / "copy").mkdir()
    shutil.copy(made, tmp_path / "copy" / "library.db")
    copy = open_store(tmp_path / "copy")
    assert copy.annotations.submitted(library.group) == {library.images[0]: (library.box(),)}
    assert copy.categories.add(library.group, "Tern", "#000000").id > library.gull
    copy.close()


def test_a_newer_library_is_refused(postgres_store: Store, tmp_path: Path, server: Server) -> None:
    postgres_store._db.engine.execute_sql("INSERT INTO schema_migration (name, applied) VALUES ('0042_wonders', NOW())")
    database = postgres_store._db.engine.database
    with pytest.raises(NewerLibraryError, match="format 42"):
        open_store(server.url(database), root=tmp_path)


def test_the_migrations_make_what_the_tables_say(postgres_store: Store) -> None:
    engine = postgres_store._db.engine
    with engine.bind_ctx(TABLES):
        assert not diff_models(engine, TABLES)


def test_two_users_who_make_the_library_at_the_same_moment(server: Server, tmp_path: Path) -> None:
    url = server.new_database()
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda number: open_store(url, root=tmp_path / str(number)), range(4)))
    for store in stores:
        assert store.datasets.list() == []
        store.close()
