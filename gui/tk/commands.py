"""Commands: what can be done, with its keys and whether it can be done now. Menus, buttons and the F1 sheet are made from them.

Keys are written as they are shown: "Ctrl+Z", "Shift+Left", "Space", "Q", "F1", "Delete", "+". A single letter means the key,
with or without Caps Lock; with Shift it is written "Shift+Q". A key that types into a text field stays with the field.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

_STATE_SHIFT, _STATE_CONTROL, _STATE_ALT = 0x1, 0x4, 0x8
_NAMES = {
    "space": "Space",
    "prior": "PageUp",
    "next": "PageDown",
    "escape": "Esc",
    "return": "Enter",
    "kp_enter": "Enter",
    "backspace": "Backspace",
    "delete": "Delete",
    "kp_delete": "Delete",
    "plus": "+",
    "kp_add": "+",
    "minus": "-",
    "kp_subtract": "-",
    "equal": "=",
    "comma": ",",
    "period": ".",
    "slash": "/",
    "question": "?",
    "bracketleft": "[",
    "bracketright": "]",
    "iso_left_tab": "Tab",
}
_TEXT_CLASSES = {"Entry", "TEntry", "Text", "TCombobox", "TSpinbox", "Spinbox"}
_PRESSED_BY_SPACE = {"TButton", "TCheckbutton", "TRadiobutton", "TMenubutton", "Button", "Checkbutton"}
_PUNCTUATION = set("+-=,./?[]")


def _always() -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Command:
    """enabled gives None when it can be run now, else the sentence that says why not. keys may be empty.

    sheet: what the sheet of keys shows instead of keys, for one of a family ("1 – 9"); () keeps the command off it.
    """

    id: str
    label: str
    run: Callable[[], object]
    keys: tuple[str, ...] = ()
    enabled: Callable[[], str | None] = _always
    group: str = "General"
    sheet: tuple[str, ...] | None = None

    @property
    def keys_shown(self) -> tuple[str, ...]:
        """On the sheet of keys."""
        return self.keys if self.sheet is None else self.sheet


@dataclass
class _Owned:
    owner: tk.Misc
    commands: dict[str, Command] = field(default_factory=dict)

    def reachable(self) -> bool:
        try:
            return bool(self.owner.winfo_exists() and self.owner.winfo_viewable())
        except tk.TclError:
            return False


class Commands:
    """The commands of what is on the screen. The newest registered wins where two want one key."""

    def __init__(self, root: tk.Misc, refused: Callable[[str], object] | None = None) -> None:
        """refused is told why a command could not be run by its key."""
        self._root = root
        self._refused = refused
        self._owned: list[_Owned] = []
        root.bind_all("<KeyPress>", self._pressed, add="+")

    def close(self) -> None:
        """Keys do nothing any more."""
        self._owned.clear()

    def register(self, owner: tk.Misc, commands: Iterable[Command]) -> None:
        """They can be run while `owner` is shown, and are forgotten with it. A second call for one owner adds."""
        entry = next((entry for entry in self._owned if entry.owner is owner), None)
        if entry is None:
            entry = _Owned(owner)
            self._owned.append(entry)
            owner.bind("<Destroy>", lambda event: self._forget(owner) if event.widget is owner else None, add="+")
        entry.commands.update({command.id: command for command in commands})

    def active(self) -> list[Command]:
        """What can be reached now, for the sheet of keys: without what has lost all its keys to something newer."""
        found: list[list[Command]] = []
        taken: set[str] = set()
        for entry in reversed(self._owned):
            if entry.reachable():
                own = [each for each in entry.commands.values() if not each.keys or not taken.issuperset(each.keys)]
                taken.update(key for each in own for key in each.keys)
                found.insert(0, own)
        return [command for some in found for command in some]

    def find(self, command_id: str) -> Command | None:
        for entry in reversed(self._owned):
            if command_id in entry.commands:
                return entry.commands[command_id]
        return None

    def run(self, command_id: str) -> bool:
        """Whether it was run; the reason why not goes to `refused`."""
        command = self.find(command_id)
        return command is not None and self._run(command)

    def _run(self, command: Command) -> bool:
        reason = command.enabled()
        if reason is None:
            command.run()
        elif reason and self._refused is not None:
            self._refused(reason)
        return reason is None

    def _forget(self, owner: tk.Misc) -> None:
        self._owned = [entry for entry in self._owned if entry.owner is not owner]

    def _pressed(self, event: tk.Event[tk.Misc]) -> str | None:
        key = key_of(event.keysym, int(event.state))
        widget = event.widget
        if not isinstance(widget, tk.Misc) or _belongs_to(widget, key):
            return None
        window, grab = widget.winfo_toplevel(), str(self._root.tk.call("grab", "current", "."))
        for entry in reversed(self._owned):
            if not entry.reachable() or entry.owner.winfo_toplevel() is not window:
                continue
            if grab and not str(entry.owner).startswith(grab):
                continue  # a dialog is open: keys are its own
            for command in entry.commands.values():
                if key in command.keys:
                    self._run(command)
                    return "break"
        return None


def key_of(keysym: str, state: int) -> str:
    """The name of a pressed key with its modifiers, as commands write it."""
    name = _NAMES.get(keysym.lower(), keysym)
    if name.lower().startswith("kp_") and name[3:].isdigit():
        name = name[3:]
    shift = bool(state & _STATE_SHIFT)
    if len(name) == 1 and name.isalpha():
        name = name.upper()
    elif name in _PUNCTUATION:
        shift = False  # typed with Shift on some keyboards, without on others
    parts = [word for word, on in (("Ctrl", state & _STATE_CONTROL), ("Alt", state & _STATE_ALT), ("Shift", shift)) if on]
    return "+".join([*parts, name])


def _belongs_to(widget: tk.Misc, key: str) -> bool:
    """Whether the focused widget itself wants the key."""
    kind = widget.winfo_class()
    if kind in _TEXT_CLASSES:
        if kind == "Text" and str(widget.cget("state")) == "disabled":
            return False
        plain = not key.startswith(("Ctrl+", "Alt+"))
        editing = key in {"Ctrl+A", "Ctrl+C", "Ctrl+V", "Ctrl+X", "Ctrl+Z", "Ctrl+Y", "Ctrl+Left", "Ctrl+Right"}
        function = key[:1] == "F" and key[1:].isdigit()
        return (plain and not function and key != "Esc") or editing
    return kind in _PRESSED_BY_SPACE and key == "Space"
