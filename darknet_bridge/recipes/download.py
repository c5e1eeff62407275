"""Downloads one large file: progress, resume after a cut, nothing half-done under the final name.

Only called when a person asked for the file. What is received lies in `<name>.part` beside the target until its size
and checksum are right; a later attempt goes on from there with an HTTP range request.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO, cast

from ..errors import DiskError, DownloadError, FormatError, reason
from ..formats.atomic import sync_folder

Progress = Callable[[int, int], None]
"""Called with (bytes so far, bytes in all); may raise CancelledError to stop (what came is kept)."""

_BLOCK = 1 << 18
_TIMEOUT_S = 30.0
_AGENT = "darknet-bridge"


def download(urls: Sequence[str], target: Path, size: int, sha256: str | None = None, progress: Progress | None = None) -> str:
    """Fetches the file from the first of the urls that delivers it; returns its sha256 in hexadecimal.

    Raises DownloadError (network, server; the part is kept), DiskError (full, read-only), FormatError (complete, but
    not the file that was expected; the part is removed).
    """
    with _locked_part(target) as part:
        if part.tell() > size:
            part.truncate(0)
        _check_space(target, size - part.tell())
        problems = []
        for url in urls:
            try:
                _fetch(url, part, size, progress)
                break
            except DownloadError as error:
                problems.append(str(error))
        else:
            raise DownloadError(f"can't be downloaded: {'; '.join(problems)}", str(target))
        digest = _finish(part, target, size, sha256)
    return digest


def file_sha256(path: Path) -> str:
    """Of a whole file, in hexadecimal. Raises DiskError."""
    try:
        with path.open("rb") as file:
            return _sha256(file)
    except OSError as error:
        raise DiskError(f"can't read: {reason(error)}", str(path)) from error


def part_path(target: Path) -> Path:
    """Where an unfinished download of that target lies."""
    return target.with_name(target.name + ".part")


@contextmanager
def _locked_part(target: Path) -> Iterator[BinaryIO]:
    """The part file, open at its end and locked, so that two processes never write one file."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        file = part_path(target).open("ab+")
    except OSError as error:
        raise DiskError(f"can't write: {reason(error)}", str(target)) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DownloadError("is being downloaded by another process", str(target)) from error
        file.seek(0, os.SEEK_END)
        yield file


def _check_space(target: Path, missing: int) -> None:
    free = shutil.disk_usage(target.parent).free
    if free < missing:
        raise DiskError(f"{missing:,} more bytes are needed, {free:,} are free on the disk", str(target))


def _fetch(url: str, part: BinaryIO, size: int, progress: Progress | None) -> None:
    """Appends what is missing. Raises DownloadError, also when the server ends early."""
    have = part.tell()
    if have == size:
        return
    if not url.startswith(("https://", "http://")):
        raise DownloadError(f"{url}: only http and https")
    request = urllib.request.Request(url, headers={"User-Agent": _AGENT, "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            _receive(cast(HTTPResponse, answer), url, part, size, progress)
    except (OSError, HTTPException) as error:
        why = f"HTTP {error.code} {error.reason}" if isinstance(error, urllib.error.HTTPError) else str(error) or repr(error)
        raise DownloadError(f"{url}: {why}") from error
    if part.tell() != size:
        raise DownloadError(f"{url}: the connection ended after {part.tell():,} of {size:,} bytes")


def _receive(answer: HTTPResponse, url: str, part: BinaryIO, size: int, progress: Progress | None) -> None:
    have = part.tell()
    resumed = answer.status == 206 and (answer.headers.get("Content-Range") or "").startswith(f"bytes {have}-")
    have = have if resumed else 0
    announced = answer.headers.get("Content-Length")
    if announced is None or not announced.isdigit() or have + int(announced) != size:
        offer = "of unknown length" if announced is None else f"with {announced} bytes"
        raise DownloadError(f"{url}: answers {offer}; {size - have:,} were expected")
    if not resumed:
        part.truncate(0)
    while block := answer.read(_BLOCK):
        have += len(block)
        try:
            part.write(block)
            part.flush()
        except OSError as error:
            raise DiskError(f"can't write: {reason(error)}", os.fsdecode(part.name)) from error
        if progress is not None:
            progress(have, size)


def _finish(part: BinaryIO, target: Path, size: int, sha256: str | None) -> str:
    """Checks the part and gives it its name."""
    part.seek(0)
    digest = _sha256(part)
    if sha256 is not None and digest != sha256:
        part_path(target).unlink()
        raise FormatError(f"downloaded {size:,} bytes with sha256 {digest}; expected {sha256}. It was removed", str(target))
    try:
        os.fsync(part.fileno())
        part_path(target).replace(target)
    except OSError as error:
        raise DiskError(f"can't write: {reason(error)}", str(target)) from error
    sync_folder(target.parent)
    return digest


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()
