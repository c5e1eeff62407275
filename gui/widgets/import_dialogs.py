"""Dialogs around importing: name and place, frames of a video, the mapping of classes, the list of what was left out."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from tkinter import ttk

from PIL import Image, ImageTk

from ..tk.lifetime import watch
from ..tk.theme import Theme
from .controls import button, combo, entry, label, note, radio, set_enabled
from .dialogs import Dialog

_PREVIEW_PX = 300
_MAX_LINES = 2_000


def ask_import(
    parent: tk.Misc,
    theme: Theme,
    found: str,
    name: str,
    validate: Callable[[str], str | None],
    copy: bool | None,
    warnings: Callable[[bool], Sequence[str]],
    done: Callable[[str, bool], object],
) -> Dialog:
    """found: what is there ("88 images, 8.46 MB"). copy: what is chosen at first; None does not ask. done(name, copy)."""
    dialog = Dialog(parent, theme, "Import images", width=500)
    dialog.text(found)
    value, place = tk.StringVar(dialog.frame, name), tk.StringVar(dialog.frame, "copy" if copy else "reference")
    label(dialog.body, theme, "Name of the dataset").pack(anchor="w", pady=(theme.px(14), theme.px(4)))
    field = entry(dialog.body, theme, value)
    field.pack(fill="x")
    problem = label(dialog.body, theme, "", "Danger", wrap_px=dialog.width)
    problem.pack(anchor="w", pady=(theme.px(4), 0))
    hints = ttk.Frame(dialog.body, style="Card.TFrame")

    def warn() -> None:
        for child in hints.winfo_children():
            child.destroy()
        for text in warnings(place.get() == "copy"):
            note(hints, theme, text, "WarningNote", wrap_px=dialog.width - 40).pack(fill="x", pady=(theme.px(8), 0))

    if copy is not None:
        for text, key in (("Use the images where they are", "reference"), ("Copy the images into the library", "copy")):
            radio(dialog.body, theme, text, place, key, warn).pack(anchor="w", pady=(theme.px(6), 0))
        label(dialog.body, theme, "Your files are never changed, either way.", "Small").pack(anchor="w", pady=(theme.px(6), 0))
    hints.pack(fill="x")
    start = dialog.add_button("Import", lambda: done(value.get().strip(), place.get() == "copy"), "Primary", default=True)
    dialog.add_button("Cancel", None, "Ghost")

    def check(*_args: object) -> None:
        said = validate(value.get().strip())
        problem.configure(text=said or "")
        set_enabled(start, theme, said)

    watch(dialog.frame, value, check)
    check()
    warn()
    field.selection_range(0, "end")
    dialog.show(field)
    return dialog


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """Of the video: what the dialog shows and reckons with."""

    title: str
    text: str
    rate: float
    frames: int


class VideoDialog:
    """Every so many seconds or frames, at most so many; says how many images that makes. done(frames between two, most)."""

    def __init__(
        self, parent: tk.Misc, theme: Theme, facts: VideoFacts, preview: Image.Image, done: Callable[[int, int], object]
    ) -> None:
        self.theme, self._facts, self._done = theme, facts, done
        self.dialog = Dialog(parent, theme, facts.title, width=500)
        preview.thumbnail((theme.px(_PREVIEW_PX), theme.px(_PREVIEW_PX)))
        self._photo = ImageTk.PhotoImage(preview)
        picture = label(self.dialog.body, theme)
        picture.configure(image=self._photo)
        picture.pack(pady=(theme.px(4), theme.px(8)))
        self.dialog.text(facts.text)
        frame = self.dialog.frame
        self.unit, self.every, self.most = tk.StringVar(frame, "seconds"), tk.StringVar(frame, "1"), tk.StringVar(frame, "500")
        row = self._row()
        label(row, theme, "Take an image every").pack(side="left")
        self._field(row, self.every)
        for text in ("seconds", "frames"):
            radio(row, theme, text, self.unit, text, self._check).pack(side="left", padx=(theme.px(8), 0))
        row = self._row()
        label(row, theme, "At most").pack(side="left")
        self._field(row, self.most)
        label(row, theme, "images").pack(side="left", padx=(theme.px(8), 0))
        self.count = label(self.dialog.body, theme, "", "Strong", wrap_px=460)
        self.count.pack(anchor="w", pady=(theme.px(12), 0))
        self._start = self.dialog.add_button("Continue", self._finish, "Primary", default=True)
        self.dialog.add_button("Cancel", None, "Ghost")
        self._check()
        self.dialog.show()

    def _row(self) -> ttk.Frame:
        row = ttk.Frame(self.dialog.body, style="Card.TFrame")
        row.pack(fill="x", pady=(self.theme.px(10), 0))
        return row

    def _field(self, row: ttk.Frame, variable: tk.StringVar) -> None:
        entry(row, self.theme, variable, width=8).pack(side="left", padx=(self.theme.px(8), 0))
        watch(row, variable, self._check)

    def _numbers(self) -> tuple[int, int] | None:
        """(frames between two images, most images), or None for what are no numbers above 0."""
        try:
            every, most = float(self.every.get().replace(",", ".")), int(self.most.get())
        except ValueError:
            return None
        step = every * self._facts.rate if self.unit.get() == "seconds" else every
        if not 0 < every < 1e9 or not 1 <= most <= 100_000:
            return None
        return max(1, round(step)), most

    def _check(self) -> None:
        numbers = self._numbers()
        if numbers is None:
            text = "Type two numbers above 0, for example 1 and 500; at most 100,000 images."
            self.count.configure(text=text)
            set_enabled(self._start, self.theme, text)
            return
        step, most = numbers
        count = min(most, max(1, -(-self._facts.frames // step)))
        self.count.configure(text=f"This makes {'about ' if self._facts.frames else 'up to '}{count:,} images.")
        set_enabled(self._start, self.theme, None)

    def _finish(self) -> None:
        numbers = self._numbers()
        if numbers is not None:
            self._done(*numbers)


def show_report(parent: tk.Misc, theme: Theme, title: str, text: str, lines: Sequence[tuple[str, str]]) -> Dialog:
    """lines: (file, reason). All of them can be copied; very many are cut off on the screen."""
    dialog = Dialog(parent, theme, title, width=640)
    dialog.text(text)
    box = theme.text(dialog.body, height=12, width=20)
    box.pack(fill="both", expand=True, pady=(theme.px(10), 0))
    whole = "\n".join(f"{name}: {reason}" for name, reason in lines)
    shown = "\n".join(f"{name}: {reason}" for name, reason in lines[:_MAX_LINES])
    box.insert("1.0", shown + (f"\n… and {len(lines) - _MAX_LINES:,} more" if len(lines) > _MAX_LINES else ""))
    box.configure(state="disabled")

    def copy() -> None:
        parent.clipboard_clear()
        parent.clipboard_append(whole)

    dialog.add_button("Close", None, "Primary", default=True)
    button(dialog.buttons, theme, "Copy the list", copy).pack(side="left")
    dialog.show()
    return dialog


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A class of the files and what is suggested for it: a category's id, or None for a new one called new_name."""

    name: str
    boxes: int
    category: int | None
    new_name: str


def ask_mapping(
    parent: tk.Misc,
    theme: Theme,
    text: str,
    rows: Sequence[ClassRow],
    categories: Mapping[int, str],
    warning: str,
    replace: bool | None,
    done: Callable[[dict[str, int | str | None], bool], object],
) -> Dialog:
    """Which category each class becomes. replace: None does not ask about submitted images. done(mapping, replace)."""
    dialog = Dialog(parent, theme, "Import labels", width=560)
    dialog.text(text)
    if warning:
        note(dialog.body, theme, warning, "WarningNote", wrap_px=520).pack(fill="x", pady=(theme.px(8), 0))
    holder = ttk.Frame(dialog.body, style="Card.TFrame")
    holder.pack(fill="both", expand=True, pady=(theme.px(12), 0))
    canvas = theme.canvas(holder, "Card", height=theme.px(min(9, max(1, len(rows))) * 40))
    bar = ttk.Scrollbar(holder, orient="vertical", style="Card.Vertical.TScrollbar", command=canvas.yview)
    canvas.configure(yscrollcommand=bar.set)
    canvas.pack(side="left", fill="both", expand=True)
    if len(rows) > 9:
        bar.pack(side="right", fill="y")
    table = ttk.Frame(canvas, style="Card.TFrame")
    canvas.create_window(0, 0, window=table, anchor="nw", width=theme.px(540))
    targets: dict[str, tuple[tk.StringVar, dict[str, int | str | None]]] = {}
    for line, row in enumerate(rows):
        options: dict[str, int | str | None] = {f"New category “{row.new_name}”": row.new_name}
        options.update({f"{name}": category for category, name in categories.items()})
        options["— leave out —"] = None
        first = categories.get(row.category, "") if row.category is not None else f"New category “{row.new_name}”"
        chosen = tk.StringVar(dialog.frame, first)
        targets[row.name] = (chosen, options)
        label(table, theme, row.name, wrap_px=200).grid(row=line, column=0, sticky="w", pady=theme.px(4))
        label(table, theme, f"{row.boxes:,} boxes", "Small").grid(row=line, column=1, sticky="e", padx=theme.px(12))
        combo(table, theme, chosen, list(options), width=26).grid(row=line, column=2, sticky="e")
    table.columnconfigure(0, weight=1)
    table.update_idletasks()
    canvas.configure(scrollregion=(0, 0, 0, table.winfo_reqheight()))
    choice = tk.StringVar(dialog.frame, "replace" if replace else "keep")
    if replace is not None:
        for caption, key in (("Keep what is submitted already", "keep"), ("Replace it with the imported labels", "replace")):
            radio(dialog.body, theme, caption, choice, key).pack(anchor="w", pady=(theme.px(8), 0))

    def finish() -> None:
        done({name: options[chosen.get()] for name, (chosen, options) in targets.items()}, choice.get() == "replace")

    dialog.add_button("Import", finish, "Primary", default=True)
    dialog.add_button("Cancel", None, "Ghost")
    dialog.show()
    return dialog
