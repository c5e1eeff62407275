"""A library with a dataset, a group and two categories: on SQLite in a temporary folder, and on a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from darknet_bridge import NormBox
from gui.core.records import Box, NewImage, Storage
from gui.store import Store, open_store

from .postgres_server import NoServerError, Server


def new_image(name: str, folder: str = "/photos") -> NewImage:
    return NewImage(Path(folder) / name, name, 640, 480, 1000, "ab" * 32, (1 << 64) - 1)


@dataclass(frozen=True)
class Library:
    """images: the ids of a.jpg, b.jpg, c.jpg."""

    store: Store
    dataset: int
    group: int
    crow: int
    gull: int
    images: tuple[int, ...]

    def box(self, category: int | None = None, cx: float = 0.5) -> Box:
        return Box(self.crow if category is None else category, NormBox(cx, 0.5, 0.1, 0.2))

    def submit(self, image: int, *boxes: Box) -> None:
        annotations = self.store.annotations
        annotations.submit(self.group, image, boxes, annotations.get(self.group, image).revision)


def fill(store: Store) -> Library:
    dataset = store.datasets.create("Birds", Storage.REFERENCE, Path("/photos")).id
    group = store.groups.create(dataset, "First").id
    crow = store.categories.add(group, "Crow", "#ff0000").id
    gull = store.categories.add(group, "Gull", "#00ff00").id
    images = store.datasets.add_images(dataset, [new_image(f"{letter}.jpg") for letter in "abc"])
    return Library(store, dataset, group, crow, gull, tuple(images))


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Only one that this run has started itself; without the programs its tests are skipped."""
    try:
        started = Server.start()
    except NoServerError as error:
        pytest.skip(str(error))
    yield started
    started.remove()


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "library")
    yield opened
    opened.close()


@pytest.fixture
def postgres_store(server: Server, tmp_path: Path) -> Iterator[Store]:
    opened = open_store(server.new_database(), root=tmp_path)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> Store:
    """Either kind of library, one after the other."""
    opened: Store = request.getfixturevalue(f"{request.param}_store")
    return opened


@pytest.fixture
def library(store: Store) -> Library:
    return fill(store)
