"""The left column of the editor: Close and what is saved, Files, Categories, Annotations in image, Reset and Submit."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from tkinter import ttk

from ...core.editor_files import ORDERS, SIZES, STATE_FILTERS, FileBook
from ...core.records import ImageEntry, ImageState
from ...core.wording import counted
from ...tk.commands import Commands
from ...tk.lifetime import watch
from ...tk.theme import Theme
from ...widgets.box_list import BoxEvents, BoxList
from ...widgets.category_list import CategoryEvents, CategoryList
from ...widgets.controls import SearchField, button, combo, icon_label, label, set_enabled
from ...widgets.file_list import FileEntry, FileList, Mark
from ...widgets.tooltip import explain

WIDTH_PX = 316
_FILES_PX, _BOXES_PX = 170, 84
MARKS: Mapping[str, Mark] = {
    ImageState.NEW.value: Mark("circle", "faint"),
    ImageState.DRAFT.value: Mark("pencil-fill", "warning"),
    ImageState.SUBMITTED.value: Mark("check-circle-fill", "accent"),
    ImageState.NEGATIVE.value: Mark("slash-circle", "accent"),
}
ANY_CLASS = "Any category"
ANY_SIZE = next(iter(SIZES))


@dataclass
class LeftEvents:
    open: Callable[[int], object]
    filtered: Callable[[str, str, int | None, str, str], object]  # (state, text, category, size, order)
    back_to_canvas: Callable[[], object]


class LeftColumn(ttk.Frame):
    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        commands: Commands,
        events: LeftEvents,
        category_events: CategoryEvents,
        box_events: BoxEvents,
    ) -> None:
        super().__init__(parent, style="Chrome.TFrame", width=theme.px(WIDTH_PX))
        self.theme, self.events = theme, events
        self.grid_propagate(False)
        self.columnconfigure(0, weight=1)
        # In a low window the categories scroll before the files or the boxes vanish.
        self.rowconfigure(1, weight=6, minsize=theme.px(_FILES_PX))
        self.rowconfigure(3, weight=1)
        self.rowconfigure(5, weight=4, minsize=theme.px(_BOXES_PX))
        self._category_ids: dict[str, int] = {}
        self._quiet = False
        pad = theme.px(14)
        self._make_head(commands).grid(row=0, column=0, sticky="ew", padx=pad, pady=(pad, theme.px(10)))
        self._make_files().grid(row=1, column=0, sticky="nsew", padx=pad)
        for row in (2, 4, 6):
            ttk.Frame(self, style="Line.TFrame", height=1).grid(row=row, column=0, sticky="ew", pady=theme.px(10))
        self.categories = CategoryList(self, theme, category_events)
        self.categories.grid(row=3, column=0, sticky="nsew", padx=pad)
        self.boxes = BoxList(self, theme, box_events, height=2)
        self.boxes.grid(row=5, column=0, sticky="nsew", padx=pad)
        self._make_foot(commands).grid(row=7, column=0, sticky="ew", padx=pad, pady=(0, pad))

    def _make_head(self, commands: Commands) -> ttk.Frame:
        theme = self.theme
        head = ttk.Frame(self, style="Chrome.TFrame")
        self.close = button(head, theme, "Close", lambda: commands.run("editor.close"), kind="Ghost", icon="chevron-left")
        self.close.grid(row=0, column=0, sticky="w")
        self.state_icon = icon_label(head, theme, "check2", "positive", 14)
        self.state_icon.grid(row=0, column=1, sticky="e", padx=(0, theme.px(4)))
        self.saved_text = label(head, theme, "", "Small", wrap_px=185, justify="right")
        self.saved_text.grid(row=0, column=2, sticky="e")
        head.columnconfigure(1, weight=1)
        self.title = label(head, theme, "", "Heading", wrap_px=WIDTH_PX - 30)
        self.title.grid(row=1, column=0, columnspan=3, sticky="w", pady=(theme.px(8), 0))
        return head

    def _make_files(self) -> ttk.Frame:
        theme = self.theme
        frame = ttk.Frame(self, style="Chrome.TFrame")
        frame.columnconfigure(0, weight=1)
        frame.rowconfigure(4, weight=1)
        self.files_title = label(frame, theme, "Files (0/0 submitted)", "Strong")
        self.files_title.grid(row=0, column=0, sticky="w")
        self.fold = button(frame, theme, "", self.toggle_filters, kind="Icon", icon="funnel", tip="Filter and sort the files")
        self.fold.grid(row=0, column=1, sticky="e")
        self.progress = ttk.Progressbar(frame, style="Chrome.Horizontal.TProgressbar", maximum=1000)
        self.progress.grid(row=1, column=0, columnspan=2, sticky="ew", pady=theme.px(6))
        self.search = tk.StringVar(self)
        search = SearchField(frame, theme, self.search, "Filter by name")
        search.grid(row=2, column=0, columnspan=2, sticky="ew")
        self.search_field = search.field
        self.state_choice = tk.StringVar(self, "All files")
        self.category_choice = tk.StringVar(self, ANY_CLASS)
        self.size_choice = tk.StringVar(self, ANY_SIZE)
        self.order_choice = tk.StringVar(self, ORDERS[0])
        self._filters = ttk.Frame(frame, style="Chrome.TFrame")
        self._filters.columnconfigure(1, weight=1)
        rows = (
            ("Show", self.state_choice, list(STATE_FILTERS)),
            ("With", self.category_choice, [ANY_CLASS]),
            ("Boxes", self.size_choice, list(SIZES)),
            ("Sort by", self.order_choice, list(ORDERS)),
        )
        for row, (name, variable, values) in enumerate(rows):
            label(self._filters, theme, name, "Small").grid(row=row, column=0, sticky="w", padx=(0, theme.px(8)))
            box = combo(self._filters, theme, variable, values, width=6)
            box.grid(row=row, column=1, sticky="ew", pady=(0, theme.px(3)))
            box.bind("<<ComboboxSelected>>", lambda _event: self._chosen())
            if variable is self.category_choice:
                self.category_box = box
        watch(self, self.search, self._tell)
        for sequence in ("<Return>", "<Escape>", "<Down>"):
            self.search_field.bind(sequence, lambda _event: self.events.back_to_canvas())
        self.files = FileList(frame, theme, MARKS, self.events.open, "No file passes the filter. Change it to see more.")
        self.files.grid(row=4, column=0, columnspan=2, sticky="nsew", pady=(theme.px(6), 0))
        return frame

    def _make_foot(self, commands: Commands) -> ttk.Frame:
        foot = ttk.Frame(self, style="Chrome.TFrame")
        foot.columnconfigure((0, 1), weight=1, uniform="foot")
        self.reset = button(foot, self.theme, "Reset", lambda: commands.run("editor.reset"))
        self.reset.grid(row=0, column=0, sticky="ew", padx=(0, self.theme.px(8)))
        self.submit = button(foot, self.theme, "Submit", lambda: commands.run("editor.submit"), kind="Submit")
        self.submit.grid(row=0, column=1, sticky="ew")
        return foot

    # --- what is shown

    def show_keys(self, commands: Commands) -> None:
        """The keys on the buttons."""
        self.reset.configure(text=commands.with_key("Reset", "editor.reset"))
        self.submit.configure(text=commands.with_key("Submit", "editor.submit"))
        explain(self.search_field, self.theme, commands.with_key("Filter the files by name", "editor.find"))

    def toggle_filters(self) -> None:
        if self._filters.winfo_ismapped():
            self._filters.grid_remove()
            self.rowconfigure(1, minsize=self.theme.px(_FILES_PX))
        else:
            self._filters.grid(row=3, column=0, columnspan=2, sticky="ew", pady=(self.theme.px(6), 0))
            self.rowconfigure(1, minsize=self.theme.px(_FILES_PX) + self._filters.winfo_reqheight())

    def show_state(self, text: str, kind: str) -> None:
        """kind: saved, changed, saving, failed."""
        icon, colour = {
            "saved": ("check2", "positive"),
            "changed": ("pencil", "warning"),
            "saving": ("arrow-repeat", "muted"),
            "failed": ("exclamation-triangle", "danger"),
        }[kind]
        if str(self.saved_text.cget("text")) != text:
            self.saved_text.configure(text=text)
        self.state_icon.configure(image=self.theme.icon(icon, 14, colour))

    def show_progress(self, header: str, submitted: int, total: int) -> None:
        self.files_title.configure(text=header)
        self.progress.configure(value=round(1000 * submitted / total) if total else 0)

    def show_files(self, entries: Sequence[ImageEntry], book: FileBook, current: int | None) -> None:
        """entries: those of the book that pass the filter, in their order."""

        def describe(image_id: int) -> FileEntry:
            return file_entry(book[image_id])

        self.files.set_files([entry.image_id for entry in entries], describe)
        self.files.select(current)

    def show_file(self, entry_: ImageEntry) -> None:
        self.files.update_entry(file_entry(entry_))

    def show_category_choices(self, names: Mapping[str, int]) -> None:
        self._category_ids = dict(names)
        self.category_box.configure(values=[ANY_CLASS, *names])
        if self.category_choice.get() not in (ANY_CLASS, *names):
            self.category_choice.set(ANY_CLASS)
            self._tell()

    def clear_filter(self) -> None:
        """For another visit; tells nobody."""
        self._quiet = True
        self.search.set("")
        self.state_choice.set("All files")
        self.category_choice.set(ANY_CLASS)
        self.size_choice.set(ANY_SIZE)
        self.order_choice.set(ORDERS[0])
        self._quiet = False

    def set_filter(self, state: str) -> None:
        self.search.set("")
        self.state_choice.set(state)
        self._tell()

    def show_enabled(self, reset: str | None, submit: str | None) -> None:
        """The sentences that say why not."""
        set_enabled(self.reset, self.theme, reset)
        set_enabled(self.submit, self.theme, submit)

    def _chosen(self) -> None:
        self._tell()
        self.events.back_to_canvas()

    def _tell(self) -> None:
        if self._quiet:
            return
        category = self._category_ids.get(self.category_choice.get())
        size, order = self.size_choice.get(), self.order_choice.get()
        self.events.filtered(self.state_choice.get(), self.search.get(), category, size, order)


def file_entry(each: ImageEntry) -> FileEntry:
    """A line of the list of files."""
    detail = ""
    if each.state is ImageState.NEGATIVE:
        detail = "negative"
    elif each.state is not ImageState.NEW:
        detail = counted(each.boxes, "box", "boxes")
        if each.state is ImageState.DRAFT:
            detail = f"draft, {detail}"
    return FileEntry(each.image_id, each.name, each.state.value, detail)
