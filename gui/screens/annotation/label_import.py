"""Labels of another program as a new annotation group: read, shown with the mapping of classes, then written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...core import annotate
from ...core.import_labels import LabelPlan, LabelReport, apply_labels, plan_labels, standard_mapping
from ...core.records import AnnotationGroup
from ...core.wording import counted
from ...tk.tasks import Progress
from ...widgets.dialogs import ProgressDialog, ask_folder
from ...widgets.import_dialogs import ClassRow, ask_mapping, show_report

if TYPE_CHECKING:
    from .screen import AnnotationScreen


class LabelImport:
    """Of the screen's dataset. The new group becomes the experiment's."""

    def __init__(self, screen: AnnotationScreen) -> None:
        self.screen = screen

    def choose(self) -> None:
        folder = ask_folder(self.screen, "Choose the folder that holds the labels")
        if folder is not None:
            self.read(folder)

    def read(self, folder: Path) -> None:
        screen, dataset_id = self.screen, self.screen.dataset_id
        waiting = ProgressDialog(screen, screen.theme, "Reading labels")

        def work(_progress: Progress) -> LabelPlan:
            return plan_labels(screen.workspace, dataset_id, None, folder)

        def done(plan: LabelPlan) -> None:
            waiting.close()
            self._ask(plan)

        def failed(error: BaseException) -> None:
            waiting.close()
            screen.context.failed(error)

        screen.background(work, done, failed)

    def _ask(self, plan: LabelPlan) -> None:
        screen = self.screen
        boxes = sum(len(found) for found in plan.boxes.values())
        if not plan.boxes:
            text = "None of the labels belongs to an image of this dataset. Choose the folder that was made for these images."
            show_report(screen, screen.theme, "No label fits", text, plan.left_out)
            return
        text = f"{counted(boxes, 'box', 'boxes')} on {counted(len(plan.boxes), 'image')} were found. They become a new group."
        if plan.unlabelled:
            text += f" {counted(plan.unlabelled, 'image')} without a label will not be submitted."
        trouble = len(plan.left_out)
        warning = f"{counted(trouble, 'label')} can't be used; the list comes after the import." if trouble else ""
        suggested = standard_mapping(plan)
        rows = [ClassRow(each.name, each.boxes, None, str(suggested[each.name])) for each in plan.classes]
        ask_mapping(screen, screen.theme, text, rows, {}, warning, None, lambda mapping, _replace: self._apply(plan, mapping))

    def _apply(self, plan: LabelPlan, mapping: dict[str, int | str | None]) -> None:
        screen, workspace, dataset_id = self.screen, self.screen.workspace, self.screen.dataset_id

        def work() -> tuple[AnnotationGroup, LabelReport]:
            workspace.require_writing()
            group = workspace.store.groups.create(dataset_id, annotate.suggested_group_name(workspace, dataset_id))
            return group, apply_labels(workspace, group.id, plan, mapping, False)

        def done(result: tuple[AnnotationGroup, LabelReport]) -> None:
            group, report = result
            screen.choose_group(group.id)
            text = f"{counted(report.boxes, 'box', 'boxes')} on {counted(report.images, 'image')} were imported as submitted."
            screen.toast(text, "success")
            if plan.left_out:
                show_report(screen, screen.theme, "Labels that were left out", text, plan.left_out)

        screen.store(work, done)
