"""The same malformed files, read by darknet_bridge itself: a FormatError that names the file, never another exception."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from darknet_bridge import formats
from darknet_bridge.errors import DarknetError, FormatError
from darknet_bridge.images import read_image

from . import malformed
from .malformed import Case
from .malformed_images import bad_images, no_regular_files, odd_images

SECONDS = 5  # of the processor
FILLED_UP = "jpeg-larger-than-its-data.jpg"


def readers() -> list[tuple[Callable[..., object], Case]]:
    pairs: list[tuple[Callable[..., object], list[Case]]] = [
        (formats.read_cfg, malformed.cfgs()),
        (formats.read_names, malformed.names_files()),
        (formats.read_data_file, malformed.data_files()),
        (formats.read_image_list, malformed.list_files()),
        (formats.read_weights_header, malformed.weights()),
    ]
    return [(reader, case) for reader, cases in pairs for case in cases]


@pytest.mark.parametrize(("reader", "case"), readers(), ids=lambda item: getattr(item, "name", getattr(item, "__name__", "")))
def test_a_value_or_a_format_error(tmp_path: Path, reader: Callable[..., object], case: Case) -> None:
    """What only the engine can judge (layers, sizes) may be read; nothing else than a FormatError comes out."""
    path = tmp_path / "the file"
    path.write_bytes(case.content)
    begin = time.thread_time()
    try:
        reader(path)
    except FormatError as error:
        assert "the file" in str(error) and len(str(error)) < 3000
    assert time.thread_time() - begin < SECONDS


@pytest.mark.parametrize("case", malformed.bad_label_files() + malformed.partly_good_label_files(), ids=lambda case: case.name)
def test_labels_are_refused(tmp_path: Path, case: Case) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(case.content)
    begin = time.thread_time()
    with pytest.raises(FormatError, match=r"a\.txt"):
        formats.read_labels(path, classes=2)
    assert time.thread_time() - begin < SECONDS


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_pictures(tmp_path: Path) -> None:
    names = list(no_regular_files(tmp_path))
    for case in bad_images():
        # Formats that the engine leaves to Python, and a fault of Python's decoders, below.
        if case.name not in ("bmp.jpg", "webp.jpg", FILLED_UP):
            (tmp_path / case.name).write_bytes(case.content)
            names.append(case.name)
    for name in names:
        begin = time.thread_time()
        with pytest.raises(DarknetError, match=name):
            read_image(tmp_path / name)
        assert time.thread_time() - begin < SECONDS, name


def test_a_jpeg_that_lacks_most_of_its_data(tmp_path: Path) -> None:
    (content,) = (case.content for case in bad_images() if case.name == FILLED_UP)
    (tmp_path / FILLED_UP).write_bytes(content)
    with pytest.raises(DarknetError):
        read_image(tmp_path / FILLED_UP)


@pytest.mark.filterwarnings("ignore:Image size")
def test_odd_pictures_are_read(tmp_path: Path) -> None:
    for name, content in odd_images().items():
        (tmp_path / name).write_bytes(content)
        height, width = read_image(tmp_path / name).shape[:2]
        assert (width, height) in ((48, 40), (40, 48), (10_000, 10_000)), name
