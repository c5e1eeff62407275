"""Where the native files are: the program `darknet` and the library. Nothing is loaded or run here.

Looked for in the folder that DARKNET_BRIDGE_NATIVE names (then only there), else in the package's own _native/, else
in build/ of a source checkout.
"""

from __future__ import annotations

import os
from pathlib import Path

from .errors import LibraryError, shown

_VARIABLE = "DARKNET_BRIDGE_NATIVE"
_PACKAGE = Path(__file__).resolve().parent
_LIBRARY = "libdarknet_bridge.so"
_PROGRAM = "darknet"


def native_folders() -> list[Path]:
    """The folders to look in, in order."""
    chosen = os.environ.get(_VARIABLE)
    if chosen:
        return [Path(chosen)]
    return [_PACKAGE / "_native", _PACKAGE.parent / "build" / "release", _PACKAGE.parent / "build"]


def find_program() -> Path:
    """The program `darknet`. Raises LibraryError with the places looked at and how to build it."""
    for folder in native_folders():
        path = folder / _PROGRAM
        if path.is_file() and os.access(path, os.X_OK):
            return path
    raise LibraryError(_missing("the program 'darknet'"))


def find_library() -> Path:
    """The shared library. Raises LibraryError likewise."""
    for folder in native_folders():
        path = folder / _LIBRARY
        if path.is_file():
            return path
    raise LibraryError(_missing(_LIBRARY))


def _missing(what: str) -> str:
    places = ", ".join(shown(folder) for folder in native_folders())
    return f"{what} is not built (looked in {places}): run ./studio test, or pip install the project, to build it"
