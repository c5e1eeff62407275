"""Free space, and telling a full disk from other faults."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from darknet_bridge.errors import shown

from .errors import NoSpaceError, UserError


def free_bytes(path: Path) -> int:
    """Of the disk where the path is, or would be."""
    place = path
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


def disk_error(error: OSError, path: Path) -> UserError:
    """The error (not raised) to show when writing to the path failed."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpaceError(f"The disk of {shown(path)} is full. Free some space and try again; nothing was changed.")
    return UserError(f"{shown(path)} can't be written: {error.strerror or error}. Nothing was changed.")
