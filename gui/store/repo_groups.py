"""Annotation groups: a set of categories and boxes over a dataset."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

from peewee import SQL, Case, Select, fn

from ..core.records import AnnotationGroup, GroupSummary
from .codec import clean
from .repo_base import Repo, now
from .tables import Annotation, Box, Category, Image
from .tables import AnnotationGroup as GroupRow


class GroupRepo(Repo):
    noun = "annotation group"

    def list(self, dataset_id: int) -> builtins.list[AnnotationGroup]:
        """Oldest first."""
        return self._found((GroupRow.dataset == dataset_id) & GroupRow.deleted_at.is_null())

    def get(self, group_id: int) -> AnnotationGroup:
        """Also a deleted one."""
        found = self._found(GroupRow.id == group_id)
        if not found:
            raise self._missing()
        return found[0]

    def _found(self, condition: Any) -> builtins.list[AnnotationGroup]:
        rows = self._db.rows(
            GroupRow.select(GroupRow.id, GroupRow.dataset, GroupRow.name, GroupRow.created_at)
            .where(condition)
            .order_by(GroupRow.id)
        )
        ids = [row[0] for row in rows]
        of_group = Annotation.group.in_(ids)
        alive = Image.deleted_at.is_null() & of_group
        categories = dict(
            self._db.rows(
                Category.select(Category.group, fn.COUNT(Category.id))
                .where(Category.deleted_at.is_null() & Category.group.in_(ids))
                .group_by(Category.group)
            )
        )
        submitted = dict(
            self._db.rows(
                Annotation.select(Annotation.group, fn.COUNT(Annotation.id))
                .join(Image)
                .where(alive & (Annotation.revision > 0))
                .group_by(Annotation.group)
            )
        )
        boxes = dict(
            self._db.rows(
                Box.select(Annotation.group, fn.COUNT(Box.id))
                .join(Annotation)
                .join(Image)
                .where(alive)
                .group_by(Annotation.group)
            )
        )
        return [AnnotationGroup(*row, *(counts.get(row[0], 0) for counts in (categories, submitted, boxes))) for row in rows]

    def create(self, dataset_id: int, name: str, categories: Sequence[tuple[str, str]] = ()) -> AnnotationGroup:
        """categories: (name, colour) of its first ones, in order."""
        with self._db.transaction():
            group_id = self._db.insert(GroupRow, dataset=dataset_id, name=clean(name), created_at=now())
            ids = self._db.new_ids(Category, len(categories))
            rows = [
                (category_id, group_id, clean(each), colour, position)
                for position, (category_id, (each, colour)) in enumerate(zip(ids, categories, strict=True))
            ]
            self._db.insert_many(Category, ("id", "group_id", "name", "colour", "position"), rows)
        return self.get(group_id)

    def rename(self, group_id: int, name: str) -> None:
        self._update(GroupRow, group_id, name=clean(name))

    def delete(self, group_id: int) -> None:
        self._update(GroupRow, group_id, deleted_at=now())

    def restore(self, group_id: int) -> None:
        self._update(GroupRow, group_id, deleted_at=None)

    def summary(self, group_id: int) -> GroupSummary:
        """Numbers of the images that are in the dataset now. Drafts count only as drafts, not with their boxes."""
        images = self._db.one(
            Image.select(fn.COUNT(Image.id))
            .join(GroupRow, on=(GroupRow.dataset == Image.dataset))
            .where((GroupRow.id == group_id) & Image.deleted_at.is_null())
        )
        here = (Annotation.group == group_id) & Image.deleted_at.is_null()
        without = ~fn.EXISTS(Box.select(Box.id).where(Box.annotation == Annotation.id))
        states = self._db.one(
            Annotation.select(
                fn.COUNT(Case(None, [(Annotation.revision > 0, 1)])),
                fn.COUNT(Case(None, [(Annotation.has_draft, 1)])),
                fn.COUNT(Case(None, [((Annotation.revision > 0) & without, 1)])),
            )
            .join(Image)
            .where(here)
        )
        submitted, drafts, negatives = states or (0, 0, 0)
        by_category = self._by_category(group_id)
        return GroupSummary(
            images=images[0] if images else 0,
            submitted=submitted,
            drafts=drafts,
            negatives=negatives,
            boxes=sum(boxes for boxes, _ in by_category.values()),
            boxes_by_category=by_category,
        )

    def _by_category(self, group_id: int) -> dict[int, tuple[int, int]]:
        """Category id -> (boxes, images). In two steps along the index (category, annotation): a million boxes in 0.3 s."""
        removed = Annotation.select(Annotation.id).join(Image).where((Annotation.group == group_id) & ~Image.deleted_at.is_null())
        per_image = (
            Box.select(Box.category.alias("category_id"), fn.COUNT(Box.id).alias("boxes"))
            .where(Box.category.in_(Category.select(Category.id).where(Category.group == group_id)))
            .where(Box.annotation.not_in(removed))
            .group_by(Box.category, Box.annotation)
        )
        category = per_image.c.category_id
        query = Select((per_image,), (category, fn.SUM(per_image.c.boxes), fn.COUNT(SQL("*")))).group_by(category)
        return {category_id: (int(boxes), images) for category_id, boxes, images in self._db.rows(query)}
