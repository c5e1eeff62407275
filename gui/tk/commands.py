"""Commands: what can be done, with its keys and whether it can be done now. Menus, buttons and the F1 sheet are made from them.

Keys are written as they are shown: "Ctrl+Z", "Shift+Left", "Space", "Q", "F1", "Delete", "+". A single letter means the key,
with or without Caps Lock; with Shift it is written "Shift+Q". A key that types into a text field stays with the field.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .lifetime import at_end, bind_elsewhere

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
_MODIFIERS = {"shift_l", "shift_r", "control_l", "control_r", "alt_l", "alt_r", "meta_l", "meta_r", "super_l", "super_r"}
_MODIFIERS |= {"caps_lock", "num_lock", "iso_level3_shift", "mode_switch"}
# The keys of numbered things: 1 to 9, then Ctrl adds ten, Alt twenty, both thirty.
NUMBER_KEYS: Mapping[int, str] = {
    tens + digit: f"{modifier}{digit}"
    for tens, modifier in ((0, ""), (10, "Ctrl+"), (20, "Alt+"), (30, "Ctrl+Alt+"))
    for digit in range(10)
    if tens + digit
}
NUMBER_SHEET = ("1 – 9", "Ctrl+0 – 9")


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
    def can_have_other_keys(self) -> bool:
        """Those of a family belong together."""
        return self.sheet is None

    @property
    def keys_shown(self) -> tuple[str, ...]:
        """On the sheet of keys."""
        return self.keys if self.sheet is None else self.sheet


@dataclass
class _Owned:
    """made: as they were registered; commands: with the keys that the user chose."""

    owner: tk.Misc
    made: dict[str, Command] = field(default_factory=dict)
    commands: dict[str, Command] = field(default_factory=dict)

    def take_keys(self, own: Mapping[str, Sequence[str]]) -> None:
        self.commands = {
            name: replace(each, keys=tuple(own[name])) if name in own and each.can_have_other_keys else each
            for name, each in self.made.items()
        }

    def reachable(self) -> bool:
        try:
            return bool(self.owner.winfo_exists() and self.owner.winfo_viewable())
        except tk.TclError:
            return False


def _having(entry: _Owned, key: str, but: str) -> list[Command]:
    return [each for each in entry.commands.values() if key in each.keys and each.id != but]


class Commands:
    """The commands of what is on the screen. The newest registered wins where two want one key."""

    def __init__(self, window: tk.Misc, refused: Callable[[str], object] | None = None) -> None:
        """window: keys are listened to as long as it is there. refused is told why a command could not be run by its key."""
        self._window = window
        self._refused = refused
        self._owned: list[_Owned] = []
        self._own_keys: dict[str, tuple[str, ...]] = {}
        self._followers: list[tuple[tk.Misc, Callable[[], object]]] = []
        bind_elsewhere(window, "all", "<KeyPress>", self._pressed)

    def register(self, owner: tk.Misc, commands: Iterable[Command]) -> None:
        """They can be run while `owner` is shown, and are forgotten with it. A second call for one owner adds."""
        entry = next((entry for entry in self._owned if entry.owner is owner), None)
        if entry is None:
            entry = _Owned(owner)
            self._owned.append(entry)
            at_end(owner, lambda: self._forget(owner))
        entry.made.update({command.id: command for command in commands})
        entry.take_keys(self._own_keys)

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

    # ---- the user's own keys

    @property
    def own_keys(self) -> Mapping[str, tuple[str, ...]]:
        """What differs from the defaults: command id -> its keys."""
        return dict(self._own_keys)

    def set_own_keys(self, own: Mapping[str, Sequence[str]]) -> None:
        """All of them at once; {} goes back to the defaults. Whoever follows is told."""
        self._own_keys = {command_id: tuple(keys) for command_id, keys in own.items()}
        for entry in self._owned:
            entry.take_keys(self._own_keys)
        for _widget, told in list(self._followers):
            told()

    def give_key(self, command_id: str, key: str) -> None:
        """The command's only key from now on; one of its neighbours that had it loses it."""
        own = dict(self._own_keys)
        for other in self.holders(command_id, key):
            own[other.id] = tuple(each for each in other.keys if each != key)
        own[command_id] = (key,)
        self.set_own_keys(own)

    def default_key(self, command_id: str) -> None:
        """Its own keys again, which nothing else keeps."""
        made = self._entry_of(command_id).made[command_id]
        own = {name: keys for name, keys in self._own_keys.items() if name != command_id}
        for key in made.keys:
            for other in _having(self._entry_of(command_id), key, command_id):
                own[other.id] = tuple(each for each in own.get(other.id, other.keys) if each != key)
        self.set_own_keys(own)

    def holders(self, command_id: str, key: str) -> list[Command]:
        """Other commands that would be in the way: of the same page, or of a newer one, which goes first."""
        at = self._owned.index(self._entry_of(command_id))
        return [each for entry in self._owned[at:] for each in _having(entry, key, command_id)]

    def key_of(self, command_id: str) -> str:
        """The first key of a command as it is shown; "" where it has none."""
        command = self.find(command_id)
        return command.keys[0] if command is not None and command.keys else ""

    def with_key(self, text: str, command_id: str) -> str:
        """ "Submit (Space)", or the text alone where there is no key."""
        key = self.key_of(command_id)
        return f"{text} ({key})" if key else text

    def follow(self, widget: tk.Misc, told: Callable[[], object]) -> None:
        """Calls back now and whenever keys change, as long as the widget is there."""
        self._followers = [each for each in self._followers if each[0] is not widget]
        self._followers.append((widget, told))
        at_end(widget, lambda: self._unfollow(widget))
        told()

    def _unfollow(self, widget: tk.Misc) -> None:
        self._followers = [each for each in self._followers if each[0] is not widget]

    def _entry_of(self, command_id: str) -> _Owned:
        """Raises KeyError."""
        for entry in reversed(self._owned):
            if command_id in entry.commands:
                return entry
        raise KeyError(command_id)

    # ---- inside

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
        window, grab = widget.winfo_toplevel(), str(self._window.tk.call("grab", "current", "."))
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


def read_own_keys(stored: object) -> dict[str, list[str]]:
    """What was stored of own keys; nothing of it that makes no sense."""
    if not isinstance(stored, dict):
        return {}
    return {
        name: list(keys)
        for name, keys in stored.items()
        if isinstance(name, str) and isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    }


def is_modifier(keysym: str) -> bool:
    """Whether the key alone is no key for a command."""
    return keysym.lower() in _MODIFIERS


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
