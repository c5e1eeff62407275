"""What can be taken out of the Training step: the log, a sample picture."""

from __future__ import annotations

from collections.abc import Mapping

from ...core import review
from ...core.records import Run, SampleShot
from ...core.sample_picture import save_sample
from ...widgets.dialogs import Dialog, ask_save
from ..base import Screen


def show_log(screen: Screen, run: Run) -> Dialog:
    """The training program's own log, to be read and copied."""
    text = review.log_text(run)
    dialog = Dialog(screen, screen.theme, "Log of the training", width=760)
    box = screen.theme.text(dialog.body, mono=True, height=22, width=100)
    box.insert("1.0", text)
    box.see("end")
    box.configure(state="disabled")
    box.pack(fill="both", expand=True)

    def copy() -> None:
        screen.clipboard_clear()
        screen.clipboard_append(text)
        screen.toast("The log was copied.")

    dialog.add_button("Copy", copy, "Primary")
    dialog.add_button("Close", None, "Ghost", default=True)
    dialog.show()
    return dialog


def ask_sample(screen: Screen, shot: SampleShot, colours: Mapping[int, str]) -> None:
    """Asks for a file and writes the picture with the boxes of its step."""
    target = ask_save(screen, "Save the sample picture", f"sample-step-{shot.step}.png", ".png")
    if target is not None:
        screen.background(
            lambda _progress: save_sample(shot, target, colours), lambda _done: screen.toast(f"Saved {target.name}.")
        )
