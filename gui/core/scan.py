"""Looking through folders for pictures, and examining each: header, size as seen, content hash, and a hash of what is seen.

Nothing is written and no library is touched. Every file that can't be used is listed with its reason.
"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image as PilImage

from darknet_bridge.errors import DarknetError, DiskError, FormatError, reason, shown
from darknet_bridge.formats.text import open_regular
from darknet_bridge.images import MAX_PIXELS, read_image
from darknet_bridge.picture_info import PictureInfo, opened, read_info

from .records import NewImage

Progress = Callable[[int, int, str], object]
"""(done, total, text); raises CancelledError when the work was cancelled. A total of 0 means that it is not known yet."""

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
LABEL_SUFFIXES = (".txt", ".xml", ".json", ".names", ".data", ".yaml", ".yml", ".csv")
MAX_FILE_BYTES = 1 << 30
_IN_MEMORY_BYTES = 32 << 20  # a larger file is hashed in pieces
_HASH_SIDE = 8
_PNG_END = b"IEND\xaeB`\x82"
_TAIL_BYTES = 1 << 16

_TRANSPOSE = {
    2: PilImage.Transpose.FLIP_LEFT_RIGHT,
    3: PilImage.Transpose.ROTATE_180,
    4: PilImage.Transpose.FLIP_TOP_BOTTOM,
    5: PilImage.Transpose.TRANSPOSE,
    6: PilImage.Transpose.ROTATE_270,
    7: PilImage.Transpose.TRANSVERSE,
    8: PilImage.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Found:
    """A file that looks like a picture. name: its path below the folder that was looked through, with forward slashes."""

    path: Path
    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was not taken, and why, as a person reads it."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What is in the folders."""

    files: tuple[Found, ...]
    skipped: tuple[Skipped, ...]

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


def survey(sources: Sequence[Path], progress: Progress | None = None) -> Survey:
    """Walks folders with everything below, and takes single files. Names are made unique; links are not followed."""
    found: list[Found] = []
    skipped: list[Skipped] = []
    for source in sources:
        root = source.absolute()
        if root.is_dir():
            prefix = f"{root.name}/" if len(sources) > 1 else ""
            _walk(root, prefix, found, skipped, progress)
        else:
            _look_at(root, root.name, found, skipped)
    return Survey(tuple(_unique(found)), tuple(skipped))


def examine(path: Path, name: str, max_pixels: int = MAX_PIXELS) -> NewImage:
    """Reads a picture once from begin to end. Raises DarknetError with what is wrong with it."""
    text = os.fspath(path)
    with open_regular(text) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_FILE_BYTES:
            raise FormatError(f"{size:,} bytes; a picture has at most {MAX_FILE_BYTES:,}", text)
        try:
            if size <= _IN_MEMORY_BYTES:
                content = file.read(_IN_MEMORY_BYTES + 1)
                return _examined(io.BytesIO(content), hashlib.sha256(content).hexdigest(), len(content), path, name, max_pixels)
            digest = _hash_in_pieces(file)
            return _examined(file, digest, size, path, name, max_pixels)
        except OSError as error:
            raise DiskError(f"can't read: {reason(error)}", text) from error


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, as examine gives it. Raises DarknetError."""
    text = os.fspath(path)
    with open_regular(text) as file:
        try:
            return _hash_in_pieces(file)
        except OSError as error:
            raise DiskError(f"can't read: {reason(error)}", text) from error


def why(error: DarknetError, path: Path) -> str:
    """The message of an error without the file's name, for a list where the name stands beside it."""
    return str(error).removeprefix(f"{shown(path)}: ")


def upright(picture: PilImage.Image, orientation: int) -> PilImage.Image:
    """The picture as it is meant to be seen."""
    method = _TRANSPOSE.get(orientation)
    return picture if method is None else picture.transpose(method)


def eight_bits(picture: PilImage.Image) -> PilImage.Image:
    """16 bits are scaled to 8 (Pillow would cut them off); other pictures stay as they are."""
    if not picture.mode.startswith("I"):
        return picture
    values = np.asarray(picture)
    return PilImage.fromarray((np.clip(values, 0, 65535) // 257).astype(np.uint8))


def difference_hash(picture: PilImage.Image) -> int:
    """64 bits, one for each pair of neighbours in a 9 x 8 miniature: alike for pictures that look alike."""
    small = picture.convert("L").resize((_HASH_SIDE + 1, _HASH_SIDE), PilImage.Resampling.BOX)
    values = np.asarray(small, np.int16)
    bits = np.packbits(values[:, 1:] > values[:, :-1])
    return int.from_bytes(bits.tobytes(), "big")


def _walk(root: Path, prefix: str, found: list[Found], skipped: list[Skipped], progress: Progress | None) -> None:
    def failed(error: OSError) -> None:
        skipped.append(Skipped(Path(error.filename), f"The folder can't be read: {reason(error)}."))

    for folder, folders, names in os.walk(root, onerror=failed):
        for name in list(folders):
            if Path(folder, name).is_symlink():
                folders.remove(name)
                skipped.append(Skipped(Path(folder, name), "A link to a folder elsewhere is not followed."))
        folders.sort()
        below = Path(folder).relative_to(root).as_posix()
        for name in sorted(names):
            shown_as = prefix + (name if below == "." else f"{below}/{name}")
            _look_at(Path(folder, name), shown_as, found, skipped)
        if progress:
            progress(len(found), 0, "Looking for pictures")


def _look_at(path: Path, name: str, found: list[Found], skipped: list[Skipped]) -> None:
    """By the name and the kind of file; content is for examine."""
    suffix = path.suffix.lower()
    try:
        link, size = path.is_symlink(), path.stat().st_size
        regular = path.is_file()
    except OSError as error:
        skipped.append(Skipped(path, f"It can't be read: {reason(error)}."))
        return
    if suffix in LABEL_SUFFIXES:
        skipped.append(Skipped(path, "Not a picture. Labels are imported into an annotation group."))
    elif suffix not in PICTURE_SUFFIXES:
        skipped.append(Skipped(path, "Not a picture: its name ends with none of .jpg, .jpeg, .png, .bmp, .webp, .tif, .tiff."))
    elif link:
        skipped.append(Skipped(path, "A link to a file elsewhere; add that file's folder instead."))
    elif not regular:
        skipped.append(Skipped(path, "Not a regular file."))
    elif size == 0:
        skipped.append(Skipped(path, "The file is empty."))
    else:
        found.append(Found(path, name, size))


def _unique(found: Iterable[Found]) -> list[Found]:
    """Two folders may hold files of one name: the later ones are numbered."""
    taken: set[str] = set()
    result = []
    for file in found:
        name, number = file.name, 1
        while name in taken:
            number += 1
            stem, dot, suffix = file.name.rpartition(".")
            name = f"{stem} ({number}){dot}{suffix}"
        taken.add(name)
        result.append(file if name == file.name else Found(file.path, name, file.bytes))
    return result


def _hash_in_pieces(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while piece := file.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()


def _examined(file: BinaryIO, sha256: str, size: int, path: Path, name: str, max_pixels: int) -> NewImage:
    text = os.fspath(path)
    file.seek(0)
    info = read_info(file, text, max_pixels)
    dhash = _hash_of_content(file, text, info, max_pixels)
    return NewImage(path, name, info.width, info.height, size, sha256, dhash, info.orientation, info.format)


def _hash_of_content(file: BinaryIO, name: str, info: PictureInfo, max_pixels: int) -> int:
    """Decodes all of the file, a JPEG at an eighth of its size: a cut-off picture is found here and not while training.

    Where Pillow sees damage, the decoder of the trainer has the last word, so that both take the same files.
    """
    if info.format == "png" and not _has_end(file):
        raise FormatError("the picture is cut off", name)
    try:
        file.seek(0)
        with warnings.catch_warnings(), opened(file, name, info.format) as picture:
            warnings.simplefilter("ignore")
            if info.format == "jpeg":
                picture.draft("L", (64, 64))
            picture.load()
            return difference_hash(upright(eight_bits(picture), info.orientation))
    except Exception:  # whatever a damaged file makes a decoder raise
        return difference_hash(PilImage.fromarray(np.ascontiguousarray(read_image(name, max_pixels)[..., ::-1])))


def _has_end(file: BinaryIO) -> bool:
    """Whether a PNG has its last chunk; some programs append something to it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    return _PNG_END in file.read(_TAIL_BYTES)
