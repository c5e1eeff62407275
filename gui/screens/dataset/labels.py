"""Labels of other programs into a dataset and out of it, with the mapping of classes shown before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.datasets import choose_first_group
from ...core.export_labels import ExportReport, export_labels
from ...core.import_labels import LabelPlan, LabelReport, apply_labels, plan_labels, standard_mapping
from ...core.records import AnnotationGroup, Dataset
from ...core.wording import counted
from ...widgets.dialogs import ask_folder, choose
from ...widgets.import_dialogs import ClassRow, ask_mapping, show_report

if TYPE_CHECKING:
    from ...tk.tasks import Progress
    from .screen import DatasetScreen

IMPORTED = "Imported labels"
_MOST_BUTTONS = 3


class Labels:
    def __init__(self, screen: DatasetScreen) -> None:
        self.screen = screen

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
        folder = ask_folder(self.screen, "Choose the folder that holds the labels")
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
        """Reads and matches, then shows the mapping. A new group is made only when the import begins."""
        workspace = self.screen.workspace
        self.screen.show_progress("Reading labels…")

        def work(_progress: Progress) -> tuple[LabelPlan, dict[int, str]]:
            plan = plan_labels(workspace, dataset_id, group_id, source)
            listed = workspace.run_store(lambda: workspace.store.categories.list(group_id)) if group_id is not None else []
            return plan, {category.id: category.name for category in listed}

        def done(found: tuple[LabelPlan, dict[int, str]]) -> None:
            self.screen.hide_progress()
            self._ask(dataset_id, group_id, *found)

        def failed(error: BaseException) -> None:
            self.screen.hide_progress()
            self.screen.context.failed(error)

        self.screen.background(work, done, failed)

    def _ask(self, dataset_id: int, group_id: int | None, plan: LabelPlan, categories: dict[int, str]) -> None:
        screen, suggested = self.screen, standard_mapping(plan)
        boxes = sum(len(found) for found in plan.boxes.values())
        text = f"{counted(boxes, 'box', 'boxes')} for {counted(len(plan.boxes), 'image')} were found."
        if plan.unlabelled:
            text += f" {counted(plan.unlabelled, 'image has', 'images have')} no label and will not be submitted."
        trouble = len(plan.left_out)
        warning = f"{counted(trouble, 'label')} can't be used; the list comes after the import." if trouble else ""
        if not plan.boxes:
            text = "None of the labels belongs to an image of this dataset."
            show_report(screen, screen.theme, "No label fits", text, plan.left_out)
            return
        rows = [
            ClassRow(entry.name, entry.boxes, entry.category.id if entry.category else None, str(suggested[entry.name]))
            if entry.category is None
            else ClassRow(entry.name, entry.boxes, entry.category.id, entry.name)
            for entry in plan.classes
        ]

        def chosen(mapping: dict[str, int | str | None], replace: bool) -> None:
            self._apply(dataset_id, group_id, plan, mapping, replace)

        replace = False if plan.overwrites else None
        ask_mapping(screen, screen.theme, text, rows, categories, warning, replace, chosen)

    def _apply(
        self, dataset_id: int, group_id: int | None, plan: LabelPlan, mapping: dict[str, int | str | None], replace: bool
    ) -> None:
        workspace, experiment_id = self.screen.workspace, self.screen.experiment_id

        def work() -> LabelReport:
            target = group_id
            if target is None:
                target = workspace.store.groups.create(dataset_id, IMPORTED).id
            report = apply_labels(workspace, target, plan, mapping, replace)
            choose_first_group(workspace, experiment_id, target)
            return report

        def done(report: LabelReport) -> None:
            text = f"{counted(report.boxes, 'box', 'boxes')} on {counted(report.images, 'image')} imported as submitted."
            if report.kept:
                text += f" {counted(report.kept, 'image')} kept what was submitted before."
            self.screen.toast(text, "success", ("Undo", lambda: self.screen.context.commands.run("undo")))
            if plan.left_out:
                show_report(self.screen, self.screen.theme, "Labels that were left out", text, plan.left_out)

        self.screen.store(work, done)

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
