"""The screen: cards of datasets, '+', drop area, search, preview, statistics. The imports themselves are in imports.py."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tkinter import ttk
from typing import Any, ClassVar

from PIL import Image as PilImage

from darknet_bridge.errors import shown

from ...core.datasets import choose_dataset
from ...core.import_limits import megabytes
from ...core.records import AnnotationGroup, Dataset, Experiment, Image, Storage
from ...core.thumbnails import THUMBNAIL_PX, Thumbnails, render
from ...core.wording import counted
from ...tk.commands import Command
from ...tk.dnd import accept_files, available
from ...tk.lifetime import watch
from ...widgets.card_grid import Card, CardGrid
from ...widgets.carousel import Carousel
from ...widgets.controls import SearchField, button, label, set_enabled
from ...widgets.progress import ProgressLine
from ...widgets.statistics_view import BarChart, HeatMap, StatisticsView
from ..base import Context, StepScreen
from .figures import Material, charts, gather
from .imports import Imports
from .labels import Labels
from .menus import Menus

_ADD = "add"
_HINT = "Choose one of your datasets or add your own images (500 – 5,000 images are recommended)."
_PREVIEW_PX = 512
_COVERS = 3
_PREVIEWS = 1_000  # all records of a very large dataset would hold the window up
_TIPS = (
    "Show each object in several sizes, turned, and in different light. At least 25 boxes of each category are recommended.",
    "Images stay on this computer, and your files are never changed.",
)


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What the cards show."""

    experiment: Experiment
    datasets: Sequence[Dataset]
    covers: Mapping[int, Sequence[Image]]
    groups: Mapping[int, Sequence[AnnotationGroup]]


class DatasetScreen(StepScreen):
    id: ClassVar[str] = "dataset"
    title: ClassVar[str] = "Dataset"

    def __init__(self, parent: tk.Misc, context: Context) -> None:
        self.selected: int | None = None
        super().__init__(parent, context)
        self.imports, self.labels, self.menus = Imports(self), Labels(self), Menus(self)
        self.thumbnails = Thumbnails(None if self.workspace.read_only else self.workspace.thumbs_folder)
        self.query = tk.StringVar(self)
        self._shelf: _Shelf | None = None
        self._covers: dict[int, Image] = {}
        self._preview: list[Image] = []
        self._progress: ProgressLine | None = None
        self._build()
        self._build_panel()
        watch(self, self.query, self._show_cards)
        self._add_commands()

    # ---- building ----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        theme, px = self.theme, self.theme.px
        self.body.columnconfigure(0, weight=1)
        self.body.rowconfigure(2, weight=1)
        head = ttk.Frame(self.body)
        head.grid(row=0, column=0, sticky="ew", padx=px(24), pady=(px(22), px(14)))
        head.columnconfigure(0, weight=1)
        self.heading = label(head, theme, "Select a Dataset", "Title")
        self.heading.grid(row=0, column=0, sticky="w")
        self.hint = label(head, theme, _HINT, "Muted", wrap_px=560)
        self.hint.grid(row=1, column=0, sticky="w", pady=(px(4), 0))
        self.tools = ttk.Frame(head)
        self.tools.grid(row=0, column=1, rowspan=2, sticky="e")
        search = SearchField(self.tools, theme, self.query, "Search datasets")
        search.pack(side="left", padx=(0, px(8)))
        self.search = search.field
        self.add_button = button(self.tools, theme, "Add images", self._add_from_button, kind="Primary", icon="plus-lg")
        self.add_button.pack(side="left")
        if self.workspace.read_only:
            set_enabled(self.add_button, theme, self.workspace.read_only_reason)
        self.back_button = button(head, theme, "Back to the datasets", self.show_cards, icon="arrow-left")
        self._progress_place = ttk.Frame(self.body)
        self._progress_place.grid(row=1, column=0, sticky="ew", padx=px(24))
        self.grid_view = CardGrid(
            self.body, theme, self._card_chosen, self._picture_wanted, self._card_menu, activated=self._card_activated
        )
        self.grid_view.grid(row=2, column=0, sticky="nsew", padx=(px(24), px(14)), pady=(0, px(16)))
        self.figures = StatisticsView(self.body, theme)
        accept_files(self.body, self._dropped, self._hovered)

    def _build_panel(self) -> None:
        theme, px = self.theme, self.theme.px
        label(self.panel.extra, theme, "PREVIEW", "Tiny").pack(anchor="w", pady=(px(16), px(8)))
        self.carousel = Carousel(self.panel.extra, theme, self._preview_wanted)
        self.carousel.pack()
        self.figures_button = button(
            self.panel.extra, theme, "Statistics", lambda: self.show_statistics(self.selected), icon="bar-chart"
        )
        self.figures_button.pack(fill="x", pady=(px(12), 0))
        self.set_tips(_TIPS)

    def _add_commands(self) -> None:
        read_only = self._read_only_reason
        self.context.commands.register(
            self,
            [
                Command(
                    "dataset.folder", "Add a folder of images", self.imports.choose_folder, ("Ctrl+O",), read_only, "Dataset"
                ),
                Command("dataset.add", "Add images…", self._add_from_button, ("+",), read_only, "Dataset"),
                Command("dataset.find", "Search datasets", self.search.focus_set, ("/",), group="Dataset"),
                Command("dataset.rename", "Rename the dataset", self._rename_selected, ("F2",), self._change_reason, "Dataset"),
                Command(
                    "dataset.delete", "Delete the dataset", self._delete_selected, ("Delete",), self._change_reason, "Dataset"
                ),
                Command("dataset.figures", "Statistics", lambda: self.show_statistics(self.selected), ("S",), group="Dataset"),
                Command("dataset.back", "Back to the datasets", self.show_cards, ("Esc",), group="Dataset"),
            ],
        )

    # ---- showing -----------------------------------------------------------------------------------------------------

    def load(self, **params: Any) -> None:
        super().load(**params)
        self.selected = None
        self.show_cards()
        self.refresh()

    def on_changes(self, topics: frozenset[str]) -> None:
        if any(topic.startswith(("dataset", "group", "experiments", "everything")) for topic in topics):
            self.refresh()

    def next_reason(self) -> str | None:
        if self.selected is None:
            return "Select a dataset, or add your own images with “Add images”."
        return None

    def refresh(self) -> None:
        wanted, store = self.experiment_id, self.workspace.store

        def work() -> _Shelf:
            datasets = store.datasets.list()
            return _Shelf(
                store.experiments.get(wanted),
                datasets,
                {dataset.id: store.datasets.first_images(dataset.id, _COVERS) for dataset in datasets},
                {dataset.id: store.groups.list(dataset.id) for dataset in datasets if dataset.groups},
            )

        self.store(work, self._loaded)

    def _loaded(self, shelf: _Shelf) -> None:
        if shelf.experiment.id != self.experiment_id:
            return
        self._shelf = shelf
        self._covers = {image.id: image for images in shelf.covers.values() for image in images}
        ids = {dataset.id for dataset in shelf.datasets}
        before, chosen = self.selected, shelf.experiment.dataset_id
        self.selected = chosen if chosen in ids else None
        self._show_cards()
        self.grid_view.select(self.selected)
        self._show_selected(changed=before != self.selected or not self.carousel.count)
        self.refresh_next()

    def _show_cards(self) -> None:
        if self._shelf is None:
            return
        query = self.query.get().strip().casefold()
        drop = "Drop images here, or click" if available(self.body) else "Add images"
        cards = [Card(_ADD, drop, icon="plus-lg")] if not self.workspace.read_only else []
        for dataset in self._shelf.datasets:
            if query in dataset.name.casefold():
                pictures = tuple(image.id for image in self._shelf.covers.get(dataset.id, ()))
                count = counted(dataset.images, "file")
                cards.append(Card(dataset.id, dataset.name, megabytes(dataset.bytes), count, pictures, menu=True))
        self.grid_view.set_cards(cards)

    def dataset(self, dataset_id: int | None) -> Dataset | None:
        found = self._shelf.datasets if self._shelf else ()
        return next((dataset for dataset in found if dataset.id == dataset_id), None)

    def _show_selected(self, changed: bool) -> None:
        dataset = self.dataset(self.selected)
        set_enabled(self.figures_button, self.theme, None if dataset else "Select a dataset first.")
        if dataset is None:
            self.set_summary([])
            self._preview = []
            self.carousel.set_count(0, "Select a dataset to look through its images.")
            return
        place = "in the library" if dataset.storage is Storage.COPY else "in your folder"
        lines = [("Dataset", dataset.name), ("Files", f"{dataset.images:,}"), ("Size", megabytes(dataset.bytes))]
        self.set_summary([*lines, ("Kept", place), ("Groups", str(dataset.groups))])
        if changed or len(self._preview) != min(dataset.images, _PREVIEWS):
            store, wanted = self.workspace.store, dataset.id
            self.store(lambda: (wanted, store.datasets.first_images(wanted, _PREVIEWS)), lambda found: self._previewed(*found))

    def _previewed(self, dataset_id: int, images: list[Image]) -> None:
        # Two refreshes may have asked for the same images: the second must not turn the user back to the first one.
        if dataset_id == self.selected and not (images and images == self._preview and self.carousel.count):
            self._preview = images
            self.carousel.set_count(len(images), "This dataset has no images.")

    # ---- pictures ----------------------------------------------------------------------------------------------------

    def _picture_wanted(self, key: Hashable, size: tuple[int, int]) -> None:
        image = self._covers.get(key) if isinstance(key, int) else None
        if image is None:
            return
        side = THUMBNAIL_PX if max(size) <= THUMBNAIL_PX else 2 * THUMBNAIL_PX

        def show(picture: PilImage.Image | None) -> None:
            if picture is not None:
                self.grid_view.set_picture(key, picture)

        self.background(lambda _progress: self.thumbnails.get(image, side), show)

    def _preview_wanted(self, position: int) -> None:
        image = self._preview[position]
        dataset = self.dataset(self.selected)
        caption = f"{position + 1:,} / {dataset.images if dataset else 0:,}  {shown(image.path.name)}"

        def arrived(picture: PilImage.Image | None) -> None:
            self.carousel.set_picture(position, picture, caption)

        self.background(lambda _progress: render(image, _PREVIEW_PX), arrived)

    # ---- choosing ----------------------------------------------------------------------------------------------------

    def _card_chosen(self, card_id: Hashable) -> None:
        if card_id == _ADD:
            self.grid_view.select(self.selected)
            left, _top, _right, bottom = self.grid_view.place_of(_ADD)
            canvas = self.grid_view.canvas
            self.menus.add(canvas.winfo_rootx() + left + self.theme.px(20), canvas.winfo_rooty() + bottom - self.theme.px(20))
        elif isinstance(card_id, int):
            self.choose(card_id)

    def _card_activated(self, card_id: Hashable) -> None:
        if card_id == self.selected and self.next_reason() is None:
            self.go_next()

    def choose(self, dataset_id: int) -> None:
        """For the experiment; in a library that is only read, just to look at."""
        if self.workspace.read_only:
            self.selected = dataset_id
            self._show_selected(changed=True)
            return
        experiment_id = self.experiment_id
        self.store(lambda: choose_dataset(self.workspace, experiment_id, dataset_id), lambda _done: self.refresh())

    def _read_only_reason(self) -> str | None:
        return self.workspace.read_only_reason or None

    def _change_reason(self) -> str | None:
        return self._read_only_reason() or (None if self.selected is not None else "Select a dataset first.")

    def names(self) -> list[str]:
        return [dataset.name for dataset in self._shelf.datasets] if self._shelf else []

    def groups_of(self, dataset_id: int) -> Sequence[AnnotationGroup]:
        return self._shelf.groups.get(dataset_id, ()) if self._shelf else ()

    def _add_from_button(self) -> None:
        place = self.add_button
        self.menus.add(place.winfo_rootx(), place.winfo_rooty() + place.winfo_height())

    def _card_menu(self, card_id: Hashable, x: int, y: int) -> None:
        dataset = self.dataset(card_id) if isinstance(card_id, int) else None
        if dataset is not None:
            self.menus.card(dataset, x, y)

    def _rename_selected(self) -> None:
        dataset = self.dataset(self.selected)
        if dataset is not None:
            self.menus.rename(dataset)

    def _delete_selected(self) -> None:
        dataset = self.dataset(self.selected)
        if dataset is not None:
            self.menus.delete(dataset)

    # ---- dropping and progress ---------------------------------------------------------------------------------------

    def _dropped(self, paths: list[Path]) -> None:
        if not paths:
            self.toast("These are no files of this computer. Save them in a folder first, then drop that.", "warning")
        self.imports.begin(paths)

    def _hovered(self, inside: bool) -> None:
        self.hint.configure(text="Let go to add these images." if inside else _HINT)

    def show_progress(self, text: str, cancel: bool = True) -> None:
        self.hide_progress()
        self._progress = ProgressLine(self._progress_place, self.theme, self.imports.cancel if cancel else None)
        self._progress.pack(fill="x", pady=(0, self.theme.px(14)))
        self._progress.update_progress(0, 0, text)

    def update_progress(self, done: int, total: int, text: str) -> None:
        if self._progress is not None:
            shown = f"{text}…" if total else f"{text}… {counted(done, 'file')}"
            self._progress.update_progress(done, total, shown)

    def hide_progress(self) -> None:
        if self._progress is not None:
            self._progress.destroy()
            self._progress = None
            self._progress_place.configure(height=1)

    @property
    def progress_text(self) -> str:
        return "" if self._progress is None else self._progress.text

    # ---- statistics --------------------------------------------------------------------------------------------------

    def show_statistics(self, dataset_id: int | None) -> None:
        dataset = self.dataset(dataset_id)
        if dataset is None or self._shelf is None:
            self.toast("Select a dataset first.", "warning")
            return
        experiment, name = self._shelf.experiment, dataset.name
        group_id = experiment.group_id if experiment.dataset_id == dataset.id else None
        size = _network_px(experiment.setup)

        def gathered(material: Material) -> None:
            group = f", group “{material.group.name}”" if material.group else ""
            text = f"“{name}”{group}." if group else f"“{name}”. Figures of boxes appear with its first annotation group."
            self.hint.configure(text=text)
            self.background(lambda _progress: charts(material), self._show_charts)

        self.heading.configure(text="Statistics")
        self.hint.configure(text=f"“{name}”: counting…")
        self.tools.grid_remove()
        self.back_button.grid(row=0, column=1, rowspan=2, sticky="e")
        self.grid_view.grid_remove()
        self.figures.set_charts(())
        self.figures.grid(
            row=2, column=0, sticky="nsew", padx=(self.theme.px(24), self.theme.px(14)), pady=(0, self.theme.px(16))
        )
        self.store(lambda: gather(self.workspace, dataset.id, group_id, size), gathered)

    def _show_charts(self, found: list[BarChart | HeatMap]) -> None:
        self.figures.set_charts(found)

    def show_cards(self) -> None:
        self.figures.grid_remove()
        self.back_button.grid_remove()
        self.tools.grid()
        self.heading.configure(text="Select a Dataset")
        self._hovered(False)
        self.grid_view.grid()


def _network_px(setup: Mapping[str, object]) -> tuple[int, int]:
    """As chosen in Setup, else the usual size."""
    width, height = setup.get("width"), setup.get("height")
    return (width, height) if isinstance(width, int) and isinstance(height, int) and width > 0 < height else (416, 416)
