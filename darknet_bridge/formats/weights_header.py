"""The head of a .weights file: version and images seen (darknet.md 1.6). The tensors behind it: weights_layout.

Known variants: version 0.1 and below counts images in 32 bits (16 bytes of header), 0.2 and above in 64 (20 bytes);
major or minor above 1000 says that [connected] matrices are stored transposed.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

from ..errors import DiskError, FormatError, reason
from .atomic import StrPath
from .text import open_regular

_MAX_VERSION_WORD = 100_000  # what no known writer exceeds; other kinds of files do


@dataclass(frozen=True, slots=True)
class WeightsHeader:
    """seen: images the training had used when the file was written; 0 in partial files."""

    major: int = 0
    minor: int = 2
    revision: int = 5
    seen: int = 0
    floats: int = 0  # float32 values behind the header

    @property
    def header_bytes(self) -> int:
        return 20 if self.major * 10 + self.minor >= 2 else 16

    @property
    def file_bytes(self) -> int:
        return self.header_bytes + 4 * self.floats

    @property
    def transposed(self) -> bool:
        return self.major > 1000 or self.minor > 1000

    def iteration(self, batch: int) -> int:
        """The iteration that training goes on from with that batch."""
        return self.seen // max(batch, 1)

    def to_bytes(self) -> bytes:
        kind = "<iiiQ" if self.header_bytes == 20 else "<iiiI"
        return struct.pack(kind, self.major, self.minor, self.revision, self.seen)


def parse_weights_header(head: bytes, file_bytes: int, name: str) -> WeightsHeader:
    """head: the first 20 bytes (or all, when there are fewer). Raises FormatError."""
    if len(head) < 16 or file_bytes < 16:
        raise FormatError(f"{file_bytes} bytes: too short for a weights file", name)
    major, minor, revision = struct.unpack_from("<iii", head)
    if not all(0 <= word <= _MAX_VERSION_WORD for word in (major, minor, revision)):
        raise FormatError(f"not a Darknet weights file (version words {major}, {minor}, {revision})", name)
    wide = major * 10 + minor >= 2
    if wide and len(head) < 20:
        raise FormatError(f"{file_bytes} bytes: too short for a weights file", name)
    (seen,) = struct.unpack_from("<Q" if wide else "<I", head, 12)
    body = file_bytes - (20 if wide else 16)
    if body % 4:
        raise FormatError(f"{file_bytes:,} bytes: cut inside a number, or not a weights file", name)
    if seen >= 1 << 62:
        raise FormatError(f"{seen} images seen: not a weights file, or a damaged one", name)
    return WeightsHeader(major, minor, revision, seen, body // 4)


def read_weights_header(path: StrPath) -> WeightsHeader:
    """Raises FormatError (no weights file) or DiskError (reading failed)."""
    name = os.fsdecode(path)
    with open_regular(name) as file:
        try:
            return parse_weights_header(file.read(20), os.fstat(file.fileno()).st_size, name)
        except OSError as error:
            raise DiskError(f"can't read: {reason(error)}", name) from error
