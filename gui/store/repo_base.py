"""What every repository has: the database, the paths, soft deletes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..core.errors import UserError
from .codec import Paths
from .database import Database

# SQLite takes 32,766 parameters in a statement, older ones 999.
CHUNK = 500


def now() -> float:
    """UTC seconds, for showing only: order is by id."""
    return time.time()


def chunks(values: Iterable[int], size: int = CHUNK) -> Iterator[Sequence[int]]:
    items = list(values)
    return (items[start : start + size] for start in range(0, len(items), size))


class Repo:
    """noun: what a row is called in a message, with a small letter."""

    noun = "entry"

    def __init__(self, db: Database, paths: Paths) -> None:
        self._db = db
        self._paths = paths

    def _missing(self) -> UserError:
        return UserError(f"This {self.noun} is not in the library any more.")

    def _update(self, table: Any, row_id: int, **values: Any) -> None:
        """Sets columns of one row, in a transaction of its own. Raises UserError where there is no such row."""
        with self._db.transaction():
            self._set(table, row_id, **values)

    def _set(self, table: Any, row_id: int, **values: Any) -> None:
        if not self._db.run(table.update(**values).where(table.id == row_id)):
            raise self._missing()

    def _mark(self, table: Any, ids: Iterable[int], deleted_at: float | None) -> None:
        for some in chunks(ids):
            self._db.run(table.update(deleted_at=deleted_at).where(table.id.in_(some)))
