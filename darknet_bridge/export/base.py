"""What every export has in common: what it gets, what it gives back, the registry, and writing into a folder or a zip.

A folder or zip appears under its name only when it is complete: it is made beside it under a temporary name first.
"""

from __future__ import annotations

import os
import secrets
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..errors import DiskError, FormatError, UnsupportedError, reason
from ..formats.atomic import StrPath

Progress = Callable[[int, int, str], None]
"""(done, total, what is being done); may raise CancelledError."""


@dataclass(frozen=True, slots=True)
class ExportSource:
    """A trained network. images: pictures on which the exported files are compared with this program (may be none).

    title: what the model is called. facts: lines for the README, e.g. {"mAP@0.50": "81.2 % on 37 held-out pictures"}.
    """

    cfg: Path
    weights: Path
    names: tuple[str, ...]
    images: tuple[Path, ...] = ()
    title: str = "model"
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExportResult:
    """path: the folder or zip. files: what is in it. parity: one sentence on the comparison, "" when there was none."""

    path: Path
    files: tuple[str, ...]
    parity: str = ""


class Exporter(Protocol):
    """One format. suffixes: of the files it can write; "" stands for a folder."""

    @property
    def id(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def suffixes(self) -> tuple[str, ...]: ...

    def check(self, source: ExportSource) -> str | None:
        """Why it can't be exported, or None."""

    def write(self, source: ExportSource, target: StrPath, progress: Progress | None = None) -> ExportResult:
        """Raises FormatError (also for a target that is there already), DiskError, CancelledError."""


_REGISTRY: dict[str, Exporter] = {}


def register(exporter: Exporter) -> None:
    """Adds a format under its id; an id stands for one format."""
    if exporter.id in _REGISTRY:
        raise ValueError(f"export {exporter.id!r} is registered already")
    _REGISTRY[exporter.id] = exporter


def list_exporters() -> tuple[Exporter, ...]:
    return tuple(_REGISTRY.values())


def get_exporter(exporter_id: str) -> Exporter:
    """Raises UnsupportedError naming the known ones."""
    exporter = _REGISTRY.get(exporter_id)
    if exporter is None:
        raise UnsupportedError(f"no export '{exporter_id}'; known: {', '.join(_REGISTRY)}")
    return exporter


def write_folder_or_zip(target: StrPath, fill: Callable[[Path], None]) -> tuple[str, ...]:
    """Calls fill(folder) with an empty folder that becomes `target`, or the content of it when the name ends in .zip.

    The files' names, sorted. Raises FormatError when the target exists (nothing is overwritten), DiskError.
    """
    path = Path(target)
    if path.exists() or path.is_symlink():
        raise FormatError("is there already; choose another name, nothing is overwritten", os.fsdecode(target))
    work = path.parent / f".dk-{secrets.token_hex(8)}"
    packed = work.with_suffix(".zip")
    try:
        work.mkdir(parents=True)
        fill(work)
        files = tuple(sorted(file.relative_to(work).as_posix() for file in work.rglob("*") if file.is_file()))
        if path.suffix.lower() == ".zip":
            _pack(work, packed, path.stem, files)
            packed.rename(path)
        else:
            work.rename(path)
        return files
    except OSError as error:
        raise DiskError(f"can't write: {reason(error)}", os.fsdecode(target)) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
        packed.unlink(missing_ok=True)


def _pack(folder: Path, packed: Path, name: str, files: tuple[str, ...]) -> None:
    """Everything lies in one folder of the zip, so that unpacking makes no mess. Weights hardly shrink."""
    with packed.open("wb") as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1, strict_timestamps=False) as archive:
            for file in files:
                archive.write(folder / file, f"{name}/{file}")
        stream.flush()
        os.fsync(stream.fileno())
