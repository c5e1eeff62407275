"""The step Annotation: the groups of the dataset, Edit, Import and New, and how far the chosen one is."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from tkinter import ttk
from typing import Any, ClassVar

from ...core import annotate, limits, names
from ...core.records import AnnotationGroup, Category, Experiment, GroupSummary
from ...core.wording import counted
from ...tk.commands import Command
from ...widgets.controls import button, icon_label, label, set_enabled
from ...widgets.dialogs import ProgressDialog, ask_text, confirm
from ...widgets.scrolled import ScrolledFrame
from ...widgets.tooltip import explain
from ..base import Context, StepScreen
from ..base.label_import import LabelImport
from .new_group import NewGroupDialog, said

NO_DATASET = "Choose a dataset in the step Dataset first."
NO_GROUP = "Create an annotation group, or import one."
NONE_CHOSEN = "Choose the annotation group to train on: click it."
NOTHING_SUBMITTED = "Submit at least one image: press Edit Annotation Group and mark what the model shall find."
TIPS = (
    "The model imitates the way you draw boxes. Decide on one style and stay with it.",
    "Mark every object of your categories, and submit a few images without any as negative examples.",
    "Show each category in different sizes, places, light and angles.",
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """group, summary: of the experiment's chosen group, None without one. images: of the dataset."""

    experiment: Experiment
    dataset: str
    images: int
    groups: Sequence[AnnotationGroup]
    categories: Sequence[Category]
    summary: GroupSummary | None
    recommended: int


class AnnotationScreen(StepScreen):
    id: ClassVar[str] = "annotation"
    title: ClassVar[str] = "Annotation"

    def __init__(self, parent: tk.Misc, context: Context) -> None:
        self.loaded: Loaded | None = None
        super().__init__(parent, context)
        self.imports = LabelImport(self, self._reading_labels, self.choose_group)
        self._build()
        self.set_tips(TIPS)
        context.commands.register(
            self,
            [
                Command("annotation.edit", "Edit annotation group", self.edit, ("Ctrl+E",), self.edit_reason, "Annotation"),
                Command("annotation.new", "New annotation group", self.ask_new, (), self.new_reason, "Annotation"),
                Command("annotation.import", "Import annotation group", self.ask_import, (), self.new_reason, "Annotation"),
            ],
        )

    def _build(self) -> None:
        theme, px = self.theme, self.theme.px
        self.body.columnconfigure(0, weight=1)
        self.body.rowconfigure(2, weight=1)
        head = ttk.Frame(self.body)
        head.grid(row=0, column=0, pady=(px(34), px(8)))
        label(head, theme, "Annotation", "Title").pack()
        self.subtitle = label(head, theme, "Create annotation groups to label objects in your dataset", "Muted")
        self.subtitle.pack(pady=(px(6), 0))
        label(self.body, theme, "Annotation Groups", "Heading").grid(row=1, column=0, pady=(px(18), px(10)))
        middle = ttk.Frame(self.body, width=px(480))
        middle.grid(row=2, column=0, sticky="ns", pady=(0, px(28)))
        middle.columnconfigure(0, weight=1, minsize=px(480))
        self._list = ScrolledFrame(middle, theme)
        self._list.grid(row=0, column=0, sticky="ew")
        self._list.grid_propagate(False)
        middle.bind("<Configure>", lambda _event: self._fit_list())
        foot = ttk.Frame(middle)
        foot.grid(row=1, column=0, sticky="ew", pady=(px(12), 0))
        foot.columnconfigure((0, 1), weight=1, uniform="foot")
        self.edit_button = button(foot, theme, "Edit Annotation Group", self.edit, icon="pencil-square")
        self.edit_button.grid(row=0, column=0, columnspan=2, sticky="ew")
        self.import_button = button(foot, theme, "Import Annotation Group", self.ask_import, icon="box-arrow-in-down")
        self.import_button.grid(row=1, column=0, sticky="ew", pady=(px(8), 0), padx=(0, px(8)))
        self.new_button = button(foot, theme, "New Annotation Group", self.ask_new, kind="Primary", icon="plus-lg")
        self.new_button.grid(row=1, column=1, sticky="ew", pady=(px(8), 0))

    # --- what is shown

    def load(self, **params: Any) -> None:
        self.loaded = None
        super().load(**params)
        self.refresh()

    def on_changes(self, topics: frozenset[str]) -> None:
        if any(topic.startswith(("group", "categor", "annotation", "dataset", "experiment", "everything")) for topic in topics):
            self.refresh()

    def refresh(self) -> None:
        experiment_id = self.experiment_id
        self.store(lambda: _load(self, experiment_id), self._show)

    def _show(self, loaded: Loaded) -> None:
        if loaded.experiment.id != self.experiment_id:
            return
        self.loaded = loaded
        self._show_groups(loaded)
        self._fit_list()
        self._show_summary(loaded)
        set_enabled(self.edit_button, self.theme, self.edit_reason())
        set_enabled(self.import_button, self.theme, self.new_reason())
        set_enabled(self.new_button, self.theme, self.new_reason())
        self.refresh_next()

    def _show_groups(self, loaded: Loaded) -> None:
        theme, px, body = self.theme, self.theme.px, self._list.body
        for child in body.winfo_children():
            child.destroy()
        if loaded.groups:
            for group in loaded.groups:
                self._make_card(body, loaded, group).pack(fill="x", pady=(0, px(10)))
            return
        box = ttk.Frame(body, style="Box.TFrame")
        box.pack(fill="x")
        inner = ttk.Frame(box, style="Card.TFrame")
        inner.pack(fill="both", expand=True, padx=px(20), pady=px(34))
        icon_label(inner, theme, "bounding-box", "accent", 56).pack(pady=(0, px(18)))
        text = "Start by creating a new annotation group" if loaded.experiment.dataset_id is not None else NO_DATASET
        label(inner, theme, text, "Muted").pack()

    def _fit_list(self) -> None:
        """As high as its cards, as far as the buttons below leave room."""
        self._list.body.update_idletasks()
        room = self.body.winfo_height() - self.theme.px(290)
        self._list.configure(height=min(self._list.body.winfo_reqheight(), max(room, self.theme.px(110))))

    def _make_card(self, parent: tk.Misc, loaded: Loaded, group: AnnotationGroup) -> ttk.Frame:
        theme, px = self.theme, self.theme.px
        chosen = group.id == loaded.experiment.group_id
        box = ttk.Frame(parent, style="BoxSelected.TFrame" if chosen else "Box.TFrame", cursor="hand2")
        inner = ttk.Frame(box, style="Card.TFrame")
        inner.pack(fill="both", expand=True, padx=px(16), pady=px(12))
        inner.columnconfigure(1, weight=1)
        icon_label(inner, theme, "check-circle-fill" if chosen else "circle", "accent" if chosen else "faint").grid(
            row=0, column=0, padx=(0, px(10))
        )
        label(inner, theme, group.name, "Strong").grid(row=0, column=1, sticky="w")
        more = button(inner, theme, "", lambda: self._menu(more, group), kind="Icon", icon="three-dots", tip="Rename or delete")
        more.grid(row=0, column=2, sticky="e")
        words = f"{group.submitted:,} of {counted(loaded.images, 'file')} submitted   ·   {counted(group.boxes, 'box', 'boxes')}"
        words += f"   ·   {counted(group.categories, 'category', 'categories')}"
        label(inner, theme, words, "Small").grid(row=1, column=1, columnspan=2, sticky="w")
        bar = ttk.Progressbar(inner, style="Card.Horizontal.TProgressbar", maximum=max(loaded.images, 1), value=group.submitted)
        bar.grid(row=2, column=0, columnspan=3, sticky="ew", pady=(px(10), 0))
        for widget in (box, inner, *inner.winfo_children()):
            if widget is not more:
                widget.bind("<ButtonRelease-1>", lambda _event: self.choose_group(group.id))
                widget.bind("<Double-ButtonRelease-1>", lambda _event: self.edit(group.id))
        return box

    def _show_summary(self, loaded: Loaded) -> None:
        summary = loaded.summary
        total = loaded.images
        if summary is None:
            self.set_summary(
                [
                    *(("Submitted files", f"– / {total:,}"), ("Remaining files", f"– / {total:,}"), ("Total annotations", "–")),
                    *(("Categories", "0"), ("Status", "No group chosen" if loaded.groups else "No group yet")),
                ]
            )
        else:
            left = summary.images - summary.submitted
            self.set_summary(
                [
                    ("Submitted files", f"{summary.submitted:,} / {summary.images:,}"),
                    ("Remaining files", f"{left:,} / {summary.images:,}"),
                    ("Total annotations", f"{summary.boxes:,}"),
                    ("Negative examples", f"{summary.negatives:,}"),
                    ("Categories", f"{len(loaded.categories):,}"),
                    ("Status", _status(summary)),
                ]
            )
        self._show_categories(loaded)

    def _show_categories(self, loaded: Loaded) -> None:
        theme, px, place = self.theme, self.theme.px, self.panel.extra
        for child in place.winfo_children():
            child.destroy()
        counts = loaded.summary.boxes_by_category if loaded.summary is not None else {}
        few = 0
        if loaded.categories:
            caption = ttk.Frame(place, style="Chrome.TFrame")
            caption.pack(fill="x", pady=(px(18), px(6)))
            label(caption, theme, f"CATEGORIES ({len(loaded.categories)})", "Tiny").pack(side="left")
            label(caption, theme, "BOXES", "Tiny").pack(side="right")
        if loaded.summary is not None and loaded.summary.boxes:
            look = button(place, theme, "Look at all boxes", self.show_all_boxes, kind="Secondary", icon="grid-3x3-gap")
            look.pack(side="bottom", fill="x", pady=(px(12), 0))
        for category in loaded.categories:
            boxes, images = counts.get(category.id, (0, 0))
            row = ttk.Frame(place, style="Chrome.TFrame")
            row.pack(fill="x", pady=px(3))
            side = px(12)
            swatch = theme.canvas(row, width=side, height=side)
            swatch.create_rectangle(0, 0, side, side, fill=category.colour, width=0)
            swatch.pack(side="left", padx=(0, px(8)))
            label(row, theme, category.name, wrap_px=120).pack(side="left")
            below = boxes < loaded.recommended
            few += below
            text = f"{boxes:,} of {loaded.recommended}" if below else f"{boxes:,}"
            figures = label(row, theme, f"{text} in {counted(images, 'image')}", "Warning" if below else "Small")
            figures.pack(side="right")
            explain(figures, theme, _figures_in_words(boxes, images, loaded.recommended))
            if below:
                icon_label(row, theme, "exclamation-triangle", "warning", 12).pack(side="right", padx=(0, px(4)))
        if few:
            text = f"{counted(few, 'category', 'categories')} with fewer than {loaded.recommended} boxes. "
            text += "You can train all the same, but more examples help."
            label(place, theme, text, "Small", wrap_px=240).pack(anchor="w", pady=(px(8), 0))

    # --- reasons

    @property
    def dataset_id(self) -> int:
        found = self.loaded.experiment.dataset_id if self.loaded is not None else None
        return found if found is not None else 0

    def next_reason(self) -> str | None:
        loaded = self.loaded
        if loaded is None:
            return "Reading the library…"
        if loaded.experiment.dataset_id is None:
            return NO_DATASET
        if loaded.summary is None:
            return NONE_CHOSEN if loaded.groups else NO_GROUP
        return None if loaded.summary.submitted else NOTHING_SUBMITTED

    def new_reason(self) -> str | None:
        if self.workspace.read_only:
            return self.workspace.read_only_reason
        return None if self.dataset_id else NO_DATASET

    def edit_reason(self) -> str | None:
        if self.loaded is None or self.loaded.experiment.dataset_id is None:
            return NO_DATASET
        if self.loaded.summary is not None:
            return None
        return NONE_CHOSEN if self.loaded.groups else NO_GROUP

    # --- what the user does

    def choose_group(self, group_id: int, then: Callable[[], object] | None = None) -> None:
        """The experiment is trained on this one."""
        if self.loaded is None or self.workspace.read_only or self.loaded.experiment.group_id == group_id:
            if then is not None:
                then()
            return
        experiment_id, dataset_id, workspace = self.experiment_id, self.dataset_id, self.workspace

        def work() -> None:
            workspace.store.experiments.set_dataset(experiment_id, dataset_id, group_id)
            workspace.changes.publish("experiments")

        self.store(work, lambda _nothing: then() if then is not None else None)

    def edit(self, group_id: int | None = None) -> None:
        chosen = group_id if group_id is not None else self.loaded.experiment.group_id if self.loaded is not None else None
        if chosen is not None:
            self.router.show("editor", group_id=chosen, experiment_id=self.experiment_id)

    def show_all_boxes(self, category_id: int | None = None) -> None:
        """As pictures, category by category: what is wrong among them is seen at a glance."""
        if self.loaded is not None and self.loaded.experiment.group_id is not None:
            group_id = self.loaded.experiment.group_id
            where = {"experiment_id": self.experiment_id, "category_id": category_id, "back": "annotation"}
            self.router.show("crops", group_id=group_id, **where)

    def ask_import(self) -> None:
        folder = self.imports.ask_folder()
        if folder is not None:
            self.imports.read(self.dataset_id, folder)

    def _reading_labels(self) -> Callable[[], object]:
        return ProgressDialog(self, self.theme, "Reading labels").close

    def ask_new(self) -> None:
        if self.loaded is not None and self.new_reason() is None:
            taken, dataset_id, workspace = [group.name for group in self.loaded.groups], self.dataset_id, self.workspace
            self.store(
                lambda: annotate.suggested_group_name(workspace, dataset_id),
                lambda name: NewGroupDialog(self, self.theme, name, taken, self._create),
            )

    def _create(self, name: str, categories: list[tuple[str, str]]) -> None:
        workspace, dataset_id = self.workspace, self.dataset_id

        def created(group: AnnotationGroup) -> None:
            self.choose_group(group.id, lambda: self.edit(group.id))

        self.store(lambda: annotate.create_group(workspace, dataset_id, name, categories), created)

    def _menu(self, below: ttk.Button, group: AnnotationGroup) -> None:
        menu = self.theme.menu(self)
        state: Any = "disabled" if self.workspace.read_only else "normal"
        menu.add_command(label="Edit", command=lambda: self.choose_group(group.id, lambda: self.edit(group.id)))
        menu.add_command(label="Rename…", state=state, command=lambda: self._ask_rename(group))
        menu.add_separator()
        menu.add_command(label="Delete…", state=state, command=lambda: self._ask_delete(group))
        menu.tk_popup(below.winfo_rootx(), below.winfo_rooty() + below.winfo_height())

    def _ask_rename(self, group: AnnotationGroup) -> None:
        others = [each.name for each in self.loaded.groups if each.id != group.id] if self.loaded is not None else []

        def check(name: str) -> str | None:
            return said(lambda: names.checked(name, annotate.GROUP, others))

        def rename(name: str) -> None:
            self.store(lambda: annotate.rename_group(self.workspace, group.id, name))

        ask_text(self, self.theme, "Rename the annotation group", "Its new name:", group.name, check, rename, "Rename")

    def _ask_delete(self, group: AnnotationGroup) -> None:
        def delete() -> None:
            undo = ("Undo", lambda: self.context.commands.run("undo"))
            self.store(
                lambda: annotate.delete_group(self.workspace, group.id),
                lambda _nothing: self.toast(f"“{group.name}” was deleted.", action=undo),
            )

        self.store(
            lambda: annotate.delete_group_question(self.workspace, group.id),
            lambda question: confirm(self, self.theme, "Delete this group?", question, "Delete", delete, danger=True),
        )


def _load(screen: AnnotationScreen, experiment_id: int) -> Loaded:
    """On the store's thread."""
    store = screen.workspace.store
    experiment = store.experiments.get(experiment_id)
    recommended = limits.read(screen.workspace).examples
    if experiment.dataset_id is None:
        return Loaded(experiment, "", 0, (), (), None, recommended)
    dataset = store.datasets.get(experiment.dataset_id)
    groups = store.groups.list(dataset.id)
    if experiment.group_id is None or all(group.id != experiment.group_id for group in groups):
        return Loaded(experiment, dataset.name, dataset.images, groups, (), None, recommended)
    categories = store.categories.list(experiment.group_id)
    summary = store.groups.summary(experiment.group_id)
    return Loaded(experiment, dataset.name, dataset.images, groups, categories, summary, recommended)


def _status(summary: GroupSummary) -> str:
    if summary.images and summary.submitted == summary.images:
        return "All files submitted"
    if summary.drafts:
        return f"In progress, {counted(summary.drafts, 'draft')}"
    return "In progress" if summary.submitted else "Not started"


def _figures_in_words(boxes: int, images: int, recommended: int) -> str:
    said = f"{counted(boxes, 'submitted box', 'submitted boxes')} in {counted(images, 'image')}."
    return said if boxes >= recommended else f"{said} At least {recommended} boxes are recommended."
