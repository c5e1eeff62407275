"""Exporting the selected checkpoint, with progress, and what the comparison with OpenCV said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from darknet_bridge.export import ExportResult, get_exporter

from ...core import review
from ...core.errors import UserError
from ...widgets.dialogs import Dialog, ProgressDialog, ask_folder, ask_save

if TYPE_CHECKING:
    from .screen import ReviewScreen

_FORMAT = "darknet"


class Exporting:
    """Of one screen."""

    def __init__(self, screen: ReviewScreen) -> None:
        self._screen = screen

    def folder(self) -> None:
        name = self._name()
        chosen = ask_folder(self._screen, "Where to put the model's folder") if name else None
        if chosen is not None:
            self.write(_free(chosen / name))

    def zip(self) -> None:
        name = self._name()
        chosen = ask_save(self._screen, "Export the model", f"{name}.zip", ".zip") if name else None
        if chosen is not None:
            self.write(chosen)

    def write(self, target: Path) -> None:
        """A folder, or a zip by its name."""
        screen = self._screen
        found = screen.report
        if found is None:
            return
        dialog = ProgressDialog(screen, screen.theme, "Exporting the model", lambda: task.cancel())

        def done(result: ExportResult) -> None:
            dialog.close()
            self._say(result)

        def failed(error: BaseException) -> None:
            dialog.close()
            screen.context.failed(error)

        task = screen.background(
            lambda progress: get_exporter(_FORMAT).write(review.export_source(found), target, progress),
            done,
            failed,
            dialog.update,
        )

    def _say(self, result: ExportResult) -> None:
        dialog = Dialog(self._screen, self._screen.theme, "The model was exported", icon="check-circle-fill", colour="positive")
        dialog.text(str(result.path))
        dialog.text(", ".join(result.files))
        if result.parity:
            dialog.text(result.parity)
        dialog.add_button("Close", None, "Primary", default=True)
        dialog.show()

    def _name(self) -> str:
        """Made of the experiment's name; "" without a model."""
        found = self._screen.report
        if found is None or found.selected is None:
            return ""
        safe = "".join(c if c.isalnum() or c in "-_ " else "-" for c in found.experiment.name).strip(" -.") or "model"
        return f"{safe[:60]}-step-{found.selected.step}"


def _free(path: Path) -> Path:
    if not path.exists():
        return path
    found = next((other for n in range(2, 1000) if not (other := path.with_name(f"{path.name}-{n}")).exists()), None)
    if found is None:
        raise UserError(f"{path} and its numbered copies are all there. Choose another folder.")
    return found
