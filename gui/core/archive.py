"""Unpacking a zip of pictures (and labels) into a folder of the library.

A zip is somebody else's: nothing leaves the folder, links and devices are left out, and a file that would grow a hundredfold
is refused. Sizes are counted while unpacking, never taken from the zip's own word.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from darknet_bridge.errors import shown

from .disk import disk_error
from .errors import UserError
from .scan import LABEL_SUFFIXES, PICTURE_SUFFIXES, Progress, Skipped

MAX_MEMBERS = 100_000
MAX_RATIO = 100
_SMALL_BYTES = 1 << 20  # below this a ratio means nothing: ten icons in a zip are no bomb
_PIECE_BYTES = 1 << 20
_MAX_PART_BYTES = 255
_MAX_PATH_BYTES = 2_000
_MAX_DEPTH = 64


def unpack(archive: Path, target: Path, max_bytes: int, progress: Progress | None = None) -> list[Skipped]:
    """Unpacks pictures and label files into target, with their folders. Returns what was left out.

    Raises UserError for what is no zip or over a limit, NoSpaceError when the disk is full, CancelledError out of progress. The
    caller removes target then.
    """
    try:
        with zipfile.ZipFile(archive) as source:
            members = source.infolist()
            if len(members) > MAX_MEMBERS:
                count = f"{len(members):,} files; at most {MAX_MEMBERS:,} are unpacked"
                raise UserError(f"{shown(archive)} holds {count}. Make several zips of it.")
            limit = _Limit(archive, max_bytes)
            limit.check(sum(member.file_size for member in members))
            return _unpack_all(source, members, target.resolve(), limit, progress)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error, ValueError, RuntimeError) as error:
        raise UserError(f"{shown(archive)} is no zip, or it is damaged. Unpack it yourself and add the folder.") from error
    except OSError as error:
        raise disk_error(error, target) from error


class _Limit:
    """How much one archive may hold."""

    def __init__(self, archive: Path, max_bytes: int) -> None:
        self.archive = archive
        self._by_ratio = max(_SMALL_BYTES, MAX_RATIO * archive.stat().st_size)
        self._max_bytes = max_bytes

    def check(self, total: int) -> None:
        name = shown(self.archive)
        if total > self._by_ratio:
            raise UserError(f"{name} would grow over {MAX_RATIO} times when unpacked, as no pictures do. It was left alone.")
        if total > self._max_bytes:
            size = f"{self._max_bytes / 1e9:.3g} GB"
            raise UserError(
                f"{name} unpacks to over {size}. Raise the limit in Settings, or unpack it yourself and add the folder."
            )


def _unpack_all(
    source: zipfile.ZipFile, members: list[zipfile.ZipInfo], root: Path, limit: _Limit, progress: Progress | None
) -> list[Skipped]:
    skipped: list[Skipped] = []
    total = 0
    for number, member in enumerate(members):
        if progress and number % 16 == 0:
            progress(number, len(members), "Unpacking")
        if member.is_dir():
            continue
        why = _refusal(member)
        path = root.joinpath(*PurePosixPath(member.filename).parts) if not why else root
        if not why and (not path.parent.resolve().is_relative_to(root) or path.exists()):
            why = "Its name stands twice in the zip."
        if why:
            skipped.append(Skipped(limit.archive / member.filename.replace("\0", "?").lstrip("/"), why))
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with source.open(member) as packed, path.open("xb") as unpacked:
            while piece := packed.read(_PIECE_BYTES):
                total += len(piece)
                limit.check(total)
                unpacked.write(piece)
    return skipped


def _refusal(member: zipfile.ZipInfo) -> str:
    """Why a member is left out; "" when it is not."""
    name = member.filename
    path = PurePosixPath(name)
    mode = member.external_attr >> 16
    if name.startswith("/") or "\\" in name or "\0" in name or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        return "Its name leads outside the folder it is unpacked to."
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "A link or a device; only regular files are unpacked."
    if member.flag_bits & 1:
        return "It is encrypted."
    raw = [os.fsencode(part) for part in path.parts]
    if not 0 < len(raw) <= _MAX_DEPTH or sum(map(len, raw)) > _MAX_PATH_BYTES or any(len(part) > _MAX_PART_BYTES for part in raw):
        return "Its name is too long."
    if path.suffix.lower() not in (*PICTURE_SUFFIXES, *LABEL_SUFFIXES) or path.name.startswith("._"):
        return "Neither a picture nor a label file."
    return ""
