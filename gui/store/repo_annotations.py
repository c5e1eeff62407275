"""Boxes: drafts at every change, submissions in one transaction each, and the numbers of the file list.

Boxes of 25,000 images are a million rows: they are read as plain values and counted by the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from peewee import Case, fn

from ..core.errors import ConflictError
from ..core.records import Box, ImageAnnotations, ImageEntry, ImageState
from .codec import BOX_COLUMNS, box_row, name_text, natural_key, row_box
from .repo_base import Repo, chunks
from .tables import Annotation, DraftBox, Image
from .tables import AnnotationGroup as GroupRow
from .tables import Box as BoxRow
from .tables import Category as CategoryRow

CONFLICT = (
    "Somebody else submitted this image since you opened it, so it was not saved over. "
    "Look at the other version, then submit yours again."
)
NO_CATEGORY = "A category of these boxes was deleted. Give them another category, then submit again."


def _state(revision: int, has_draft: bool, boxes: int) -> ImageState:
    if has_draft:
        return ImageState.DRAFT
    if revision == 0:
        return ImageState.NEW
    return ImageState.SUBMITTED if boxes else ImageState.NEGATIVE


class AnnotationRepo(Repo):
    noun = "image"

    def entries(self, group_id: int) -> list[ImageEntry]:
        """A line for every image of the dataset, in the order of names, numbers by value. boxes: of the draft, if any."""
        images = self._db.rows(
            Image.select(Image.id, Image.name)
            .join(GroupRow, on=(GroupRow.dataset == Image.dataset))
            .where((GroupRow.id == group_id) & Image.deleted_at.is_null())
        )
        states = {
            row[0]: row[1:]
            for row in self._db.rows(
                Annotation.select(Annotation.image, Annotation.id, Annotation.revision, Annotation.has_draft).where(
                    Annotation.group == group_id
                )
            )
        }
        counts = {table: self._counts(table, group_id) for table in (BoxRow, DraftBox)}
        found = []
        for image_id, stored in images:
            annotation_id, revision, has_draft = states.get(image_id, (0, 0, False))
            boxes = counts[DraftBox if has_draft else BoxRow].get(annotation_id, 0)
            found.append(ImageEntry(image_id, name_text(stored), _state(revision, has_draft, boxes), boxes, revision > 0))
        return sorted(found, key=lambda entry: natural_key(entry.name))

    def _counts(self, table: Any, group_id: int) -> dict[int, int]:
        mine = Annotation.select(Annotation.id).where(Annotation.group == group_id)
        query = table.select(table.annotation, fn.COUNT(table.id)).where(table.annotation.in_(mine)).group_by(table.annotation)
        return dict(self._db.rows(query))

    def get(self, group_id: int, image_id: int) -> ImageAnnotations:
        row = self._row(group_id, image_id)
        if row is None:
            return ImageAnnotations(group_id, image_id, (), None, 0)
        annotation_id, revision, has_draft = row
        draft = self._boxes(DraftBox, annotation_id) if has_draft else None
        return ImageAnnotations(group_id, image_id, self._boxes(BoxRow, annotation_id), draft, revision)

    def _row(self, group_id: int, image_id: int) -> tuple[Any, ...] | None:
        query = Annotation.select(Annotation.id, Annotation.revision, Annotation.has_draft)
        return self._db.one(query.where((Annotation.group == group_id) & (Annotation.image == image_id)))

    def _boxes(self, table: Any, annotation_id: int) -> tuple[Box, ...]:
        query = table.select(table.category, table.cx, table.cy, table.w, table.h, table.flags)
        return tuple(map(row_box, self._db.rows(query.where(table.annotation == annotation_id).order_by(table.id))))

    def submitted(self, group_id: int) -> dict[int, tuple[Box, ...]]:
        """Image id -> its boxes (none for a negative), of every submitted image that is in the dataset."""
        return dict(self.each_submitted(group_id))

    def each_submitted(self, group_id: int) -> Iterator[tuple[int, tuple[Box, ...]]]:
        """The same one after the other, read in portions: a million boxes at once are 200 MB."""
        alive = (Annotation.group == group_id) & (Annotation.revision > 0) & Image.deleted_at.is_null()
        query = Annotation.select(Annotation.id, Annotation.image).join(Image).where(alive).order_by(Annotation.image)
        image_of = dict(self._db.rows(query))
        fields = (BoxRow.annotation, BoxRow.category, BoxRow.cx, BoxRow.cy, BoxRow.w, BoxRow.h, BoxRow.flags)
        for some in chunks(image_of):
            found: dict[int, list[Box]] = {annotation_id: [] for annotation_id in some}
            boxes = BoxRow.select(*fields).where(BoxRow.annotation.in_(some)).order_by(BoxRow.id)
            for annotation_id, *values in self._db.rows(boxes):
                found[annotation_id].append(row_box(values))
            for annotation_id, own in found.items():
                yield image_of[annotation_id], tuple(own)

    def each_of_category(self, group_id: int, category_id: int) -> Iterator[Sequence[tuple[Any, ...]]]:
        """(box id, image id, cx, cy, w, h) of a category's submitted boxes, in portions. Later submissions have higher ids."""
        alive = (Annotation.group == group_id) & (Annotation.revision > 0) & Image.deleted_at.is_null()
        image_of = dict(self._db.rows(Annotation.select(Annotation.id, Annotation.image).join(Image).where(alive)))
        fields = (BoxRow.id, BoxRow.annotation, BoxRow.cx, BoxRow.cy, BoxRow.w, BoxRow.h)
        for some in chunks(image_of):
            found = self._db.rows(BoxRow.select(*fields).where((BoxRow.category == category_id) & BoxRow.annotation.in_(some)))
            yield [(box_id, image_of[annotation_id], *values) for box_id, annotation_id, *values in found]

    def kinds(self, group_id: int, areas: Sequence[float]) -> dict[int, frozenset[tuple[int, int]]]:
        """Image id -> the (category id, size) that its boxes have now: in the draft where there is one, else in the submission.

        size: how many of `areas`, in pixels of the image and growing, the box reaches. The database works it out.
        """
        found: dict[int, set[tuple[int, int]]] = {}
        for table, shown in ((BoxRow, ~Annotation.has_draft), (DraftBox, Annotation.has_draft)):
            area = table.w * Image.width * table.h * Image.height
            size = Case(None, [(area < limit, index) for index, limit in enumerate(areas)], len(areas))
            query = table.select(Annotation.image, table.category, size).join(Annotation).join(Image).distinct()
            for image_id, category_id, reached in self._db.rows(query.where((Annotation.group == group_id) & shown)):
                found.setdefault(image_id, set()).add((category_id, int(reached)))
        return {image_id: frozenset(own) for image_id, own in found.items()}

    def save_draft(self, group_id: int, image_id: int, boxes: Sequence[Box]) -> None:
        """What is on the canvas now; the submission stays as it is."""
        with self._db.transaction():
            self._check_categories(group_id, boxes)
            annotation_id = self._ensure(group_id, image_id)
            self._set(Annotation, annotation_id, has_draft=True)
            self._replace(DraftBox, {annotation_id: boxes})

    def drop_draft(self, group_id: int, image_id: int) -> None:
        """Back to the last submission, or to nothing."""
        row = self._row(group_id, image_id)
        if row is not None and row[2]:
            with self._db.transaction():
                self._drop_drafts([row[0]])

    def _drop_drafts(self, annotation_ids: Iterable[int]) -> None:
        for some in chunks(annotation_ids):
            self._db.run(DraftBox.delete().where(DraftBox.annotation.in_(some)))
            self._db.run(Annotation.update(has_draft=False).where(Annotation.id.in_(some)))

    def submit(self, group_id: int, image_id: int, boxes: Sequence[Box], expected_revision: int) -> ImageAnnotations:
        """Makes boxes the image's submission; none make it a negative example. On disk when this returns.

        Raises ConflictError when the image was submitted by somebody else since expected_revision was read.
        """
        with self._db.transaction():
            self._check_categories(group_id, boxes)
            annotation_id = self._ensure(group_id, image_id)
            mine = (Annotation.id == annotation_id) & (Annotation.revision == expected_revision)
            if not self._db.run(Annotation.update(revision=expected_revision + 1, has_draft=False).where(mine)):
                raise ConflictError(CONFLICT)
            self._db.run(DraftBox.delete().where(DraftBox.annotation == annotation_id))
            self._replace(BoxRow, {annotation_id: boxes})
        return ImageAnnotations(group_id, image_id, tuple(boxes), None, expected_revision + 1)

    def submit_many(self, group_id: int, boxes: Mapping[int, Sequence[Box]]) -> None:
        """The same for many images at once, whatever was there; for imports."""
        with self._db.transaction():
            self._check_categories(group_id, [box for some in boxes.values() for box in some])
            ids = self._ensure_many(group_id, list(boxes))
            for some in chunks(ids.values()):
                self._db.run(Annotation.update(revision=Annotation.revision + 1).where(Annotation.id.in_(some)))
            self._drop_drafts(ids.values())
            self._replace(BoxRow, {ids[image_id]: some for image_id, some in boxes.items()})

    def edit_submitted(
        self, group_id: int, image_ids: Sequence[int], edit: Callable[[int, Sequence[Box]], Sequence[Box]]
    ) -> None:
        """One more submission of each of these images, all or none; what is drafted on them is edited too and stays a draft.

        edit(image id, boxes) gives the new boxes; it is asked for the submission, then for the draft. Images that were never
        submitted are left alone.
        """
        with self._db.transaction():
            ids = self._annotation_ids(group_id, image_ids)
            image_of = {annotation_id: image_id for image_id, annotation_id in ids.items()}
            for some in chunks(image_of):
                query = Annotation.select(Annotation.id, Annotation.has_draft)
                drafted = dict(self._db.rows(query.where(Annotation.id.in_(some) & (Annotation.revision > 0))))
                self._edit(BoxRow, group_id, {each: image_of[each] for each in drafted}, edit)
                self._edit(DraftBox, group_id, {each: image_of[each] for each in drafted if drafted[each]}, edit)
                self._db.run(Annotation.update(revision=Annotation.revision + 1).where(Annotation.id.in_(list(drafted))))

    def _edit(
        self, table: Any, group_id: int, image_of: Mapping[int, int], edit: Callable[[int, Sequence[Box]], Sequence[Box]]
    ) -> None:
        made = {each: edit(image_id, self._boxes(table, each)) for each, image_id in image_of.items()}
        self._check_categories(group_id, [box for own in made.values() for box in own])
        self._replace(table, made)

    def unsubmit(self, group_id: int, image_ids: Iterable[int]) -> None:
        """As if they had never been submitted. Drafts stay."""
        with self._db.transaction():
            for some in chunks(image_ids):
                mine = (Annotation.group == group_id) & Annotation.image.in_(some)
                ids = Annotation.select(Annotation.id).where(mine)
                self._db.run(BoxRow.delete().where(BoxRow.annotation.in_(ids)))
                self._db.run(Annotation.update(revision=0).where(mine))

    def _check_categories(self, group_id: int, boxes: Iterable[Box]) -> None:
        alive = (CategoryRow.group == group_id) & CategoryRow.deleted_at.is_null()
        known = {row[0] for row in self._db.rows(CategoryRow.select(CategoryRow.id).where(alive))}
        if any(box.category_id not in known for box in boxes):
            raise ConflictError(NO_CATEGORY)

    def _ensure(self, group_id: int, image_id: int) -> int:
        return self._ensure_many(group_id, [image_id])[image_id]

    def _ensure_many(self, group_id: int, image_ids: Sequence[int]) -> dict[int, int]:
        """Image id -> annotation id, made where there was none."""
        found = self._annotation_ids(group_id, image_ids)
        missing = [image_id for image_id in image_ids if image_id not in found]
        if missing:
            ids = self._db.new_ids(Annotation, len(missing))
            rows = [(new, group_id, image_id, 0, False) for new, image_id in zip(ids, missing, strict=True)]
            # Another user may have made the same row since; then theirs is taken.
            columns = ("id", "group_id", "image_id", "revision", "has_draft")
            self._db.insert_many(Annotation, columns, rows, keys="group_id,image_id", replace=False)
            found |= self._annotation_ids(group_id, missing)
        return found

    def _annotation_ids(self, group_id: int, image_ids: Sequence[int]) -> dict[int, int]:
        found: dict[int, int] = {}
        for some in chunks(image_ids):
            mine = (Annotation.group == group_id) & Annotation.image.in_(some)
            found.update(self._db.rows(Annotation.select(Annotation.image, Annotation.id).where(mine)))
        return found

    def _replace(self, table: Any, boxes: Mapping[int, Sequence[Box]]) -> None:
        """boxes: annotation id -> all its boxes."""
        for some in chunks(boxes):
            self._db.run(table.delete().where(table.annotation.in_(some)))
        rows = [box_row(annotation_id, box) for annotation_id, own in boxes.items() for box in own]
        self._db.insert_many(table, BOX_COLUMNS, rows)
