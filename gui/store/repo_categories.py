"""Categories. An id is given once and never again; a deleted category's boxes move to deleted_box until undo brings them back."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peewee import Value, fn

from ..core.errors import ConflictError, UserError
from ..core.records import Category
from .codec import clean
from .repo_base import Repo, chunks, now
from .tables import Annotation, DeletedBox, DraftBox
from .tables import AnnotationGroup as GroupRow
from .tables import Box as BoxRow
from .tables import Category as CategoryRow
from .tables import Image as ImageRow

PLACE = ("cx", "cy", "w", "h", "flags")


@dataclass(frozen=True, slots=True)
class DeletedCategory:
    """What restore() takes. position: where the category was in its list."""

    category_id: int
    group_id: int
    position: int


class CategoryRepo(Repo):
    noun = "category"

    def list(self, group_id: int) -> builtins.list[Category]:
        return self._found((CategoryRow.group == group_id) & CategoryRow.deleted_at.is_null())

    def get(self, category_id: int) -> Category:
        """Also a deleted one: an old run names it."""
        found = self._found(CategoryRow.id == category_id)
        if not found:
            raise self._missing()
        return found[0]

    def _found(self, condition: Any) -> builtins.list[Category]:
        row = CategoryRow
        query = row.select(row.id, row.group, row.name, row.colour, row.position).where(condition)
        return [Category(*values) for values in self._db.rows(query.order_by(row.position, row.id))]

    def add(self, group_id: int, name: str, colour: str) -> Category:
        """At the end of the list."""
        with self._db.transaction():
            self._hold(group_id)
            category_id = self._db.insert(
                CategoryRow, group=group_id, name=clean(name), colour=colour, position=len(self.list(group_id))
            )
        return self.get(category_id)

    def _hold(self, group_id: int) -> None:
        """Lets no second user change the list at the same time (SQLite has locked everything anyway)."""
        if self._db.is_postgres:
            self._db.rows(GroupRow.select(GroupRow.id).where(GroupRow.id == group_id).for_update())

    def rename(self, category_id: int, name: str) -> None:
        self._update(CategoryRow, category_id, name=clean(name))

    def recolour(self, category_id: int, colour: str) -> None:
        self._update(CategoryRow, category_id, colour=colour)

    def reorder(self, group_id: int, ids: Sequence[int]) -> None:
        """ids: all categories of the group. Raises ConflictError where the list has changed since it was read."""
        with self._db.transaction():
            self._hold(group_id)
            if sorted(ids) != sorted(category.id for category in self.list(group_id)):
                raise ConflictError("The list of categories was changed elsewhere. Look at the new list, then sort it again.")
            self._place(ids)

    def _place(self, ids: Sequence[int]) -> None:
        for position, category_id in enumerate(ids):
            self._db.run(CategoryRow.update(position=position).where(CategoryRow.id == category_id))

    def counts(self, category_id: int) -> tuple[int, int]:
        """(boxes, images) of the submitted boxes on images that are in the dataset, as the statistics say it."""
        row = self._db.one(
            BoxRow.select(fn.COUNT(BoxRow.id), fn.COUNT(fn.DISTINCT(BoxRow.annotation)))
            .join(Annotation)
            .join(ImageRow)
            .where((BoxRow.category == category_id) & ImageRow.deleted_at.is_null())
        )
        return (row[0], row[1]) if row else (0, 0)

    def draft_counts(self, category_id: int) -> tuple[int, int]:
        """(boxes, images) of drafts: they go with a deleted category too."""
        row = self._db.one(
            DraftBox.select(fn.COUNT(DraftBox.id), fn.COUNT(fn.DISTINCT(DraftBox.annotation)))
            .join(Annotation)
            .join(ImageRow)
            .where((DraftBox.category == category_id) & ImageRow.deleted_at.is_null())
        )
        return (row[0], row[1]) if row else (0, 0)

    def delete(self, category_id: int, move_to: int | None = None) -> DeletedCategory:
        """Deletes the category with its boxes, or gives them to another category of the group. The images stay submitted."""
        category = self.get(category_id)
        if move_to is not None and (move_to == category_id or self.get(move_to).group_id != category.group_id):
            raise UserError(f"The boxes of “{category.name}” can only move to another category of the same group.")
        with self._db.transaction():
            self._hold(category.group_id)
            deleted = CategoryRow.update(deleted_at=now()).where(
                (CategoryRow.id == category_id) & CategoryRow.deleted_at.is_null()
            )
            if not self._db.run(deleted):
                raise self._missing()
            for table, draft in ((BoxRow, False), (DraftBox, True)):
                self._put_away(table, draft, category_id, move_to)
            self._place([each.id for each in self.list(category.group_id)])
        return DeletedCategory(category_id, category.group_id, category.position)

    def _put_away(self, table: Any, draft: bool, category_id: int, move_to: int | None) -> None:
        mine = table.category == category_id
        fields = [getattr(table, name) for name in PLACE]
        values = [table.category, Value(draft), Value(move_to is not None), table.id, table.annotation, *fields]
        into = [getattr(DeletedBox, name) for name in ("category", "draft", "moved", "box_id", "annotation", *PLACE)]
        self._db.run(DeletedBox.insert_from(table.select(*values).where(mine), into))
        self._db.run(table.delete().where(mine) if move_to is None else table.update(category=move_to).where(mine))

    def restore(self, token: DeletedCategory) -> None:
        """The category and its boxes as before. Boxes that moved come back, unless their image was submitted anew since."""
        with self._db.transaction():
            self._hold(token.group_id)
            self._set(CategoryRow, token.category_id, deleted_at=None)
            for table, draft in ((BoxRow, False), (DraftBox, True)):
                self._bring_back(table, draft, token.category_id)
            self._db.run(DeletedBox.delete().where(DeletedBox.category == token.category_id))
            ids = [each.id for each in self.list(token.group_id) if each.id != token.category_id]
            ids.insert(token.position, token.category_id)
            self._place(ids)

    def _bring_back(self, table: Any, draft: bool, category_id: int) -> None:
        mine = (DeletedBox.category == category_id) & (DeletedBox.draft == draft)
        fields = [getattr(DeletedBox, name) for name in ("box_id", "category", "annotation", *PLACE)]
        into = [getattr(table, name) for name in ("id", "category", "annotation", *PLACE)]
        gone = mine & ~DeletedBox.moved
        if draft:
            # Boxes of a draft that was dropped or submitted since would make a draft out of nothing.
            gone &= DeletedBox.annotation.in_(Annotation.select(Annotation.id).where(Annotation.has_draft))
        self._db.run(table.insert_from(DeletedBox.select(*fields).where(gone), into))
        moved = [row[0] for row in self._db.rows(DeletedBox.select(DeletedBox.box_id).where(mine & DeletedBox.moved))]
        for some in chunks(moved):
            self._db.run(table.update(category=category_id).where(table.id.in_(some)))
