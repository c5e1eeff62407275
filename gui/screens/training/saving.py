"""What can be taken out of the Training step: the log, a sample picture, a film of the samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...core import review
from ...core.records import Run, SampleShot
from ...core.sample_film import film_shots, save_film
from ...core.sample_picture import save_sample
from ...widgets.dialogs import Dialog, ProgressDialog, ask_save
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


def ask_film(screen: Screen, found: review.Report, shot: SampleShot, colours: Mapping[int, str]) -> None:
    """Asks for a file, .gif or .mp4, and writes the example through all steps."""
    target = ask_save(screen, "Save as film: a name that ends in .gif or .mp4", "training.gif", ".gif")
    if target is not None:
        write_film(screen, found, shot, colours, target)


def write_film(screen: Screen, found: review.Report, shot: SampleShot, colours: Mapping[int, str], target: Path) -> None:
    """With progress and Cancel, which leaves no file behind."""
    dialog = ProgressDialog(screen, screen.theme, "Saving the film", lambda: task.cancel())
    workspace, name = screen.workspace, shot.image.name

    def done(_done: object) -> None:
        dialog.close()
        screen.toast(f"Saved {target.name}.", "success")

    def failed(error: BaseException) -> None:
        dialog.close()
        screen.context.failed(error)

    task = screen.background(
        lambda progress: save_film(film_shots(workspace, found, name, progress), target, colours, progress),
        done,
        failed,
        dialog.update,
    )
