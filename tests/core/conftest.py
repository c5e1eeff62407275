"""A workspace with a dataset of three images, in a temporary folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gui.core.records import NewImage, Storage
from gui.core.workspace import Workspace


@dataclass
class Heard:
    """Collects the topics that were published."""

    topics: set[str]

    def take(self) -> set[str]:
        """Those since the last time."""
        taken, self.topics = self.topics, set()
        return taken


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = Workspace.open(tmp_path / "library")
    yield opened
    opened.close()


@pytest.fixture
def heard(workspace: Workspace) -> Heard:
    collected = Heard(set())
    workspace.changes.subscribe(lambda topics: collected.topics.update(topics))
    return collected


@pytest.fixture
def dataset(workspace: Workspace) -> int:
    made = workspace.store.datasets.create("Birds", Storage.REFERENCE, Path("/photos")).id
    workspace.store.datasets.add_images(
        made, [NewImage(Path(f"/photos/{name}.jpg"), f"{name}.jpg", 640, 480, 1000, "ab" * 32, 0) for name in "abc"]
    )
    return made
