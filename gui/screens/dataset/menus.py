"""The '+' menu, the '…' menu of a dataset's card, and what they ask before they change something."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...core.datasets import delete_dataset, name_problem, rename_dataset
from ...core.export_labels import label_formats
from ...core.records import AnnotationGroup, Dataset, Storage
from ...core.wording import counted
from ...widgets.dialogs import ask_text, confirm

if TYPE_CHECKING:
    from .screen import DatasetScreen


class Menus:
    def __init__(self, screen: DatasetScreen) -> None:
        self.screen = screen

    def add(self, x: int, y: int) -> None:
        """All ways in, for a new dataset."""
        screen = self.screen
        menu = screen.theme.menu(screen)
        self._fill_ways(menu, None)
        menu.add_separator()
        menu.add_command(label="Labelled images (VOC, COCO, YOLO…)…", command=screen.labels.choose_set)
        menu.add_command(label="Sample set with labels", command=screen.imports.sample_set)
        menu.tk_popup(x, y)

    def _fill_ways(self, menu: tk.Menu, into: Dataset | None) -> None:
        imports = self.screen.imports
        ways: tuple[tuple[str, Callable[[Dataset | None], None]], ...] = (
            ("Folder…", imports.choose_folder),
            ("Images…", imports.choose_images),
            ("Video…", imports.choose_video),
            ("Zip archive…", imports.choose_zip),
        )
        for text, way in ways:
            menu.add_command(label=text, command=_call(way, into))

    def card(self, dataset: Dataset, x: int, y: int) -> None:
        """What can be done with a dataset."""
        screen = self.screen
        menu = screen.theme.menu(screen)
        menu.add_command(label="Statistics", command=lambda: screen.show_statistics(dataset.id))
        if not screen.workspace.read_only:
            more = screen.theme.menu(menu)
            self._fill_ways(more, dataset)
            menu.add_cascade(label="Add images", menu=more)
            menu.add_command(label="Import labels…", command=lambda: screen.labels.choose_labels(dataset))
            if dataset.storage is Storage.REFERENCE:
                menu.add_command(label="Find moved images…", command=lambda: screen.imports.choose_moved(dataset))
        for group in screen.groups_of(dataset.id):
            menu.add_cascade(label=f"Export labels of “{group.name[:30]}”", menu=self._formats(menu, group))
        if not screen.workspace.read_only:
            menu.add_separator()
            menu.add_command(label="Rename…", command=lambda: self.rename(dataset))
            menu.add_command(label="Delete…", command=lambda: self.delete(dataset))
        menu.tk_popup(x, y)

    def _formats(self, menu: tk.Menu, group: AnnotationGroup) -> tk.Menu:
        out = self.screen.theme.menu(menu)
        for format_id, text in label_formats():
            out.add_command(label=text, command=_call(self.screen.labels.choose_export, group, format_id))
        return out

    def rename(self, dataset: Dataset) -> None:
        screen = self.screen
        others = [name for name in screen.names() if name != dataset.name]

        def done(name: str) -> None:
            screen.store(lambda: rename_dataset(screen.workspace, dataset.id, name))

        ask_text(
            screen,
            screen.theme,
            "Rename the dataset",
            "Files and folders keep their names.",
            dataset.name,
            lambda name: name_problem(name, others),
            done,
            action="Rename",
        )

    def delete(self, dataset: Dataset) -> None:
        """Asks with what goes with it; can be undone."""
        screen = self.screen
        groups = f" and {counted(dataset.groups, 'annotation group')}" if dataset.groups else ""
        text = f"“{dataset.name}” with {counted(dataset.images, 'image')}{groups} leaves the list. "

        def deleted(_dataset: Dataset) -> None:
            screen.toast(f"“{dataset.name}” was deleted.", action=("Undo", lambda: screen.context.commands.run("undo")))

        def delete() -> None:
            screen.store(lambda: delete_dataset(screen.workspace, dataset.id), deleted)

        text += "Your files stay where they are. You can undo this."
        confirm(screen, screen.theme, "Delete the dataset?", text, "Delete", delete, danger=True)


def _call(function: Callable[..., object], *arguments: object) -> Callable[[], object]:
    """For a menu's command: the function with these arguments."""
    return lambda: function(*arguments)
