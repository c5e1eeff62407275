"""Fixtures of the bridge's tests: where the golden data and, in the project's own checkout, the reference cfgs are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .limited import make_set, tree

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def golden() -> Path:
    return ROOT / "tests" / "golden"


@pytest.fixture(scope="session")
def reference_cfgs() -> Path:
    """Upstream's own cfg files. They are data to compare with, not part of the project."""
    folder = ROOT.parent / "shared" / "reference-cfg"
    if not folder.is_dir():
        pytest.skip("the reference cfgs are not beside this checkout")
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Path]:
    """A folder with a small data set to spoil. Nothing beside it may be made, and no file PWNED anywhere."""
    folder = tmp_path / "work"
    folder.mkdir()
    make_set(folder)
    yield folder
    assert [path.name for path in tmp_path.iterdir()] == ["work"]
    assert not [path for path in tree(tmp_path) if Path(path).name == "PWNED"]
