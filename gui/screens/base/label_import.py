"""Labels of another program: read beside the window, shown with the mapping of classes, then written as submitted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...core import annotate
from ...core.import_labels import LabelPlan, LabelReport, apply_labels, plan_labels, standard_mapping
from ...core.wording import counted
from ...tk.tasks import Progress
from ...widgets.dialogs import ask_folder
from ...widgets.import_dialogs import ClassRow, ask_mapping, show_report
from . import Screen

Mapping = dict[str, int | str | None]


class LabelImport:
    """Of one screen."""

    def __init__(self, screen: Screen, busy: Callable[[], Callable[[], object]], done: Callable[[int], object]) -> None:
        """busy: shows that labels are being read, and gives what ends that. done(group id): the labels are in it."""
        self._screen, self._busy, self._done = screen, busy, done

    def ask_folder(self) -> Path | None:
        return ask_folder(self._screen, "Choose the folder that holds the labels")

    def read(self, dataset_id: int, source: Path, group_id: int | None = None) -> None:
        """Reads and matches, then shows the mapping. group_id: None for a new group, which is made when the import begins."""
        workspace, finished = self._screen.workspace, self._busy()

        def work(_progress: Progress) -> tuple[LabelPlan, dict[int, str]]:
            plan = plan_labels(workspace, dataset_id, group_id, source)
            listed = workspace.run_store(lambda: workspace.store.categories.list(group_id)) if group_id is not None else []
            return plan, {category.id: category.name for category in listed}

        def done(found: tuple[LabelPlan, dict[int, str]]) -> None:
            finished()
            self._ask(dataset_id, group_id, *found)

        def failed(error: BaseException) -> None:
            finished()
            self._screen.context.failed(error)

        self._screen.background(work, done, failed)

    def _ask(self, dataset_id: int, group_id: int | None, plan: LabelPlan, categories: dict[int, str]) -> None:
        screen = self._screen
        if not plan.boxes:
            text = "None of the labels belongs to an image of this dataset. Choose the folder that was made for these images."
            show_report(screen, screen.theme, "No label fits", text, plan.left_out)
            return
        boxes = sum(len(found) for found in plan.boxes.values())
        text = f"{counted(boxes, 'box', 'boxes')} for {counted(len(plan.boxes), 'image')} were found."
        if group_id is None:
            text += " They become a new group."
        if plan.unlabelled:
            text += f" {counted(plan.unlabelled, 'image has', 'images have')} no label and will not be submitted."
        trouble = len(plan.left_out)
        warning = f"{counted(trouble, 'label')} can't be used; the list comes after the import." if trouble else ""

        def chosen(mapping: Mapping, replace: bool) -> None:
            self._apply(dataset_id, group_id, plan, mapping, replace)

        replace = False if plan.overwrites else None
        ask_mapping(screen, screen.theme, text, _rows(plan), categories, warning, replace, chosen)

    def _apply(self, dataset_id: int, group_id: int | None, plan: LabelPlan, mapping: Mapping, replace: bool) -> None:
        screen, workspace = self._screen, self._screen.workspace

        def work() -> tuple[int, LabelReport]:
            workspace.require_writing()
            target = group_id
            if target is None:
                name = annotate.suggested_group_name(workspace, dataset_id)
                target = workspace.store.groups.create(dataset_id, name).id
            return target, apply_labels(workspace, target, plan, mapping, replace)

        def done(result: tuple[int, LabelReport]) -> None:
            target, report = result
            self._done(target)
            text = f"{counted(report.boxes, 'box', 'boxes')} on {counted(report.images, 'image')} imported as submitted."
            if report.kept:
                text += f" {counted(report.kept, 'image')} kept what was submitted before."
            screen.toast(text, "success", ("Undo", lambda: screen.context.commands.run("undo")))
            if plan.left_out:
                show_report(screen, screen.theme, "Labels that were left out", text, plan.left_out)

        screen.store(work, done)


def _rows(plan: LabelPlan) -> list[ClassRow]:
    """A class of the files goes to the category of its name, else to a new one."""
    suggested = standard_mapping(plan)
    return [
        ClassRow(entry.name, entry.boxes, None, str(suggested[entry.name]))
        if entry.category is None
        else ClassRow(entry.name, entry.boxes, entry.category.id, entry.name)
        for entry in plan.classes
    ]
