"""The catalogue of pretrained weights: names, exact sizes, checksums, addresses; getting, making and checking them.

Nothing is downloaded unless a person asks. A file is good when its size is exact, its head is a weights head, every
number is finite and its sha256 is the known one. Where nobody has published a checksum that could be checked against
a second source it is None here and the one of the first download is recorded beside the file (docs/adr/0010).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DarknetError, FormatError, UnsupportedError, shown
from ..formats.atomic import StrPath, write_bytes
from ..formats.text import open_regular
from ..formats.weights_header import read_weights_header
from ..formats.weights_layout import check_finite, cut_weights
from .download import Progress, download, file_sha256

_ALEXEYAB = "https://github.com/AlexeyAB/darknet/releases/download/"


@dataclass(frozen=True, slots=True)
class Pretrained:
    """One published file. layers: how many layers it covers, None for a whole network.

    cut_from: the file it is the first part of; its own address may be gone, and it can be made from that one.
    """

    name: str
    recipe: str
    size: int
    layers: int | None = None
    sha256: str | None = None
    urls: tuple[str, ...] = ()
    cut_from: str | None = None

    @property
    def floats(self) -> int:
        return (self.size - 20) // 4


CATALOGUE = (
    Pretrained(
        "yolov4.conv.137",
        "yolov4-custom",
        170_038_676,
        layers=137,
        urls=(_ALEXEYAB + "darknet_yolo_v3_optimal/yolov4.conv.137", _ALEXEYAB + "yolov4/yolov4.conv.137"),
        cut_from="yolov4.weights",
    ),
    Pretrained(
        "yolov4.weights",
        "yolov4",
        257_717_640,
        sha256="e8a4f6c62188738d86dc6898d82724ec0964d0eb9d2ae0f0a9d53d65d108d562",
        urls=(_ALEXEYAB + "darknet_yolo_v3_optimal/yolov4.weights", _ALEXEYAB + "yolov4/yolov4.weights"),
    ),
    Pretrained("yolov3-tiny.conv.15", "yolov3-tiny", 30_973_396, layers=15, cut_from="yolov3-tiny.weights"),
    Pretrained("yolov3-tiny.conv.11", "yolov3-tiny", 6_303_188, layers=11, cut_from="yolov3-tiny.weights"),
    Pretrained(
        "yolov3-tiny.weights",
        "yolov3-tiny",
        35_434_956,
        sha256="dccea06f59b781ec1234ddf8d1e94b9519a97f4245748a7d4db75d5b7080a42c",
        urls=(
            "https://data.pjreddie.com/files/yolov3-tiny.weights",
            "https://pjreddie.com/media/files/yolov3-tiny.weights",
            "https://github.com/hank-ai/darknet/releases/download/v2.0/yolov3-tiny.weights",
        ),
    ),
    Pretrained(
        "yolov4-tiny.conv.29",
        "yolov4-tiny",
        19_789_716,
        layers=29,
        urls=(_ALEXEYAB + "darknet_yolo_v4_pre/yolov4-tiny.conv.29", _ALEXEYAB + "yolov4/yolov4-tiny.conv.29"),
        cut_from="yolov4-tiny.weights",
    ),
    Pretrained(
        "yolov4-tiny.weights",
        "yolov4-tiny",
        24_251_276,
        sha256="cf9fbfd0f6d4869b35762f56100f50ed05268084078805f0e7989efe5bb8ca87",
        urls=(_ALEXEYAB + "darknet_yolo_v4_pre/yolov4-tiny.weights", _ALEXEYAB + "yolov4/yolov4-tiny.weights"),
    ),
)


def catalogue_entry(name: str, catalogue: Sequence[Pretrained] = CATALOGUE) -> Pretrained:
    """Raises UnsupportedError naming the known files."""
    for entry in catalogue:
        if entry.name == name:
            return entry
    raise UnsupportedError(f"no pretrained file '{name}'; known: {', '.join(entry.name for entry in catalogue)}")


def default_folder() -> Path:
    """Where downloads are kept unless another folder is named: DARKNET_BRIDGE_CACHE, else the user's cache."""
    chosen = os.environ.get("DARKNET_BRIDGE_CACHE")
    if chosen:
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "darknet-bridge" / "pretrained"


def find(entry: Pretrained, folder: Path | None = None) -> Path | None:
    """The file in the folder when it is there with the right size; its content was checked when it came."""
    path = (folder or default_folder()) / entry.name
    return path if path.is_file() and path.stat().st_size == entry.size else None


def verify(path: StrPath, entry: Pretrained) -> str:
    """Checks size, head, checksum and numbers of "use this file"; returns the sha256. Raises FormatError."""
    file = Path(path)
    header = read_weights_header(file)
    name = os.fspath(file)
    size = file.stat().st_size
    if size != entry.size:
        raise FormatError(f"{size:,} bytes; {entry.name} has exactly {entry.size:,}{_hint(size)}", name)
    if header.header_bytes != 20:
        raise FormatError(f"version {header.major}.{header.minor}: {entry.name} has a 20-byte head", name)
    digest = file_sha256(file)
    expected = entry.sha256 or recorded_sha256(file)
    if expected is not None and digest != expected:
        raise FormatError(f"sha256 {digest}; {entry.name} has {expected}", name)
    check_finite(file)
    return digest


def identify(path: StrPath) -> Pretrained | None:
    """The catalogue's entry of exactly that size, whatever the file is called; None for another file. Raises FormatError."""
    with open_regular(os.fsdecode(path)) as file:
        size = os.fstat(file.fileno()).st_size
    return next((entry for entry in CATALOGUE if entry.size == size), None)


def obtain(
    name: str, folder: Path | None = None, progress: Progress | None = None, catalogue: Sequence[Pretrained] = CATALOGUE
) -> Path:
    """The verified file: from the folder, by download, or cut from the whole file that it is the first part of.

    Raises DownloadError, DiskError, FormatError, CancelledError (from progress).
    """
    place = folder or default_folder()
    entry = catalogue_entry(name, catalogue)
    present = find(entry, place)
    if present is not None:
        return present
    target = place / entry.name
    if entry.cut_from is not None and (not entry.urls or find(catalogue_entry(entry.cut_from, catalogue), place)):
        cut_weights(obtain(entry.cut_from, place, progress, catalogue), target, entry.floats)
        _accept(target, entry, file_sha256(target))
    else:
        _accept(target, entry, download(entry.urls, target, entry.size, entry.sha256, progress))
    return target


def _accept(target: Path, entry: Pretrained, digest: str) -> None:
    """Looks into a file that just came; one that is not what it should be goes away."""
    try:
        read_weights_header(target)
        check_finite(target)
    except DarknetError:
        target.unlink()
        raise
    if entry.sha256 is None:
        write_bytes(_record_path(target), f"{digest}  {entry.name}\n".encode("ascii"))


def recorded_sha256(path: Path) -> str | None:
    """The checksum written down when the file first came, in sha256sum's format."""
    try:
        first = _record_path(path).read_text("ascii").split()
    except (OSError, ValueError):
        return None
    return first[0] if first and len(first[0]) == 64 else None


def _record_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _hint(size: int) -> str:
    """What a file of the wrong size may be."""
    for entry in CATALOGUE:
        if entry.size == size:
            return f" (this has the size of {shown(entry.name)})"
    return " (cut off while downloading, or made for other classes?)" if size else " (empty)"
