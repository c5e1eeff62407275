"""The library on disk. The only place that knows peewee; takes and gives the frozen records of gui.core.records."""

from .repo_categories import DeletedCategory
from .store import Store, check_copy, open_store

__all__ = ["DeletedCategory", "Store", "check_copy", "open_store"]
