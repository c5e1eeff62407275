"""Small versions of images: upright, cached, bounded, never beside the images."""

from __future__ import annotations

from pathlib import Path

import pytest

from gui.core.records import Image
from gui.core.scan import examine
from gui.core.thumbnails import Thumbnails

from .pictures import image, save


def record_of(path: Path, number: int = 1) -> Image:
    found = examine(path, path.name)
    fields = {name: getattr(found, name) for name in ("width", "height", "bytes", "sha256", "dhash", "orientation", "format")}
    return image(number, path, **fields)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.webp", "a.tif"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_upright_and_cached(tmp_path: Path, name: str, orientation: int) -> None:
    if orientation != 1 and name == "a.bmp":
        pytest.skip("BMP has no EXIF")
    record = record_of(save(tmp_path / "in" / name, width=600, height=300, orientation=orientation))
    thumbnails = Thumbnails(tmp_path / "thumbs")
    first = thumbnails.get(record, 100)
    assert first is not None and first.size == ((100, 50) if orientation == 1 else (50, 100)) and first.mode == "RGB"
    (tmp_path / "in" / name).unlink()
    again = thumbnails.get(record, 100)
    assert again is not None and again.size == first.size
    assert thumbnails.get(record, 99) is None
    assert list((tmp_path / "in").iterdir()) == []


def test_nothing_is_kept_without_a_folder_and_a_damaged_cache_is_made_again(tmp_path: Path) -> None:
    record = record_of(save(tmp_path / "a.jpg"))
    assert Thumbnails(None).get(record) is not None
    thumbnails = Thumbnails(tmp_path / "thumbs")
    thumbnails.get(record)
    (cached,) = list((tmp_path / "thumbs").rglob("*.jpg"))
    cached.write_bytes(b"damaged")
    assert thumbnails.get(record) is not None
    assert cached.stat().st_size > 100


def test_bounded(tmp_path: Path) -> None:
    thumbnails = Thumbnails(tmp_path / "thumbs", max_bytes=20_000)
    for number in range(30):
        thumbnails.get(record_of(save(tmp_path / f"{number}.jpg", number, 300, 300)), 190)
    thumbnails.prune()
    assert 0 < sum(path.stat().st_size for path in (tmp_path / "thumbs").rglob("*.jpg")) <= 20_000
