"""Importing pictures into a dataset: from folders and files, a zip, a video, or as the generated sample set.

Everything is examined first; rows are written at the end, in one go, and what is copied stands in a folder of its own until
then. So a cancelled, failed or killed import leaves neither rows nor files. The pictures themselves are only ever read.

All functions here run in a background thread; what touches the store goes through workspace.run_store.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from darknet_bridge.errors import DarknetError, shown

from . import limits
from .archive import unpack
from .disk import disk_error, free_bytes
from .duplicates import Seen, exact_duplicates, split_keys
from .errors import NoSpaceError, UserError
from .import_limits import megabytes, pixel_limit
from .records import Image, NewImage, Storage
from .scan import LABEL_SUFFIXES, Found, Progress, Skipped, Survey, examine, survey, why
from .video import Frame, FramePlan, extract
from .workspace import Workspace

_BATCH = 64
_MOST_THREADS = 8
_INCOMING = ".incoming-"


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """Where to: a new dataset of that name, or an existing one (dataset_id). folder: what the dataset remembers of its origin."""

    name: str
    storage: Storage = Storage.REFERENCE
    dataset_id: int | None = None
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class ImportReport:
    """duplicates: how many of the added images have the same content as another one of them."""

    dataset_id: int
    added: int
    skipped: tuple[Skipped, ...]
    duplicates: int = 0


def import_pictures(workspace: Workspace, request: ImportRequest, found: Survey, progress: Progress) -> ImportReport:
    """What a survey found. Copied files keep their names and folders. Raises UserError, CancelledError."""
    if request.storage is not Storage.COPY:
        return _import(workspace, request, found, None, progress)
    if free_bytes(workspace.images_folder) < found.bytes:
        raise NoSpaceError(
            f"Copying these images needs {megabytes(found.bytes)}, and the disk of {shown(workspace.images_folder)} has less. "
            "Free some space, or use the images where they are."
        )
    with incoming_folder(workspace) as folder:
        return _import(workspace, request, found, folder, progress)


def import_zip(workspace: Workspace, request: ImportRequest, archive: Path, progress: Progress) -> ImportReport:
    """The pictures of a zip, unpacked into the library. Its label files come along for a later import of labels."""
    workspace.require_writing()
    soft = workspace.run_store(lambda: limits.read(workspace))
    allowed = min(soft.bytes, free_bytes(workspace.images_folder))
    with incoming_folder(workspace) as folder:
        left_out = unpack(archive, folder, allowed, progress)
        found = survey([folder])
        unpacked = [
            Skipped(archive / entry.path.relative_to(folder), entry.reason)
            for entry in found.skipped
            if entry.path.suffix.lower() not in LABEL_SUFFIXES
        ]
        found = Survey(found.files, (*unpacked, *left_out))
        return _import(workspace, replace(request, storage=Storage.COPY, folder=archive), found, folder, progress)


def import_video(workspace: Workspace, request: ImportRequest, video: Path, plan: FramePlan, progress: Progress) -> ImportReport:
    """Frames of a video, as JPEG files in the library, with the time at which they are seen."""
    workspace.require_writing()
    with incoming_folder(workspace) as folder:
        frames = {frame.path: frame for frame in extract(video, folder, plan, progress)}
        request = replace(request, storage=Storage.COPY, folder=video)
        return _import(workspace, request, survey([folder]), folder, progress, lambda image: _of_video(image, frames, video))


@contextmanager
def incoming_folder(workspace: Workspace) -> Iterator[Path]:
    """An empty folder below the library's images/; what is still there at the end is removed."""
    workspace.require_writing()
    folder = workspace.images_folder / f"{_INCOMING}{os.getpid()}-{secrets.token_hex(6)}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise disk_error(error, folder) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(workspace: Workspace) -> int:
    """Folders of imports that were cut off by a crash: one process writes at a time, so those of others are dead.

    Returns how many.
    """
    own = f"{_INCOMING}{os.getpid()}-"
    left = [path for path in workspace.images_folder.glob(f"{_INCOMING}*") if path.is_dir() and not path.name.startswith(own)]
    for path in left:
        shutil.rmtree(path, ignore_errors=True)
    return len(left)


def _import(
    workspace: Workspace,
    request: ImportRequest,
    found: Survey,
    incoming: Path | None,
    progress: Progress,
    change: Callable[[NewImage], NewImage] = lambda image: image,
) -> ImportReport:
    workspace.require_writing()
    max_pixels, before = workspace.run_store(lambda: _state(workspace, request))
    images, skipped = _examine_all(found.files, incoming, max_pixels, progress)
    skipped = [*found.skipped, *skipped]
    images = [change(image) for image in _fresh(images, before, skipped)]
    if not images:
        raise UserError(_nothing(skipped))
    keys = split_keys([*map(_seen, before), *map(_seen, images)])
    changed = {image.id: key for image, key in zip(before, keys, strict=False) if key != image.split_key}
    images = [replace(image, split_key=key) for image, key in zip(images, keys[len(before) :], strict=True)]
    progress(len(found.files), len(found.files), "Importing")
    dataset_id = workspace.run_store(lambda: _register(workspace, request, images, changed, incoming))
    duplicates = sum(len(group) - 1 for group in exact_duplicates([_seen(image) for image in images]))
    workspace.changes.publish("datasets", f"dataset:{dataset_id}")
    return ImportReport(dataset_id, len(images), tuple(skipped), duplicates)


def _state(workspace: Workspace, request: ImportRequest) -> tuple[int, list[Image]]:
    before = [] if request.dataset_id is None else workspace.store.datasets.images(request.dataset_id)
    return pixel_limit(workspace), before


def _examine_all(
    files: Sequence[Found], incoming: Path | None, max_pixels: int, progress: Progress
) -> tuple[list[NewImage], list[Skipped]]:
    """Reads all files, a few at a time. incoming: where they are copied to, unless they are there already."""
    images: list[NewImage] = []
    skipped: list[Skipped] = []

    def work(file: Found) -> NewImage | Skipped:
        try:
            path = file.path if incoming is None or file.path.is_relative_to(incoming) else _copy(file, incoming)
            return examine(path, file.name, max_pixels)
        except DarknetError as error:
            reason = why(error, file.path)
            return Skipped(file.path, f"{reason[:1].upper()}{reason[1:]}.")

    with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1), "import") as pool:
        for start in range(0, len(files), _BATCH):
            progress(start, len(files), "Importing")
            for result in pool.map(work, files[start : start + _BATCH]):
                if isinstance(result, Skipped):
                    skipped.append(result)
                else:
                    images.append(result)
    return images, skipped


def _copy(file: Found, folder: Path) -> Path:
    target = folder / file.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.path, target, follow_symlinks=False)
    except OSError as error:
        raise disk_error(error, target) from error
    return target


def _fresh(images: Sequence[NewImage], before: Sequence[Image], skipped: list[Skipped]) -> Iterator[NewImage]:
    """Without what the dataset has already; with names that are not taken."""
    known = {image.sha256: image.name for image in before}
    taken = {image.name for image in before}
    for image in images:
        if image.sha256 in known:
            skipped.append(Skipped(image.path, f"The dataset has this picture already, as {known[image.sha256]}."))
            continue
        name, number = image.name, 1
        while name in taken:
            number += 1
            stem, dot, suffix = image.name.rpartition(".")
            name = f"{stem} ({number}){dot}{suffix}"
        taken.add(name)
        yield replace(image, name=name)


def _register(
    workspace: Workspace, request: ImportRequest, images: list[NewImage], changed: dict[int, str], incoming: Path | None
) -> int:
    """On the store's thread. All rows or none; the copied files move to the dataset's folder under a name of their own."""
    workspace.backups.make("before-import")
    datasets = workspace.store.datasets
    dataset_id = request.dataset_id
    if dataset_id is None:
        dataset_id = datasets.create(request.name, request.storage, request.folder).id
    target = workspace.images_folder / str(dataset_id) / secrets.token_hex(4)
    try:
        if incoming is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            incoming.rename(target)
            images = [replace(image, path=target / image.path.relative_to(incoming)) for image in images]
        datasets.add_images(dataset_id, images)
        if changed:
            datasets.set_split_keys(changed)
    except BaseException as error:
        if request.dataset_id is None:
            datasets.delete(dataset_id)
        if incoming is not None:
            shutil.rmtree(target, ignore_errors=True)
        if isinstance(error, OSError):
            raise disk_error(error, target) from error
        raise
    return dataset_id


def _of_video(image: NewImage, frames: dict[Path, Frame], video: Path) -> NewImage:
    return replace(image, video=video.name, time_ms=frames[image.path].time_ms)


def _seen(image: Image | NewImage) -> Seen:
    return Seen(image.sha256, image.dhash, image.split_key, image.video)


def _nothing(skipped: Sequence[Skipped]) -> str:
    if not skipped:
        return "There is no picture in what you chose. Choose a folder with JPEG, PNG, BMP, WebP or TIFF files."
    first = skipped[-1]
    return (
        f"None of the {len(skipped):,} files can be used. {shown(first.path.name)}: {first.reason} "
        "Choose a folder with JPEG, PNG, BMP, WebP or TIFF files."
    )
