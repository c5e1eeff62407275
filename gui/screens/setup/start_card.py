"""What the training begins with: a pretrained file, an earlier training found by searching, or nothing."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from pathlib import Path
from tkinter import ttk

from ...core.setup import SCRATCH_WARNING, Setup, Start
from ...tk.lifetime import watch
from ...tk.theme import Theme
from ...widgets.controls import SearchField, button, card, label, note, radio, set_enabled
from ...widgets.dialogs import Dialog
from ...widgets.file_list import FileEntry, FileList, Mark
from .reading import StartRun, found_runs

NO_RUNS = "No training has ended yet. The first one starts from a file or from scratch."
_MARKS = {
    "finished": Mark("check-circle-fill", "positive"),
    "stopped": Mark("stop-fill", "muted"),
    "paused": Mark("pause-fill", "warning"),
}
_SHOWN_NAME = 40


class StartCard(ttk.Frame):
    """chosen(): a kind of start was pressed; choose_file, choose_run: the buttons."""

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        variable: tk.StringVar,
        chosen: Callable[[], object],
        choose_file: Callable[[], object],
        choose_run: Callable[[], object],
    ) -> None:
        super().__init__(parent)
        self.theme = theme
        px = theme.px
        outer, inner = card(self, theme)
        outer.pack(fill="x")
        label(inner, theme, "START FROM", "Tiny").pack(anchor="w", pady=(0, px(8)))
        row = ttk.Frame(inner, style="Card.TFrame")
        row.pack(fill="x")
        radio(row, theme, "Pretrained weights", variable, Start.PRETRAINED.value, chosen).pack(side="left")
        button(row, theme, "Choose file…", choose_file, icon="folder2-open").pack(side="right")
        self.file_label = label(row, theme, "", "Small")
        self.file_label.pack(side="right", padx=px(10))
        row = ttk.Frame(inner, style="Card.TFrame")
        row.pack(fill="x", pady=px(6))
        self.run_radio = radio(row, theme, "A previous training", variable, Start.RUN.value, chosen)
        self.run_radio.pack(side="left")
        self.run_button = button(row, theme, "Choose training…", choose_run, icon="list-ul")
        self.run_button.pack(side="right")
        self.run_label = label(row, theme, "", "Small")
        self.run_label.pack(side="right", padx=px(10))
        radio(inner, theme, "Scratch", variable, Start.SCRATCH.value, chosen).pack(anchor="w")
        self.kept_note = label(inner, theme, "", "Small", wrap_px=600)
        self.scratch_note = note(inner, theme, SCRATCH_WARNING, "WarningNote", 580)

    def show(self, setup: Setup, runs: Sequence[StartRun], kept: str) -> None:
        """kept: what is taken over from the chosen training."""
        name = Path(setup.start_file).name if setup.start_file else "no file chosen"
        self.file_label.configure(text=_short(name))
        chosen = next((each for each in runs if each.run.id == setup.start_run), None)
        if not runs:
            self.run_label.configure(text=NO_RUNS.partition(". ")[0] + ".")  # the rest is in the button's tip
        else:
            self.run_label.configure(text="no training chosen" if chosen is None else _short(chosen.name, 60))
        self.run_radio.state(["!disabled"] if runs else ["disabled"])
        set_enabled(self.run_button, self.theme, None if runs else NO_RUNS)
        self.kept_note.configure(text=kept)
        for widget, shown in ((self.kept_note, bool(kept)), (self.scratch_note, setup.start is Start.SCRATCH)):
            if shown:
                widget.pack(fill="x", pady=(self.theme.px(8), 0))
            else:
                widget.pack_forget()


def _short(name: str, most: int = _SHOWN_NAME) -> str:
    return name if len(name) < most else name[: most - 3] + "…"


def choose_start_run(
    parent: tk.Misc, theme: Theme, runs: Sequence[StartRun], current: int | None, done: Callable[[int], object]
) -> Dialog:
    """The earlier trainings with mAP and categories, found while typing. Enter or the button takes the marked one."""
    dialog = Dialog(parent, theme, "Start from a previous training", width=720)
    dialog.text("Its network is the start; of its categories those that you still have are kept.")
    search = tk.StringVar(dialog.frame)
    field = SearchField(dialog.body, theme, search, "Experiment, model, category or tag")
    field.pack(fill="x", pady=(theme.px(10), theme.px(8)))
    chosen = [current]

    def take(run_id: int) -> None:
        chosen[0] = run_id
        shown.select(run_id)
        set_enabled(use, theme, None)

    def answer() -> None:
        if chosen[0] is not None:
            done(chosen[0])

    shown = FileList(dialog.body, theme, _MARKS, take, "No training matches.")
    shown.canvas.configure(height=theme.px(280))
    shown.pack(fill="both", expand=True)
    use = dialog.add_button("Start from this one", answer, "Primary", default=True)
    dialog.add_button("Cancel", None, "Ghost")

    def filter_(*_args: object) -> None:
        found = found_runs(runs, search.get())
        shown.set_entries([FileEntry(each.run.id, each.name, each.run.state.value, each.detail) for each in found])
        if shown.selected is None:
            chosen[0] = None
        set_enabled(use, theme, "Mark a training in the list." if chosen[0] is None else None)

    shown.select(current)
    watch(dialog.frame, search, filter_)
    filter_()
    if current is not None and chosen[0] is not None:
        take(current)
    dialog.show(field.field)
    return dialog
