"""The user's own keys: choose a command, press the key it shall have. What had that key before is named and loses it."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Iterable, Sequence

from ..tk import fonts
from ..tk.commands import Command, Commands, is_modifier, key_of
from ..tk.theme import Theme
from .controls import button, set_enabled
from .dialogs import Dialog
from .row_list import RowList

HOW = "Choose a command, press Change key or Enter, then press its new key, alone or with Ctrl, Alt or Shift."
ASKING = "Press the new key of “{}”. Esc leaves it as it is."
_RESERVED = {
    "Tab": "Tab goes from field to field.",
    "Shift+Tab": "Shift+Tab goes from field to field.",
    "Enter": "Enter presses the button that is marked.",
    "F1": "F1 stays the key of the sheet of keys, so that you always find back.",
}
_WIDTH_PX, _ROWS = 560, 12


class KeyDialog:
    """changed() is called after every change; commands.own_keys is then to be stored."""

    def __init__(self, parent: tk.Misc, theme: Theme, commands: Commands, changed: Callable[[], object]) -> None:
        self.commands, self._changed = commands, changed
        self._ids = [each.id for each in commands.active() if each.can_have_other_keys and each.id != "keys"]
        self._asked: str | None = None  # the key that was pressed and belongs to something else
        self.dialog = Dialog(parent, theme, "Change keys", width=_WIDTH_PX)
        self.note = self.dialog.text(HOW)
        self.list = _Rows(self.dialog.body, theme, self)
        self.list.pack(fill="both", expand=True, pady=(theme.px(12), 0))
        self.list.canvas.bind("<KeyPress>", self._pressed)
        self.dialog.add_button("Close", None, "Primary", default=True)
        buttons = self.dialog.buttons
        self.change = button(buttons, theme, "Change key", self.ask)
        self.change.pack(side="left")
        self.default = button(buttons, theme, "Default key", self.to_default)
        self.default.pack(side="left", padx=theme.px(8))
        self.all_defaults = button(buttons, theme, "All default keys", self.to_defaults, kind="Ghost")
        self.all_defaults.pack(side="left")
        self._take()
        self.dialog.show(self.list.canvas)

    # ---- what is shown

    def _take(self) -> None:
        groups: dict[str, list[Command]] = {}
        for each in self._ids:
            command = self.commands.find(each)
            if command is not None:
                groups.setdefault(command.group, []).append(command)
        lines: list[str | Command] = []
        for name, members in groups.items():
            lines += [name, *members]
        self.list.take(lines, self.commands.own_keys)
        own = self.commands.own_keys
        chosen = self.list.chosen
        none = "Choose a command first."
        set_enabled(self.change, self.dialog.theme, None if chosen else none)
        reason = none if chosen is None else None if chosen.id in own else "It has its default key."
        set_enabled(self.default, self.dialog.theme, reason)
        set_enabled(self.all_defaults, self.dialog.theme, None if own else "All commands have their default keys.")

    def say(self, text: str) -> None:
        self.note.configure(text=text)

    # ---- what the user does

    def ask(self) -> None:
        """The next key that is pressed becomes the command's."""
        chosen = self.list.chosen
        if chosen is not None:
            self.list.asking, self._asked = True, None
            self.list.canvas.focus_set()
            self.list.redraw()
            self.say(ASKING.format(chosen.label))

    def choose(self) -> None:
        """Another row."""
        self.list.asking = False
        self.say(HOW)
        self._take()

    def to_default(self) -> None:
        if self.list.chosen is not None:
            self.commands.default_key(self.list.chosen.id)
            self._done(f"“{self.list.chosen.label}” has its default key again.")

    def to_defaults(self) -> None:
        self.commands.set_own_keys({})
        self._done("All commands have their default keys again.")

    def _done(self, said: str) -> None:
        self.list.asking = False
        self._changed()
        self._take()
        self.say(said)

    def _pressed(self, event: tk.Event[tk.Misc]) -> str | None:
        if not self.list.asking:
            return self._moved(event.keysym)
        if not is_modifier(event.keysym):
            self._take_key(key_of(event.keysym, int(event.state)))
        return "break"

    def _moved(self, keysym: str) -> str | None:
        if keysym in ("Return", "KP_Enter") and self.list.chosen is not None:
            self.ask()
        elif keysym in ("Up", "Down"):
            self.list.step(-1 if keysym == "Up" else 1)
        else:
            return None
        return "break"

    def _take_key(self, key: str) -> None:
        chosen = self.list.chosen
        if chosen is None or key == "Esc":
            self.choose()
            return
        if key in _RESERVED:
            self.say(f"{_RESERVED[key]} Press another key, or Esc.")
            return
        holders = self.commands.holders(chosen.id, key)
        if any(not each.can_have_other_keys for each in holders):
            self.say(f"{key} is one of the keys of “{holders[0].label}”, which stay together. Press another key, or Esc.")
        elif holders and key != self._asked:
            self._asked = key
            names = " and ".join(f"“{each.label}”" for each in holders)
            self.say(f"{key} is the key of {names}. Press {key} again to take it from there, or another key.")
        else:
            self.commands.give_key(chosen.id, key)
            lost = f" “{holders[0].label}” lost it." if holders else ""
            self._done(f"{key} is the key of “{chosen.label}” now.{lost}")


class _Rows(RowList):
    """lines: the name of a group, or a command."""

    def __init__(self, parent: tk.Misc, theme: Theme, owner: KeyDialog) -> None:
        super().__init__(parent, theme, 30, _ROWS)
        self.owner = owner
        self.lines: Sequence[str | Command] = ()
        self.asking = False
        self._own: frozenset[str] = frozenset()
        self._at: str | None = None

    def take(self, lines: Sequence[str | Command], own: Iterable[str]) -> None:
        self.lines = lines
        self._own = frozenset(own)
        self.set_count(len(lines))

    @property
    def chosen(self) -> Command | None:
        return next((each for each in self.lines if isinstance(each, Command) and each.id == self._at), None)

    def choose(self, index: int) -> None:
        line = self.lines[index]
        if isinstance(line, Command):
            self._at = line.id
            self.see_row(index)
            self.owner.choose()

    def step(self, by: int) -> None:
        places = [place for place, line in enumerate(self.lines) if isinstance(line, Command)]
        here = next((at for at, place in enumerate(places) if self.lines[place] is self.chosen), -1 if by > 0 else len(places))
        self.choose(places[max(0, min(here + by, len(places) - 1))])

    def paint_row(self, index: int, top: float, width: float) -> None:
        line, px = self.lines[index], self.theme.px
        middle = top + self.row_px / 2
        if isinstance(line, str):
            self.words(px(10), middle, line.upper(), "faint", fonts.TINY)
            return
        chosen = line.id == self._at
        if chosen or index == self.hovered:
            self.band(top, width, "selected" if chosen else "hover")
        ink = "selected_text" if chosen else "text"
        keys = "press a key…" if chosen and self.asking else ",  ".join(line.keys) or "–"
        changed = line.id in self._own
        taken = self.words(width - px(14), middle, keys, ink, fonts.STRONG if changed else fonts.BODY, "e")
        if changed:
            taken += px(10) + self.words(width - px(24) - taken, middle, "changed", "muted", fonts.SMALL, "e")
        self.words(px(10), middle, line.label, ink, room=width - taken - px(40))

    def pressed(self, index: int, zone: str, event: tk.Event[tk.Misc]) -> None:
        self.choose(index)

    def double_pressed(self, index: int, zone: str, event: tk.Event[tk.Misc]) -> None:
        self.choose(index)
        self.owner.ask()
