"""From what the user chose or dropped to an imported dataset: looked through, asked, imported with progress, reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image as PilImage

from darknet_bridge.errors import CancelledError, shown
from darknet_bridge.interchange import FORMATS, recognise

from ...core.datasets import name_problem, suggested_name
from ...core.errors import UserError
from ...core.import_images import ImportReport, ImportRequest, import_pictures, import_video, import_zip
from ...core.import_limits import import_warnings, megabytes
from ...core.records import Dataset, Storage
from ...core.relink import RelinkReport, find_moved
from ...core.sample_set import SAMPLE_NAME, add_sample_set
from ...core.scan import LABEL_SUFFIXES, PICTURE_SUFFIXES, Survey, survey
from ...core.video import VIDEO_SUFFIXES, VideoInfo, every_frames, preview, probe
from ...core.wording import counted
from ...widgets.dialogs import ask_files, ask_folder
from ...widgets.import_dialogs import VideoDialog, VideoFacts, ask_import, show_report

if TYPE_CHECKING:
    from ...tk.tasks import Progress, Task
    from .screen import DatasetScreen

STORAGE_KEY = "import_storage"
_PATTERNS = " ".join(f"*{suffix} *{suffix.upper()}" for suffix in PICTURE_SUFFIXES)
_VIDEO_PATTERNS = " ".join(f"*{suffix} *{suffix.upper()}" for suffix in VIDEO_SUFFIXES)

Work = Callable[[ImportRequest, "Progress"], ImportReport]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the question needs to know of the library. warnings: those without and with copying."""

    names: list[str]
    copy: bool
    warnings: tuple[list[str], list[str]]


class Imports:
    """One at a time. `into` is the dataset that images are added to, or None for a new one."""

    def __init__(self, screen: DatasetScreen) -> None:
        self.screen = screen
        self.task: Task[Any] | None = None
        self._then: Callable[[int], object] | None = None
        self._folder: Path | None = None  # where labels may be, too

    @property
    def running(self) -> bool:
        return self.task is not None and self.task.active

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()

    # ---- ways in ---------------------------------------------------------------------------------------------------------

    def choose_folder(self, into: Dataset | None = None) -> None:
        folder = ask_folder(self.screen, "Choose a folder of images")
        if folder is not None:
            self.begin([folder], into)

    def choose_images(self, into: Dataset | None = None) -> None:
        self.begin(ask_files(self.screen, "Choose images", [("Images", _PATTERNS)]), into)

    def choose_zip(self, into: Dataset | None = None) -> None:
        self.begin(ask_files(self.screen, "Choose a zip of images", [("Zip archives", "*.zip *.ZIP")])[:1], into)

    def choose_video(self, into: Dataset | None = None) -> None:
        self.begin(ask_files(self.screen, "Choose a video", [("Videos", _VIDEO_PATTERNS)])[:1], into)

    def begin(self, paths: Sequence[Path], into: Dataset | None = None, then: Callable[[int], object] | None = None) -> None:
        """What was chosen or dropped: folders and images, one zip, or one video. then(dataset id): after the import."""
        if not paths:
            return
        reason = self._reason()
        if reason:
            self.screen.toast(reason, "warning")
            return
        self._then, self._folder = then, paths[0] if len(paths) == 1 and paths[0].is_dir() else None
        special = [path for path in paths if path.suffix.lower() in (".zip", *VIDEO_SUFFIXES) and not path.is_dir()]
        if special and len(paths) > 1:
            self.screen.toast("Add videos and zip archives one at a time, apart from folders and images.", "warning")
        elif not special:
            self._look_through(list(paths), into)
        elif paths[0].suffix.lower() == ".zip":
            self._ask_zip(paths[0], into)
        else:
            self._ask_video(paths[0], into)

    def sample_set(self) -> None:
        """Drawn and labelled here; nothing is asked."""
        reason = self._reason()
        if reason:
            self.screen.toast(reason, "warning")
            return
        workspace = self.screen.workspace

        def work(progress: Progress) -> ImportReport:
            taken = workspace.run_store(lambda: [dataset.name for dataset in workspace.store.datasets.list()])
            return add_sample_set(workspace, suggested_name([Path(SAMPLE_NAME)], taken), progress)

        self._folder = None
        self._start(SAMPLE_NAME, work)

    def _reason(self) -> str:
        if self.screen.workspace.read_only:
            return self.screen.workspace.read_only_reason
        return "An import is running. Wait for it, or cancel it first." if self.running else ""

    def choose_moved(self, dataset: Dataset) -> None:
        """For images that are used where they are, and were moved."""
        folder = ask_folder(self.screen, "Choose the folder the images were moved to")
        if folder is not None:
            self.find_moved(dataset, folder)

    def find_moved(self, dataset: Dataset, folder: Path) -> None:
        screen = self.screen
        if self.running:
            screen.toast(self._reason(), "warning")
            return
        screen.show_progress("Looking for moved images")

        def work(progress: Progress) -> RelinkReport:
            return find_moved(screen.workspace, dataset.id, folder, progress)

        def done(report: RelinkReport) -> None:
            screen.hide_progress()
            rest = f" {counted(report.missing, 'image is', 'images are')} still missing." if report.missing else ""
            screen.toast(f"{counted(report.found, 'image')} found again.{rest}", "warning" if rest else "success")

        self.task = screen.background(work, done, self._failed, screen.update_progress)

    # ---- asking ------------------------------------------------------------------------------------------------------------

    def _look_through(self, paths: list[Path], into: Dataset | None) -> None:
        self.screen.show_progress("Looking for pictures")

        def work(progress: Progress) -> Survey:
            return survey(paths, progress)

        def done(found: Survey) -> None:
            self.screen.hide_progress()
            if not found.files:
                self._nothing(found)
                return
            text = f"{counted(len(found.files), 'image')}, {megabytes(found.bytes)}"
            labels = sum(entry.path.suffix.lower() in LABEL_SUFFIXES for entry in found.skipped)
            if len(found.skipped) > labels:
                text += f". {counted(len(found.skipped) - labels, 'other file')} will be left out"
            if labels:
                text += f". {counted(labels, 'text or label file')} can be read afterwards"
            folder = paths[0] if paths[0].is_dir() else paths[0].parent

            def run(request: ImportRequest, progress: Progress) -> ImportReport:
                return import_pictures(self.screen.workspace, request, found, progress)

            self._ask(text + ".", paths, folder, (len(found.files), found.bytes), into, run, place=True)

        self.task = self.screen.background(work, done, self._failed, self.screen.update_progress)

    def _nothing(self, found: Survey) -> None:
        text = "There is no picture here that can be used. Choose JPEG, PNG, BMP, WebP or TIFF files."
        if found.skipped:
            lines = [(shown(entry.path.name), entry.reason) for entry in found.skipped]
            show_report(self.screen, self.screen.theme, "Nothing to import", text, lines)
        else:
            self.screen.toast(text, "warning")

    def _ask_zip(self, archive: Path, into: Dataset | None) -> None:
        def run(request: ImportRequest, progress: Progress) -> ImportReport:
            return import_zip(self.screen.workspace, request, archive, progress)

        size = archive.stat().st_size
        text = f"The images of {shown(archive.name)} ({megabytes(size)}) are unpacked into the library."
        self._ask(text, [archive], archive, (0, size), into, run)

    def _ask_video(self, video: Path, into: Dataset | None) -> None:
        def work(_progress: Progress) -> tuple[VideoInfo, PilImage.Image]:
            info, picture = probe(video), preview(video)
            return info, PilImage.fromarray(np.ascontiguousarray(picture[..., ::-1]))

        def chosen(step: int, most: int) -> None:
            plan = every_frames(step, most)

            def run(request: ImportRequest, progress: Progress) -> ImportReport:
                return import_video(self.screen.workspace, request, video, plan, progress)

            self._ask("The images are taken from the video into the library.", [video], video, (0, 0), into, run)

        def done(found: tuple[VideoInfo, PilImage.Image]) -> None:
            info, picture = found
            length = f"{info.seconds:.1f} seconds, " if info.frames else ""
            text = f"{length}{info.width} x {info.height}, {info.rate:.4g} frames a second."
            facts = VideoFacts(f"Images of {shown(video.name)}", text, info.rate, info.frames)
            VideoDialog(self.screen, self.screen.theme, facts, picture, chosen)

        self.screen.background(work, done, self._failed)

    def _ask(
        self,
        text: str,
        paths: Sequence[Path],
        folder: Path,
        size: tuple[int, int],
        into: Dataset | None,
        run: Work,
        place: bool = False,
    ) -> None:
        """place: whether to ask if the images are copied (what is unpacked or taken from a video always is)."""
        workspace = self.screen.workspace

        def look() -> _Asked:
            names = [dataset.name for dataset in workspace.store.datasets.list()]
            both = [import_warnings(workspace, *size, storage, into) for storage in (Storage.REFERENCE, Storage.COPY)]
            return _Asked(names, workspace.settings.get(STORAGE_KEY) == Storage.COPY.value, (both[0], both[1]))

        def chosen(name: str, copy: bool) -> None:
            storage = Storage.COPY if copy or not place else Storage.REFERENCE
            if place:
                self.screen.store(lambda: workspace.settings.set(STORAGE_KEY, storage.value))
            request = ImportRequest(name, storage, into.id if into else None, folder)
            self._start(name, lambda progress: run(request, progress))

        def ask(found: _Asked) -> None:
            name = into.name if into else suggested_name(paths, found.names)
            taken = [] if into else found.names
            copy = (into.storage is Storage.COPY if into else found.copy) if place else None
            warnings = found.warnings
            ask_import(
                self.screen,
                self.screen.theme,
                text,
                name,
                lambda typed: name_problem(typed, taken),
                copy,
                lambda copies: warnings[copies or not place],
                chosen,
            )

        self.screen.store(look, ask)

    # ---- importing -----------------------------------------------------------------------------------------------------------

    def _start(self, name: str, work: Callable[[Progress], ImportReport]) -> None:
        self.screen.show_progress(f"Importing “{name}”…", cancel=True)

        def done(report: ImportReport) -> None:
            self.screen.hide_progress()
            self._finished(report)

        self.task = self.screen.background(work, done, self._failed, self.screen.update_progress)

    def _finished(self, report: ImportReport) -> None:
        screen = self.screen
        screen.choose(report.dataset_id)
        screen.toast(f"{counted(report.added, 'image')} imported.", "success")
        left_out = [entry for entry in report.skipped if entry.path.suffix.lower() not in LABEL_SUFFIXES]
        screen.context.event("imported", dataset=report.dataset_id, images=report.added, skipped=len(report.skipped))
        twins = f" {counted(report.duplicates, 'image is', 'images are')} there twice." if report.duplicates else ""
        if left_out:
            text = f"{counted(report.added, 'image')} imported, {counted(len(report.skipped), 'file')} left out.{twins}"
            labels = [entry for entry in report.skipped if entry not in left_out]
            lines = [(shown(entry.path.name), entry.reason) for entry in (*left_out, *labels)]
            show_report(screen, screen.theme, "What was left out", text, lines)
        elif twins:
            screen.toast(twins.strip(), "info")
        then, self._then = self._then, None
        if then is not None:
            then(report.dataset_id)
        elif self._folder is not None:
            self._offer_labels(report.dataset_id, self._folder)

    def _offer_labels(self, dataset_id: int, folder: Path) -> None:
        """When the folder of images looks as if there were labels in it."""
        screen = self.screen

        def found(format_id: str | None) -> None:
            if format_id is not None:
                action = ("Import labels", lambda: screen.labels.read(dataset_id, folder, None))
                screen.toast(f"This folder has labels, too: {FORMATS[format_id].label}.", "info", action)

        screen.background(lambda _progress: recognise(folder), found)

    def _failed(self, error: BaseException) -> None:
        self.screen.hide_progress()
        self._then = None
        if isinstance(error, CancelledError):
            self.screen.toast("Cancelled. Nothing was changed.")
        elif isinstance(error, UserError):
            self.screen.toast(str(error), "error")
            self.screen.context.event("error", code=type(error).__name__, text=str(error))
        else:
            self.screen.context.failed(error)
