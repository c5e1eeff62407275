"""Datasets and their images."""

from __future__ import annotations

import builtins
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from peewee import fn

from ..core.records import Dataset, Image, NewImage, Storage
from .codec import clean, name_bytes, name_text, natural_key, signed, unsigned
from .repo_base import Repo, now
from .tables import AnnotationGroup as GroupRow
from .tables import Dataset as DatasetRow
from .tables import Image as ImageRow

COLUMNS = (
    *("path", "name", "width", "height", "bytes", "sha256", "dhash"),
    *("orientation", "format", "split_key", "video", "time_ms"),
)


class DatasetRepo(Repo):
    noun = "dataset"

    def list(self) -> builtins.list[Dataset]:
        """Newest first."""
        return self._found(DatasetRow.deleted_at.is_null())

    def get(self, dataset_id: int) -> Dataset:
        """Also a deleted one, since experiments still name it."""
        found = self._found(DatasetRow.id == dataset_id)
        if not found:
            raise self._missing()
        return found[0]

    def _found(self, condition: Any) -> builtins.list[Dataset]:
        row = DatasetRow
        query = row.select(row.id, row.name, row.created_at, row.storage, row.folder).where(condition)
        sizes = {
            dataset_id: (images, int(size))
            for dataset_id, images, size in self._db.rows(
                ImageRow.select(ImageRow.dataset, fn.COUNT(ImageRow.id), fn.SUM(ImageRow.bytes))
                .where(ImageRow.deleted_at.is_null())
                .group_by(ImageRow.dataset)
            )
        }
        groups = dict(
            self._db.rows(
                GroupRow.select(GroupRow.dataset, fn.COUNT(GroupRow.id))
                .where(GroupRow.deleted_at.is_null())
                .group_by(GroupRow.dataset)
            )
        )
        return [
            Dataset(
                dataset_id,
                name,
                created_at,
                Storage(storage),
                None if folder is None else self._paths.to_path(folder),
                *sizes.get(dataset_id, (0, 0)),
                groups.get(dataset_id, 0),
            )
            for dataset_id, name, created_at, storage, folder in self._db.rows(query.order_by(row.id.desc()))
        ]

    def create(self, name: str, storage: Storage, folder: Path | None) -> Dataset:
        with self._db.transaction():
            dataset_id = self._db.insert(
                DatasetRow,
                name=clean(name),
                created_at=now(),
                storage=storage.value,
                folder=None if folder is None else self._paths.to_bytes(folder),
            )
        return self.get(dataset_id)

    def rename(self, dataset_id: int, name: str) -> None:
        self._update(DatasetRow, dataset_id, name=clean(name))

    def delete(self, dataset_id: int) -> None:
        self._update(DatasetRow, dataset_id, deleted_at=now())

    def restore(self, dataset_id: int) -> None:
        self._update(DatasetRow, dataset_id, deleted_at=None)

    def add_images(self, dataset_id: int, images: Sequence[NewImage]) -> builtins.list[int]:
        """All of them or none, in one transaction. Returns their ids in the same order."""
        with self._db.transaction():
            ids = self._db.new_ids(ImageRow, len(images))
            self._db.insert_many(
                ImageRow,
                ("id", "dataset_id", *COLUMNS),
                [(image_id, dataset_id, *self._row(image)) for image_id, image in zip(ids, images, strict=True)],
            )
        return ids

    def _row(self, image: NewImage) -> tuple[Any, ...]:
        return (
            *(self._paths.to_bytes(image.path), name_bytes(image.name), image.width, image.height, image.bytes),
            *(image.sha256, signed(image.dhash), image.orientation, image.format, clean(image.split_key)),
            *(None if image.video is None else name_bytes(image.video), image.time_ms),
        )

    def images(self, dataset_id: int) -> builtins.list[Image]:
        """Those not removed, in the order of their names, numbers by value."""
        found = self._images((ImageRow.dataset == dataset_id) & ImageRow.deleted_at.is_null())
        return sorted(found, key=lambda image: natural_key(image.name))

    def paths(self, dataset_id: int) -> dict[int, str]:
        """Image id -> where its file is, of all that are not removed: no records, for those who need no more of very many."""
        mine = (ImageRow.dataset == dataset_id) & ImageRow.deleted_at.is_null()
        rows = self._db.rows(ImageRow.select(ImageRow.id, ImageRow.path).where(mine))
        return {image_id: os.fspath(self._paths.to_path(path)) for image_id, path in rows}

    def first_images(self, dataset_id: int, count: int) -> builtins.list[Image]:
        """The first ones that were added and not removed, for the dataset's card."""
        fields = [getattr(ImageRow, column) for column in COLUMNS]
        query = ImageRow.select(ImageRow.id, ImageRow.dataset, *fields)
        mine = (ImageRow.dataset == dataset_id) & ImageRow.deleted_at.is_null()
        return [self._image(row) for row in self._db.rows(query.where(mine).order_by(ImageRow.id).limit(count))]

    def image(self, image_id: int) -> Image:
        """Also a removed one."""
        found = self._images(ImageRow.id == image_id)
        if not found:
            raise self._missing()
        return found[0]

    def _images(self, condition: Any) -> builtins.list[Image]:
        fields = [getattr(ImageRow, column) for column in COLUMNS]
        return [
            self._image(row) for row in self._db.rows(ImageRow.select(ImageRow.id, ImageRow.dataset, *fields).where(condition))
        ]

    def _image(self, row: tuple[Any, ...]) -> Image:
        image_id, dataset_id, path, name, width, height, size, sha256, dhash, orientation, kind, split_key, video, time_ms = row
        return Image(
            *(image_id, dataset_id, self._paths.to_path(path), name_text(name), width, height, size, sha256, unsigned(dhash)),
            *(orientation, kind, split_key, None if video is None else name_text(video), time_ms),
        )

    def remove_images(self, ids: Iterable[int]) -> None:
        """Out of the lists, with what was drawn on them; the files stay."""
        with self._db.transaction():
            self._mark(ImageRow, ids, now())

    def restore_images(self, ids: Iterable[int]) -> None:
        with self._db.transaction():
            self._mark(ImageRow, ids, None)

    def set_split_keys(self, keys: Mapping[int, str]) -> None:
        with self._db.transaction():
            for image_id, key in keys.items():
                self._db.run(ImageRow.update(split_key=clean(key)).where(ImageRow.id == image_id))

    def set_path(self, image_id: int, path: Path) -> None:
        """Where a moved file is now."""
        self._update(ImageRow, image_id, path=self._paths.to_bytes(path))
