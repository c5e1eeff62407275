"""What is said before an import beyond the recommended sizes, or one that the disk hardly holds. Nothing is refused here."""

from __future__ import annotations

from darknet_bridge.images import MAX_PIXELS

from . import limits
from .disk import free_bytes
from .records import Dataset, Storage
from .workspace import Workspace

PIXELS_KEY = "pixel_limit"


def pixel_limit(workspace: Workspace) -> int:
    """The most pixels of a picture that is opened at all; a setting. On the store's thread."""
    value = workspace.settings.get(PIXELS_KEY, MAX_PIXELS)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else MAX_PIXELS


def import_warnings(workspace: Workspace, images: int, size: int, storage: Storage, into: Dataset | None = None) -> list[str]:
    """For so many images of so many bytes, with those the dataset has. Sentences; none where all is well."""
    soft = limits.read(workspace)
    all_images, all_bytes = images + (into.images if into else 0), size + (into.bytes if into else 0)
    found = []
    if all_images > soft.images:
        found.append(
            f"The dataset will have {all_images:,} images. More than {soft.images:,} take long to look through and to train on."
        )
    if all_bytes > soft.bytes:
        found.append(
            f"The dataset will have {megabytes(all_bytes)}. Over {megabytes(soft.bytes)}, loading images slows training."
        )
    free = free_bytes(workspace.images_folder)
    if storage is Storage.COPY and free < 2 * size:
        found.append(f"The copies need {megabytes(size)} and the disk has {megabytes(free)} left. Trainings need space, too.")
    return found


def megabytes(size: int) -> str:
    """For people: 8.46 MB, 315 MB, 5 GB."""
    if size >= 1_000_000_000:
        return f"{size / 1e9:.3g} GB"
    return f"{size / 1e6:.3g} MB" if size >= 10_000 else f"{size / 1e6:.2f} MB"
