"""Fixtures of the bridge's tests: where the golden data and, in the project's own checkout, the reference cfgs are."""

from __future__ import annotations

from pathlib import Path

import pytest

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
