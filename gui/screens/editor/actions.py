"""What the editor's keys and buttons do to the boxes of the open image, and the list of them for the sheet of keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...core.records import Box
from ...tk.commands import NUMBER_KEYS, NUMBER_SHEET, Command
from . import dialogs

if TYPE_CHECKING:
    from ...core.editing import EditSession
    from .screen import EditorScreen

NOTHING_SELECTED = "Select a box first: press V and click it, or press Ctrl+A for all."
_ARROWS = {"Left": (-1, 0), "Right": (1, 0), "Up": (0, -1), "Down": (0, 1)}


class Actions:
    """Acts on screen.session and has the screen show the result."""

    def __init__(self, screen: EditorScreen) -> None:
        self.screen = screen

    @property
    def session(self) -> EditSession:
        assert self.screen.session is not None  # every command asks editing_reason first
        return self.screen.session

    # --- boxes

    def _done(self, changed: object) -> None:
        if changed:
            self.screen.boxes_changed()
        else:
            self.screen.display.boxes()

    def undo(self) -> None:
        if self.screen.categories.deed_is_last:
            self.screen.categories.undo()
        else:
            self._done(self._again(self.session.undo()))

    def redo(self) -> None:
        self._done(self._again(self.session.redo()))

    def _again(self, label: str | None) -> str | None:
        self.screen.suggestions.undone()
        return label

    def delete(self) -> None:
        """The selected boxes; with none, the marked suggestion."""
        if self.screen.suggestions.has_keys:
            self.screen.suggestions.reject()
        else:
            self._done(self.session.delete())

    def copy(self) -> None:
        count = self.screen.visit.copy(self.session)
        self.screen.say(f"{count} copied. Ctrl+V puts them on this or another image." if count else NOTHING_SELECTED)

    def cut(self) -> None:
        if self.screen.visit.copy(self.session):
            self.delete()

    def paste(self) -> None:
        if not self.session.paste(self.screen.visit.clipboard):
            self.screen.say("None of the copied boxes fits on this image.")
        self._done(True)

    def repeat(self) -> None:
        """The boxes of the image that was open before this one, else of the one before it in the list."""
        self.screen.browser.with_previous_boxes(self._repeat)

    def _repeat(self, boxes: Sequence[Box]) -> None:
        if self.screen.session is None:
            return
        made = self.session.repeat(boxes)
        if not made:
            self.screen.say("The image before has no other boxes than this one.")
        self._done(made)

    def select_all(self) -> None:
        self.session.select_all()
        self.screen.display.boxes()

    def next_box(self, step: int) -> None:
        """While there are suggestions, the next of them."""
        if self.screen.suggestions.has_keys:
            self.screen.suggestions.next(step)
            return
        box = self.session.select_next(step)
        self.screen.display.boxes()
        if box is not None and not self.screen.stage.canvas.view.fit:
            self.screen.look_at(box.key)

    def look_closely(self) -> None:
        self.screen.stage.canvas.zoom_to(self.session.selection)

    def escape(self) -> None:
        if self.screen.stage.canvas.pointer.abandon() or self.screen.session is None:
            return
        if not self.screen.suggestions.reject_all():
            self.session.select([])
            self.screen.display.boxes()

    def arrow(self, name: str, pixels: int, resize: bool) -> None:
        dx, dy = (value * pixels for value in _ARROWS[name])
        self._done(self.session.grow(dx, dy) if resize else self.session.nudge(dx, dy))

    def plain_arrow(self, name: str) -> None:
        """Moves the selection; with none, left and right change the image."""
        if self.screen.session is not None and self.session.selection:
            if self.screen.editing_reason() is None:
                self.arrow(name, 1, False)
        elif name in ("Left", "Right"):
            self.screen.browser.step(1 if name == "Right" else -1)

    def digit(self, number: int) -> None:
        """Makes a category active; what is selected becomes of it."""
        category = self.screen.visit.category_at(number)
        if category is None:
            self.screen.say(f"There is no category {number}. Add one with the + beside Categories.")
            return
        self.screen.categories.activate(category.id)

    def set_category(self, category_id: int) -> None:
        if self.screen.editing_reason() is None and self.session.set_category(category_id):
            self.screen.boxes_changed()

    def lock(self) -> None:
        session = self.session
        chosen = session.selection
        session.locked = session.locked - chosen if chosen <= session.locked else session.locked | chosen
        self.screen.display.boxes()

    def hide_box(self, key: int, hidden: bool) -> None:
        self.session.hidden = self.session.hidden | {key} if hidden else self.session.hidden - {key}
        self.screen.display.boxes()

    def lock_box(self, key: int, locked: bool) -> None:
        self.session.locked = self.session.locked | {key} if locked else self.session.locked - {key}
        self.screen.display.boxes()

    def show_all(self) -> None:
        self.screen.show_all_boxes(None)

    def rename_active(self) -> None:
        self.screen.left.categories.rename(self.screen.visit.active_category)

    # --- reasons

    def with_selection(self) -> str | None:
        reason = self.screen.editing_reason()
        return reason or (None if self.session.selection else NOTHING_SELECTED)

    def can_delete(self) -> str | None:
        return None if self.screen.suggestions.has_keys else self.with_selection()

    def can_undo(self) -> str | None:
        if self.screen.categories.deed_is_last:
            return None
        reason = self.screen.editing_reason()
        return reason or (None if self.session.undo_label else "There is nothing to undo on this image.")

    def can_redo(self) -> str | None:
        reason = self.screen.editing_reason()
        return reason or (None if self.session.redo_label else "There is nothing to do again on this image.")

    def can_paste(self) -> str | None:
        reason = self.screen.editing_reason()
        return reason or (None if self.screen.visit.clipboard else "Nothing was copied yet: select boxes and press Ctrl+C.")

    # --- the list

    def commands(self) -> list[Command]:
        return [*self._file_commands(), *self._box_commands(), *self._arrow_commands(), *self._view_commands()]

    def _file_commands(self) -> list[Command]:
        screen, group = self.screen, "Files"
        return [
            Command("editor.submit", "Submit and go on", screen.submit, ("Space",), screen.editing_reason, group),
            Command("editor.reset", "Reset to the last submission", screen.reset, ("Q",), screen.reset_reason, group),
            Command("editor.next_todo", "Next to do", lambda: screen.browser.to_do(1), ("N",), group=group),
            Command("editor.previous_todo", "Previous to do", lambda: screen.browser.to_do(-1), ("Shift+N",), group=group),
            Command("editor.next", "Next image", lambda: screen.browser.step(1), ("PageDown",), group=group),
            Command("editor.previous", "Previous image", lambda: screen.browser.step(-1), ("PageUp",), group=group),
            Command("editor.jump", "Go to image number…", screen.browser.ask_number, ("Ctrl+G",), group=group),
            Command("editor.find", "Filter by name", screen.left.search_field.focus_set, ("Ctrl+F",), group=group),
            Command("editor.close", "Close the editor", screen.close, ("Ctrl+W",), group=group),
        ]

    def _box_commands(self) -> list[Command]:
        screen, group = self.screen, "Boxes"
        edits = screen.editing_reason
        return [
            Command("editor.draw", "Draw", lambda: screen.display.set_mode("draw"), ("B",), group=group),
            Command("editor.select", "Select, move, resize", lambda: screen.display.set_mode("select"), ("V",), group=group),
            Command("editor.undo", "Undo", self.undo, ("Ctrl+Z",), self.can_undo, group),
            Command("editor.redo", "Redo", self.redo, ("Ctrl+Shift+Z", "Ctrl+Y"), self.can_redo, group),
            Command("editor.repeat", "Boxes of the image before", self.repeat, ("R",), edits, group),
            Command("editor.copy", "Copy", self.copy, ("Ctrl+C",), self.with_selection, group),
            Command("editor.cut", "Cut", self.cut, ("Ctrl+X",), self.with_selection, group),
            Command("editor.paste", "Paste", self.paste, ("Ctrl+V",), self.can_paste, group),
            Command("editor.all", "Select all", self.select_all, ("Ctrl+A",), edits, group),
            Command("editor.next_box", "Next box or suggestion", lambda: self.next_box(1), (".",), edits, group),
            Command("editor.previous_box", "Previous box or suggestion", lambda: self.next_box(-1), (",",), edits, group),
            Command("editor.lock", "Lock or unlock", self.lock, ("L",), self.with_selection, group),
            Command(
                "editor.delete", "Delete, or reject a suggestion", self.delete, ("Delete", "Backspace"), self.can_delete, group
            ),
            Command("editor.escape", "Deselect, give up a drag, reject all suggestions", self.escape, ("Esc",), group=group),
            *self._digit_commands(),
            Command(
                "editor.add_category",
                "Add a category",
                screen.left.categories.open_new,
                ("Shift+C",),
                screen.read_only_reason,
                "Categories",
            ),
            Command("editor.find_category", "Find a category", screen.left.categories.find, ("/",), group="Categories"),
            Command("editor.crops", "All boxes of the active category", self.show_all, ("Shift+A",), group="Categories"),
            Command(
                "editor.rename", "Rename the active category", self.rename_active, ("F2",), screen.read_only_reason, "Categories"
            ),
        ]

    def _arrow_commands(self) -> list[Command]:
        """Sixteen keys, four lines of the sheet."""
        group, made = "Selected boxes", []
        for number, name in enumerate(_ARROWS):
            kinds: tuple[tuple[str, str, Callable[[], object], Callable[[], str | None]], ...] = (
                ("Move 1 px; with none, next or previous image", "", lambda n=name: self.plain_arrow(n), lambda: None),  # type: ignore[misc]
                ("Move 10 px", "Shift+", self._by(name, 10, False), self.with_selection),
                ("Resize 1 px", "Ctrl+", self._by(name, 1, True), self.with_selection),
                ("Resize 10 px", "Ctrl+Shift+", self._by(name, 10, True), self.with_selection),
            )
            for label, modifier, run, enabled in kinds:
                sheet = () if number else (f"{modifier}Arrows",)
                made.append(Command(f"editor.{modifier}{name}", label, run, (modifier + name,), enabled, group, sheet))
        return made

    def _by(self, name: str, pixels: int, resize: bool) -> Callable[[], object]:
        return lambda: self.arrow(name, pixels, resize)

    def _digit_commands(self) -> list[Command]:
        group = "Categories"
        return [
            Command(
                *(f"editor.digit{number}", "Category for new and selected boxes", self._digit(number), (key,)),
                group=group,
                sheet=() if number > 1 else NUMBER_SHEET,
            )
            for number, key in NUMBER_KEYS.items()
        ]

    def _digit(self, number: int) -> Callable[[], object]:
        return lambda: self.digit(number)

    def _view_commands(self) -> list[Command]:
        screen, group = self.screen, "View"
        canvas = screen.stage.canvas
        return [
            Command("editor.zoom_in", "Zoom in (also the wheel)", lambda: canvas.zoom(1), ("+", "="), group=group),
            Command("editor.zoom_out", "Zoom out", lambda: canvas.zoom(-1), ("-",), group=group),
            Command("editor.fit", "Fit the image", canvas.zoom_fit, ("F",), group=group),
            Command("editor.actual", "100 %", canvas.zoom_actual, ("A",), group=group),
            Command("editor.closely", "Zoom to the selected boxes", self.look_closely, ("Z",), self.with_selection, group),
            Command(
                "editor.hand",
                "Pan while held (also the right button)",
                lambda: canvas.pointer.hold_hand(True),
                ("H",),
                group=group,
            ),
            Command("editor.hide", "Hide or show the boxes", screen.display.toggle_boxes, ("M",), group=group),
            Command("editor.cross", "Cross-hair", screen.display.toggle_cross, ("C",), group=group),
            Command("editor.light", "Brightness and contrast", screen.display.toggle_light, ("Shift+B",), group=group),
            Command("editor.tips", "Tips for drawing", lambda: dialogs.show_tips(screen), ("I",), group=group),
            Command("editor.more", "More", lambda: dialogs.more_menu(screen, screen.go_on, screen.set_go_on), (), group=group),
        ]
