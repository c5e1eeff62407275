"""Writing files so that a crash, a kill or a full disk leaves either the old content or the new, never a mixture.

The one helper every writer of the bridge uses. The temporary file lies in the target's folder (a rename must not
cross file systems) under a short name of its own, so that a target with the longest allowed name works too.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import DiskError, reason

StrPath = str | os.PathLike[str]


@contextmanager
def atomic_file(path: StrPath) -> Iterator[BinaryIO]:
    """Opens a new file for writing; it becomes `path` when the block ends without an error, else it is removed.

    Raises DiskError with the path and the reason.
    """
    target = Path(path)
    if "\0" in str(target):
        raise DiskError("can't write: a zero byte in the name", str(target))
    temporary = target.parent / f".dk-{secrets.token_hex(8)}.tmp"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise DiskError(f"can't write: {reason(error)}", str(target)) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        _remove(temporary)
        raise DiskError(f"can't write: {reason(error)}", str(target)) from error
    except BaseException:
        _remove(temporary)
        raise


def write_bytes(path: StrPath, content: bytes) -> None:
    """Replaces or makes the file with this content. Raises DiskError."""
    with atomic_file(path) as file:
        file.write(content)


def sync_folder(folder: Path) -> None:
    """Makes a rename in the folder last through a power cut, where the file system can do that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
