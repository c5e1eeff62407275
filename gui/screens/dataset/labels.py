"""Labels into a dataset, also together with its images, and out of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.datasets import choose_first_group
from ...core.export_labels import ExportReport, export_labels
from ...core.records import AnnotationGroup, Dataset
from ...core.wording import counted
from ...widgets.dialogs import ask_folder, choose
from ...widgets.import_dialogs import show_report
from ..base.label_import import LabelImport

if TYPE_CHECKING:
    from ...tk.tasks import Progress
    from .screen import DatasetScreen

_MOST_BUTTONS = 3


class Labels:
    def __init__(self, screen: DatasetScreen) -> None:
        self.screen = screen
        self._labels = LabelImport(screen, self._busy, self._imported)

    # ---- in ------------------------------------------------------------------------------------------------------------------

    def choose_set(self) -> None:
        """A folder with images and labels: the images become a dataset, then the labels come in."""
        folder = ask_folder(self.screen, "Choose a folder with images and labels")
        if folder is not None:
            self.begin_set(folder)

    def begin_set(self, folder: Path) -> None:
        self.screen.imports.begin([folder], then=lambda dataset_id: self.read(dataset_id, folder, None))

    def choose_labels(self, dataset: Dataset) -> None:
        """For images that are here already: into a new group, or into one of the dataset's."""
        folder = self._labels.ask_folder()
        if folder is None:
            return

        def ask(groups: list[AnnotationGroup]) -> None:
            if not groups:
                self.read(dataset.id, folder, None)
                return
            choices: list[tuple[str, str, Callable[[], object]]] = [
                ("New group", "Primary", lambda: self.read(dataset.id, folder, None))
            ]
            choices += [
                (group.name[:30], "Secondary", partial(self.read, dataset.id, folder, group.id))
                for group in groups[:_MOST_BUTTONS]
            ]
            text = "Into which annotation group of this dataset do the labels go?"
            choose(self.screen, self.screen.theme, "Import labels", text, choices)

        self.screen.store(lambda: self.screen.workspace.store.groups.list(dataset.id), ask)

    def read(self, dataset_id: int, source: Path, group_id: int | None) -> None:
        """group_id: None for a new group."""
        self._labels.read(dataset_id, source, group_id)

    def _busy(self) -> Callable[[], object]:
        self.screen.show_progress("Reading labels…", cancel=False)
        return self.screen.hide_progress

    def _imported(self, group_id: int) -> None:
        workspace, experiment_id = self.screen.workspace, self.screen.experiment_id
        self.screen.store(lambda: choose_first_group(workspace, experiment_id, group_id))

    # ---- out -----------------------------------------------------------------------------------------------------------------

    def choose_export(self, group: AnnotationGroup, format_id: str) -> None:
        """The folder is asked for; the numbers of the classes are shown with the result."""
        folder = ask_folder(self.screen, "Choose where the labels go")
        if folder is not None:
            self.export(group, format_id, folder)

    def export(self, group: AnnotationGroup, format_id: str, folder: Path) -> None:
        def work(_progress: Progress) -> ExportReport:
            return export_labels(self.screen.workspace, group.id, format_id, folder)

        def done(report: ExportReport) -> None:
            text = (
                f"{counted(report.boxes, 'box', 'boxes')} on {counted(report.images, 'image')} were written to {report.folder}."
            )
            if report.left_out:
                text += f" {counted(report.left_out, 'image is', 'images are')} not submitted and left out."
            lines = [(f"{number}", name) for number, name in report.numbers]
            lines += [("Left out", problem) for problem in report.problems]
            show_report(self.screen, self.screen.theme, "Labels exported", text + " The class numbers are:", lines)

        self.screen.background(work, done)
