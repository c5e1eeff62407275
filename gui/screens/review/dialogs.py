"""The questions of the Review step: how many more steps, which checkpoint, which notes, which other training."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from darknet_bridge.errors import DarknetError
from darknet_bridge.formats import read_cfg
from darknet_bridge.training import RunDir

from ...core import review
from ...core.continue_run import continued_schedule
from ...core.errors import UserError
from ...core.records import Run
from ...core.setup import default_steps, parse_steps
from ...tk.lifetime import watch
from ...widgets.chart_view import ChartView, Curve
from ...widgets.controls import combo, entry, label, radio, set_enabled
from ...widgets.dialogs import Dialog
from ...widgets.scrolled import ScrolledFrame

if TYPE_CHECKING:
    from .screen import ReviewScreen


def continue_dialog(screen: ReviewScreen, run: Run, done: Callable[[int], object]) -> Dialog:
    """Asks how many more steps, and says what the learning rate will do."""
    theme = screen.theme
    dialog = Dialog(screen, theme, "Continue Training", width=460)
    dialog.text(f"Training {run.number} ended at step {run.done_steps:,}. How many more steps?")
    value = tk.StringVar(dialog.frame, f"{default_steps(len(run.classes)):,}")
    field = entry(dialog.body, theme, value)
    field.pack(fill="x", pady=(theme.px(8), 0))
    said = label(dialog.body, theme, "", "Small", wrap_px=dialog.width)
    said.pack(anchor="w", pady=(theme.px(8), 0))
    start = dialog.add_button("Continue", lambda: done(parse_steps(value.get())), "Primary", default=True)
    dialog.add_button("Cancel", None, "Ghost")

    def check(*_args: object) -> None:
        problem: str | None = None
        try:
            total = run.done_steps + parse_steps(value.get())
            text = continued_schedule(read_cfg(RunDir(run.folder).cfg), run.done_steps, total).text
            said.configure(text=f"The curve goes on to step {total:,}. {text}")
        except (UserError, DarknetError) as error:
            problem = str(error)
            said.configure(text=problem)
        set_enabled(start, theme, problem)

    watch(dialog.frame, value, check)
    check()
    dialog.show(field)
    return dialog


def choose_checkpoint(screen: ReviewScreen, found: review.Report, done: Callable[[int | None], object]) -> Dialog:
    """The best by mAP is marked; it is what is used unless another one is chosen."""
    theme = screen.theme
    dialog = Dialog(screen, theme, "Select a checkpoint", width=460)
    dialog.text("The best one by mAP is selected unless you choose another. Tests and exports use the selected one.")
    current = tk.StringVar(dialog.frame, str(found.selected.step) if found.selected else "")
    place = ScrolledFrame(dialog.body, theme)
    place.configure(height=theme.px(260))
    place.pack(fill="both", expand=True, pady=(theme.px(8), 0))
    for file in reversed(found.checkpoints):
        line = radio(place.body, theme, review.checkpoint_line(found, file), current, str(file.step))
        line.pack(anchor="w", pady=theme.px(3))
    dialog.add_button("Select", lambda: done(int(current.get())), "Primary", default=True)
    dialog.add_button("Use the best", lambda: done(None), "Secondary")
    dialog.add_button("Cancel", None, "Ghost")
    dialog.show()
    return dialog


def edit_notes(screen: ReviewScreen, run: Run, done: Callable[[str, list[str]], object]) -> Dialog:
    theme = screen.theme
    dialog = Dialog(screen, theme, "Notes and tags", width=520)
    text = theme.text(dialog.body, height=8, width=60)
    text.insert("1.0", run.notes)
    text.pack(fill="x")
    label(dialog.body, theme, "Tags, separated by commas", "Muted").pack(anchor="w", pady=(theme.px(10), theme.px(4)))
    tags = tk.StringVar(dialog.frame, ", ".join(run.tags))
    entry(dialog.body, theme, tags).pack(fill="x")
    content = [run.notes]
    text.bind("<KeyRelease>", lambda _event: content.__setitem__(0, text.get("1.0", "end")))
    dialog.add_button("Save", lambda: done(content[0], tags.get().split(",")), "Primary")
    dialog.add_button("Cancel", None, "Ghost")
    dialog.show(text)
    return dialog


def compare_runs(screen: ReviewScreen, own: review.Report, others: Sequence[tuple[str, review.Report]]) -> Dialog:
    """Curves of both over each other, and one sentence on what was different."""
    theme = screen.theme
    dialog = Dialog(screen, theme, "Compare two trainings", width=820)
    names = [f"Training {other.run.number}" for _text, other in others]
    value = tk.StringVar(dialog.frame, names[-1])
    field = combo(dialog.body, theme, value, names)
    field.pack(anchor="w")
    sentence = label(dialog.body, theme, "", wrap_px=800)
    sentence.pack(anchor="w", pady=theme.px(8))
    chart = ChartView(dialog.body, theme, screen.context.tasks, height=260)
    chart.pack(fill="both", expand=True)
    figures = label(dialog.body, theme, "", "Muted", wrap_px=800)
    figures.pack(anchor="w", pady=(theme.px(8), 0))

    def show(_event: object = None) -> None:
        text, other = others[names.index(value.get())]
        sentence.configure(text=text)
        curves = [curve for index, each in enumerate((own, other)) for curve in _curves(each, bool(index))]
        chart.set_curves(curves, 0, max(own.run.total_steps, other.run.total_steps))
        lines = [(f"Training {each.run.number}", each.run.best_map) for each in (own, other)]
        figures.configure(
            text=", ".join(f"{name}: {'no mAP' if best is None else f'best mAP {100 * best:.1f} %'}" for name, best in lines)
        )

    field.bind("<<ComboboxSelected>>", show)
    show()
    dialog.add_button("Close", None, "Primary", default=True)
    dialog.show()
    return dialog


def _curves(found: review.Report, dashed: bool) -> list[Curve]:
    name = f"({found.run.number})"
    scores = found.evaluations
    return [
        Curve(f"loss {name}", [m.step for m in found.metrics], [m.avg_loss for m in found.metrics], "chart_loss", dashed=dashed),
        Curve(
            f"mAP {name}", [e.step for e in scores], [100 * e.map for e in scores], "chart_map", "map", dashed=dashed, dots=True
        ),
    ]
