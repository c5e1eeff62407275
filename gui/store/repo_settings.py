"""Settings of a library: JSON values by name."""

from __future__ import annotations

from typing import Any

from .codec import from_json, to_json
from .repo_base import Repo
from .tables import Setting


class SettingsRepo(Repo):
    def get(self, key: str, default: Any = None) -> Any:
        """default also where the stored text is garbage or of another kind than the default."""
        row = self._db.one(Setting.select(Setting.value).where(Setting.key == key))
        return default if row is None else from_json(row[0], default)

    def set(self, key: str, value: object) -> None:
        with self._db.transaction():
            self._db.insert_many(Setting, ("key", "value"), [(key, to_json(value))], keys="key")
