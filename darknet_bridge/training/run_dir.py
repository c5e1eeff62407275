"""The folder of one run: the lists, names, cfg and labels that a training reads, and where it leaves its traces.

Everything in it is a plain Darknet file. Pictures stay where they are: one whose labels lie beside it is listed by its
path; one with labels of its own here is linked as JPEGImages/N.jpg, whose label file is then labels/N.txt by Darknet's
own rule. What is neither JPEG nor PNG is decoded into JPEGImages/N.png.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DarknetError, DiskError, FormatError, reason, shown
from ..formats import (
    Cfg,
    Label,
    label_path,
    parse_cfg,
    read_labels,
    write_cfg,
    write_data_file,
    write_image_list,
    write_labels,
    write_names,
)
from ..formats.atomic import StrPath
from ..formats.cfg import format_cfg
from ..images import NATIVE_FORMATS, image_format, read_image, write_png

_LINKS = "JPEGImages"
_LABELS = "labels"


@dataclass(frozen=True, slots=True)
class RunDir:
    """The paths of a run folder; nothing is made or checked here."""

    folder: Path

    @property
    def train_list(self) -> Path:
        return self.folder / "train.txt"

    @property
    def valid_list(self) -> Path:
        return self.folder / "valid.txt"

    @property
    def names(self) -> Path:
        return self.folder / "obj.names"

    @property
    def data(self) -> Path:
        return self.folder / "obj.data"

    @property
    def cfg(self) -> Path:
        return self.folder / "net.cfg"

    @property
    def backup(self) -> Path:
        """The folder of the checkpoints."""
        return self.folder / "backup"

    @property
    def events(self) -> Path:
        return self.folder / "events.jsonl"

    @property
    def log(self) -> Path:
        return self.folder / "train.log"

    @property
    def lock(self) -> Path:
        return self.folder / "run.lock"

    @property
    def stop(self) -> Path:
        return self.folder / "stop"

    @property
    def best_weights(self) -> Path:
        return self.backup / "net_best.weights"

    @property
    def final_weights(self) -> Path:
        return self.backup / "net_final.weights"

    @property
    def last_weights(self) -> Path:
        return self.backup / "net_last.weights"


@dataclass(frozen=True, slots=True)
class RunImage:
    """A picture to use. labels None: those of the label file that Darknet's rule finds for it."""

    path: Path
    labels: tuple[Label, ...] | None = None


@dataclass(frozen=True, slots=True)
class ImageProblem:
    """A picture that was left out, and why."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class CreatedRun:
    """A run that can be started; problems tells what was left out of it."""

    run: RunDir
    images_train: int
    images_valid: int
    problems: tuple[ImageProblem, ...]


def create_run(
    folder: StrPath,
    cfg: Cfg,
    names: Sequence[str],
    train: Sequence[RunImage],
    valid: Sequence[RunImage],
    progress: Callable[[int, int], None] | None = None,
) -> CreatedRun:
    """Makes (or makes anew) the folder of a run. progress: (pictures done, pictures in all); may raise to cancel.

    Raises FormatError when cfg and names don't go together or no training picture is usable, DiskError.
    """
    run = RunDir(Path(folder).absolute())
    _check_classes(cfg, names)
    for part in (run.folder, run.backup, run.folder / _LINKS, run.folder / _LABELS):
        _make_folder(part)
    placer = _Placer(run, len(train) + len(valid), len(names), progress)
    train_paths = [path for image in train if (path := placer.place(image)) is not None]
    valid_paths = [path for image in valid if (path := placer.place(image)) is not None]
    if not train_paths:
        why = f": {shown(placer.problems[0].path)}: {placer.problems[0].text}" if placer.problems else ""
        raise FormatError(f"no training picture can be used{why}", str(run.folder))
    write_image_list(run.train_list, train_paths)
    values = {"classes": str(len(names)), "train": run.train_list.name}
    if valid_paths:
        write_image_list(run.valid_list, valid_paths)
        values["valid"] = run.valid_list.name
    write_names(run.names, names)
    write_cfg(run.cfg, cfg)
    write_data_file(run.data, values | {"names": run.names.name, "backup": run.backup.name})
    return CreatedRun(run, len(train_paths), len(valid_paths), tuple(placer.problems))


def _check_classes(cfg: Cfg, names: Sequence[str]) -> None:
    parse_cfg(format_cfg(cfg), cfg.name)
    if cfg.classes != len(names):
        raise FormatError(f"[yolo] has classes={cfg.classes}, but there are {len(names)} names", cfg.name)


class _Placer:
    """Makes one picture after another known to the run; what can't be used is noted, never half done."""

    def __init__(self, run: RunDir, total: int, classes: int, progress: Callable[[int, int], None] | None) -> None:
        self._run = run
        self._total = total
        self._classes = classes
        self._progress = progress
        self._count = 0
        self.problems: list[ImageProblem] = []

    def place(self, image: RunImage) -> str | None:
        """The line of the image list that stands for the picture; None when it is left out."""
        self._count += 1
        line: str | None = None
        try:
            line = self._place(image)
        except DiskError:
            raise
        except DarknetError as error:
            self.problems.append(ImageProblem(image.path, str(error)))
        if self._progress is not None:
            self._progress(self._count, self._total)
        return line

    def _place(self, image: RunImage) -> str:
        source = image.path.absolute()
        native = image_format(source)
        text = str(source)
        if native in NATIVE_FORMATS and image.labels is None and "\n" not in text and "\r" not in text:
            label_path(text)
            return text
        labels = read_labels(label_path(text), self._classes) if image.labels is None else image.labels
        stem = f"{self._count:06d}"
        if native in NATIVE_FORMATS:
            name = stem + (".jpg" if native == "jpeg" else ".png")
            _link(source, self._run.folder / _LINKS / name)
        else:
            name = stem + ".png"
            write_png(self._run.folder / _LINKS / name, read_image(source))
        write_labels(self._run.folder / _LABELS / (stem + ".txt"), labels)
        return f"./{_LINKS}/{name}"


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(f"can't make the folder: {reason(error)}", str(path)) from error


def _link(source: Path, link: Path) -> None:
    """A symbolic link, replacing an older one of that name."""
    temporary = link.with_name(f".dk-{os.getpid()}-{link.name}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(source)
        temporary.replace(link)
    except OSError as error:
        raise DiskError(f"can't link: {reason(error)}", str(link)) from error
