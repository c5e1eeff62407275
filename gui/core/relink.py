"""Images that were moved: found again below another folder by their content, whatever they are called now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from darknet_bridge.errors import DarknetError

from .errors import UserError
from .records import Image
from .scan import Found, Progress, file_hash, survey
from .workspace import Workspace


@dataclass(frozen=True, slots=True)
class RelinkReport:
    """found: images that have a file again; missing: those that still have none."""

    found: int
    missing: int


def missing_images(workspace: Workspace, dataset_id: int) -> list[Image]:
    """Of which the file is gone. In a background thread: asks the disk for every image."""
    images = workspace.run_store(lambda: workspace.store.datasets.images(dataset_id))
    return [image for image in images if not image.path.is_file()]


def find_moved(workspace: Workspace, dataset_id: int, folder: Path, progress: Progress) -> RelinkReport:
    """In a background thread. Only a file with the very same content takes the place of one that is gone.

    Raises UserError when nothing is missing or nothing fits, CancelledError.
    """
    workspace.require_writing()
    missing = missing_images(workspace, dataset_id)
    if not missing:
        raise UserError("No image of this dataset is missing.")
    places = _places(missing, survey([folder], progress).files, progress)
    if not places:
        raise UserError(f"None of the {len(missing):,} missing images is in this folder. Choose the folder they were moved to.")

    def store() -> None:
        for image_id, path in places.items():
            workspace.store.datasets.set_path(image_id, path)

    workspace.run_store(store)
    workspace.changes.publish("datasets", f"dataset:{dataset_id}")
    return RelinkReport(len(places), len(missing) - len(places))


def _places(missing: Sequence[Image], files: Sequence[Found], progress: Progress) -> dict[int, Path]:
    """image id -> where its content is now. Only files of a size that is looked for are read."""
    wanted: dict[int, dict[str, list[Image]]] = defaultdict(lambda: defaultdict(list))
    for image in missing:
        wanted[image.bytes][image.sha256].append(image)
    places: dict[int, Path] = {}
    for number, file in enumerate(files):
        progress(number, len(files), "Looking for moved images")
        if file.bytes in wanted:
            try:
                digest = file_hash(file.path)
            except DarknetError:
                continue
            for image in wanted[file.bytes].get(digest, ()):
                places.setdefault(image.id, file.path)
    return places
