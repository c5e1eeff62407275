"""One connection to a library: SQLite in a folder, or a PostgreSQL server. Transactions, queries, bulk inserts, error texts.

The connection is shared by all threads behind a lock, so that a stray read from another thread waits and does not fail. There are
no nested transactions: SQLite ends the whole transaction when a disk is full, and what an outer one does afterwards would stand.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import peewee

from darknet_bridge.errors import shown

from ..core.errors import ReadOnlyError, UserError
from .errors import reported
from .tables import Row

FILE_NAME = "library.db"
BUSY_S = 5.0
# A server that is gone is told within 5 s: what was sent is not acknowledged, and then it can't be reached again.
CONNECT_S = 2
ACKNOWLEDGE_MS = 2000
# Any number nobody else on the server takes.
UPDATE_LOCK = 7_286_193_204
PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "full",
    "foreign_keys": 1,
    "trusted_schema": 0,
    "cache_size": -32_000,  # KiB
    "journal_size_limit": 32 << 20,  # bytes the log keeps after a large import
}
READ_PRAGMAS = {"foreign_keys": 1, "trusted_schema": 0, "query_only": 1, "cache_size": -32_000}


def _quoted(name: str) -> str:
    return f'"{name}"'


def is_url(location: Path | str) -> bool:
    return isinstance(location, str) and location.startswith(("postgresql://", "postgres://"))


def _read_url(url: str) -> tuple[str, str, dict[str, Any]]:
    """(the URL without its password, for messages; the database's name; options of the connection). Raises ValueError."""
    parts = urlsplit(url)
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    options.setdefault("connect_timeout", CONNECT_S)
    options.update(tcp_user_timeout=ACKNOWLEDGE_MS, keepalives_idle=2, keepalives_interval=1, keepalives_count=2)
    for key, value in (("host", parts.hostname), ("user", parts.username), ("password", parts.password)):
        if value is not None:
            options[key] = unquote(value)
    if parts.port is not None:
        options["port"] = parts.port
    name = unquote(parts.path.lstrip("/"))
    if not name:
        raise ValueError("no database")
    user, port = f"{parts.username}@" if parts.username else "", f":{parts.port}" if parts.port else ""
    return f"postgresql://{user}{parts.hostname or ''}{port}/{name}", name, options


class Database:
    """file: the SQLite file, None for a server. root: the library's folder. revision: writing transactions committed here."""

    def __init__(self, engine: Any, root: Path, where: str, file: Path | None, read_only: bool) -> None:
        self._engine = engine
        self._lock = threading.RLock()
        self._writing = False
        self.root = root
        self.where = where
        self.file = file
        self.read_only = read_only
        self.revision = 0
        self._connect()

    @classmethod
    def sqlite(cls, root: Path, read_only: bool, frozen: bool = False) -> Database:
        """frozen: nobody writes to the file and nothing may be created beside it (a read-only disk)."""
        if read_only:
            return cls._reading(root / FILE_NAME, "?immutable=1" if frozen else "?mode=ro")
        file = root / FILE_NAME
        engine = peewee.SqliteDatabase(
            str(file), pragmas=PRAGMAS, timeout=BUSY_S, thread_safe=False, autoconnect=False, check_same_thread=False
        )
        return cls(engine, root, shown(file), file, False)

    @classmethod
    def sqlite_file(cls, file: Path) -> Database:
        """A copy of a library under any name, for reading. Nobody writes to it."""
        return cls._reading(file, "?immutable=1")

    @classmethod
    def _reading(cls, file: Path, mode: str) -> Database:
        engine = peewee.SqliteDatabase(
            file.absolute().as_uri() + mode,
            pragmas=READ_PRAGMAS,
            timeout=BUSY_S,
            thread_safe=False,
            autoconnect=False,
            check_same_thread=False,
            uri=True,
        )
        return cls(engine, file.parent, shown(file), file, True)

    @classmethod
    def postgres(cls, url: str, root: Path, read_only: bool) -> Database:
        """url: postgresql://user:password@host:port/database?option=value, with libpq's options. Raises UserError."""
        try:
            where, name, options = _read_url(url)
        except ValueError as error:
            raise UserError(
                "The address of the library can't be read. It looks like postgresql://user@host:5432/database"
            ) from error
        engine = peewee.PostgresqlDatabase(name, thread_safe=False, autoconnect=False, prefer_psycopg3=True, **options)
        try:
            return cls(engine, root, where, None, read_only)
        except peewee.ImproperlyConfigured as error:
            raise UserError(
                "A library on a PostgreSQL server needs the package psycopg: pip install 'psycopg[binary]'."
            ) from error
        except peewee.ProgrammingError as error:
            raise UserError(f"The address of the library {where} has an option that PostgreSQL does not know.") from error

    def _connect(self) -> None:
        with reported(self.where, self.file):
            self._engine.connect()

    @property
    def engine(self) -> Any:
        """For migrations and backup only."""
        return self._engine

    @property
    def is_postgres(self) -> bool:
        return self.file is None

    def close(self) -> None:
        with self._lock, suppress(peewee.PeeweeException):
            self._engine.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, on disk when it ends. Raises ReadOnlyError, NoSpaceError, UserError; refuses to be nested."""
        if self.read_only:
            raise ReadOnlyError("The library is open for reading only, so this can't be changed.")
        with self._lock:
            if self._writing:
                raise RuntimeError("a transaction inside a transaction")
            with reported(self.where, self.file):
                self._begin()
                self._writing = True
                try:
                    yield
                    self._engine.commit()
                except BaseException:
                    self._roll_back()
                    raise
                finally:
                    self._writing = False
            self.revision += 1

    def _begin(self) -> None:
        if not self.is_postgres:
            self._engine.begin("IMMEDIATE")
            return
        self._revive()
        try:
            self._engine.begin()
        except (peewee.OperationalError, peewee.InterfaceError):
            # The server closed the connection since (restart, time-out): once more with a fresh one.
            self._revive()
            self._engine.begin()

    def _roll_back(self) -> None:
        """A full disk or a lost server has ended the transaction already; then there is nothing to roll back."""
        with suppress(peewee.PeeweeException, sqlite3.Error):
            self._engine.rollback()

    def _revive(self) -> None:
        if not self._engine.is_closed() and not self._engine.is_connection_usable():
            with suppress(peewee.PeeweeException):
                self._engine.close()
        if self._engine.is_closed():
            self._engine.connect()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While the tables are changed: a second user of the server who starts then waits. SQLite has its lock file."""
        if not self.is_postgres:
            yield
            return
        self._engine.execute_sql("SELECT pg_advisory_lock(%s)", (UPDATE_LOCK,))
        try:
            yield
        finally:
            with suppress(peewee.PeeweeException):
                self._engine.execute_sql("SELECT pg_advisory_unlock(%s)", (UPDATE_LOCK,))

    @contextmanager
    def snapshot(self) -> Iterator[Any]:
        """A cursor of a server that sees one state of all tables; for copies."""
        with self._lock, reported(self.where, self.file):
            self._revive()
            self._engine.begin("REPEATABLE READ")
            try:
                yield self._engine.cursor()
            finally:
                self._roll_back()

    def _execute(self, query: Any) -> Any:
        if self._writing or not self.is_postgres:
            return self._engine.execute(query)
        self._revive()
        try:
            return self._engine.execute(query)
        except (peewee.OperationalError, peewee.InterfaceError):
            self._revive()
            return self._engine.execute(query)

    def rows(self, query: Any) -> list[tuple[Any, ...]]:
        """The plain values of every row of a peewee query, unconverted."""
        with self._lock, reported(self.where, self.file):
            found: list[tuple[Any, ...]] = self._execute(query).fetchall()
            return found

    def one(self, query: Any) -> tuple[Any, ...] | None:
        with self._lock, reported(self.where, self.file):
            row: tuple[Any, ...] | None = self._execute(query).fetchone()
            return row

    def run(self, query: Any) -> int:
        """Runs a writing query, inside a transaction. Returns how many rows it touched."""
        if not self._writing:
            raise RuntimeError("a write outside a transaction")
        with reported(self.where, self.file):
            return int(self._engine.execute(query).rowcount)

    def new_ids(self, table: type[Row], count: int = 1) -> list[int]:
        """Ids no row has had before, inside the transaction that inserts them."""
        name = table._meta.table_name
        with reported(self.where, self.file):
            if self.is_postgres:
                query = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
                return [row[0] for row in self._engine.execute_sql(query, (f'"{name}"', count)).fetchall()]
            row = self._engine.execute_sql("SELECT seq FROM sqlite_sequence WHERE name = ?", (name,)).fetchone()
            first = (row[0] if row else 0) + 1
            return list(range(first, first + count))

    def insert(self, table: type[Row], **values: Any) -> int:
        """Inserts a row with a new id, which it returns. Values are stored as they are."""
        (row_id,) = self.new_ids(table)
        self.run(table.insert(id=row_id, **values))
        return row_id

    def insert_many(
        self, table: type[Row], columns: Sequence[str], rows: Iterable[Sequence[Any]], keys: str = "", replace: bool = True
    ) -> None:
        """Many rows at once, inside a transaction, without building a query for each.

        columns: their names in the database. keys: columns, with commas, that name a row. One that is there already is replaced,
        or stays with replace=False.
        """
        if not self._writing:
            raise RuntimeError("a write outside a transaction")
        into = f"{_quoted(table._meta.table_name)} ({', '.join(map(_quoted, columns))})"
        marks = ", ".join([self._engine.param] * len(columns))
        sql = f"INSERT INTO {into} VALUES ({marks})"
        if keys:
            own = keys.split(",")
            new = ", ".join(f"{_quoted(column)} = excluded.{_quoted(column)}" for column in columns if column not in own)
            sql += f" ON CONFLICT ({', '.join(map(_quoted, own))}) DO {f'UPDATE SET {new}' if replace else 'NOTHING'}"
        with reported(self.where, self.file):
            cursor = self._engine.cursor()
            if keys or not hasattr(cursor, "copy"):
                cursor.executemany(sql, rows)
                return
            # The way of psycopg 3 that takes a million rows in seconds.
            with cursor.copy(f"COPY {into} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
