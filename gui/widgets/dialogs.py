"""Questions, names, progress and errors, as cards over the window. Nothing here blocks: answers come by callback.

While a dialog is open the pointer and the keys belong to it; Escape cancels, Enter presses the default button.
"""

from __future__ import annotations

import contextlib
import tkinter as tk
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tkinter import filedialog, ttk

from ..tk.commands import Command
from ..tk.lifetime import bind_elsewhere, watch
from ..tk.theme import Theme, focused, grabber
from .controls import button, entry, icon_label, label, set_enabled


class Dialog:
    """A card in the middle of the window: `body` for the content, then a row of buttons. Callbacks run after it is closed."""

    def __init__(
        self, parent: tk.Misc, theme: Theme, title: str, width: float = 440, icon: str = "", colour: str = "accent"
    ) -> None:
        self.theme = theme
        self._top = parent.winfo_toplevel()
        self._focus_before = focused(self._top)
        self._grab_before = grabber(self._top)
        self.frame = ttk.Frame(self._top, style="Dialog.TFrame")
        inner = ttk.Frame(self.frame, style="Card.TFrame")
        inner.pack(fill="both", expand=True, padx=theme.px(24), pady=theme.px(22))
        ttk.Frame(inner, style="Card.TFrame", width=theme.px(width)).pack()
        head = ttk.Frame(inner, style="Card.TFrame")
        head.pack(fill="x")
        if icon:
            icon_label(head, theme, icon, colour, 20).pack(side="left", padx=(0, theme.px(10)))
        self.title = label(head, theme, title, "Heading", wrap_px=width - 30)
        self.title.pack(side="left", anchor="w")
        self.body = ttk.Frame(inner, style="Card.TFrame")
        self.body.pack(fill="both", expand=True, pady=(theme.px(10), 0))
        self.buttons = ttk.Frame(inner, style="Card.TFrame")
        self.buttons.pack(fill="x", pady=(theme.px(20), 0))
        self.width = width
        self.open = True
        self.on_cancel: Callable[[], object] | None = None
        self._default: ttk.Button | None = None
        for sequence, handler in (
            ("<Escape>", self._escape),
            ("<Return>", self._return),
            ("<KP_Enter>", self._return),
            ("<Tab>", lambda event: self._tab(event, forward=True)),
            ("<Shift-Tab>", lambda event: self._tab(event, forward=False)),
            ("<ISO_Left_Tab>", lambda event: self._tab(event, forward=False)),
        ):
            with contextlib.suppress(tk.TclError):  # not every keyboard knows the last
                bind_elsewhere(self.frame, self._top, sequence, handler)

    def text(self, text: str, kind: str = "Muted") -> ttk.Label:
        made = label(self.body, self.theme, text, kind, wrap_px=self.width, justify="left")
        made.pack(anchor="w", fill="x")
        return made

    def add_button(
        self, text: str, callback: Callable[[], object] | None = None, kind: str = "Secondary", default: bool = False
    ) -> ttk.Button:
        """The first one added stands on the right. Closes the dialog, then calls back."""
        made = button(self.buttons, self.theme, text, lambda: self.answer(callback), kind=kind)
        made.pack(side="right", padx=(self.theme.px(8), 0))
        if default:
            self._default = made
        return made

    def show(self, focus: tk.Misc | None = None) -> None:
        self.frame.place(relx=0.5, rely=0.45, anchor="center")
        self.frame.lift()
        self.frame.wait_visibility() if not self._top.winfo_viewable() else self.frame.update_idletasks()
        with contextlib.suppress(tk.TclError):
            self.frame.grab_set()
        (focus or self._default or self.frame).focus_set()

    def close(self) -> None:
        if not self.open:
            return
        self.open = False
        with contextlib.suppress(tk.TclError):
            self.frame.grab_release()
            self.frame.destroy()
            if self._grab_before is not None and self._grab_before.winfo_exists():
                self._grab_before.grab_set()
            (self._focus_before or self._top).focus_set()

    def cancel(self) -> None:
        self.answer(self.on_cancel)

    def answer(self, callback: Callable[[], object] | None) -> None:
        """Closes the dialog, then calls back."""
        if self.open:
            self.close()
            if callback is not None:
                callback()

    def _is_front(self) -> bool:
        return self.open and grabber(self._top) is self.frame

    def _escape(self, _event: tk.Event[tk.Misc]) -> str | None:
        if not self._is_front():
            return None
        self.cancel()
        return "break"

    def _return(self, event: tk.Event[tk.Misc]) -> str | None:
        if not self._is_front() or isinstance(event.widget, (ttk.Button, tk.Text)):
            return None
        if self._default is not None:
            self._default.invoke()
        return "break"

    def _tab(self, event: tk.Event[tk.Misc], forward: bool) -> str | None:
        if not self._is_front() or not isinstance(event.widget, tk.Misc):
            return None
        target: tk.Misc | None = event.widget
        for _ in range(500):
            target = None if target is None else (target.tk_focusNext() if forward else target.tk_focusPrev())
            if target is None or str(target).startswith(str(self.frame) + "."):
                break
        if target is not None:
            target.focus_set()
        return "break"


Choice = tuple[str, str, Callable[[], object]]


def choose(
    parent: tk.Misc, theme: Theme, title: str, text: str, choices: Sequence[Choice], cancel: Callable[[], object] | None = None
) -> Dialog:
    """choices: (label, kind of button, callback), the most likely first; a Cancel button is added."""
    dialog = Dialog(parent, theme, title)
    dialog.text(text)
    dialog.on_cancel = cancel
    for index, (name, kind, callback) in enumerate(choices):
        dialog.add_button(name, callback, kind, default=index == 0)
    dialog.add_button("Cancel", cancel, "Ghost")
    dialog.show()
    return dialog


def confirm(
    parent: tk.Misc, theme: Theme, title: str, text: str, action: str, yes: Callable[[], object], danger: bool = False
) -> Dialog:
    """Asks before something is done. The text says what it does, with counts; action is the button's verb."""
    return choose(parent, theme, title, text, [(action, "Danger" if danger else "Primary", yes)])


def ask_text(
    parent: tk.Misc,
    theme: Theme,
    title: str,
    prompt: str,
    initial: str,
    validate: Callable[[str], str | None],
    done: Callable[[str], object],
    action: str = "Save",
) -> Dialog:
    """Asks for a name. validate gives the sentence that says what is wrong, at every key, or None."""
    dialog = Dialog(parent, theme, title)
    dialog.text(prompt)
    value = tk.StringVar(dialog.frame, initial)
    field = entry(dialog.body, theme, value)
    field.pack(fill="x", pady=(theme.px(8), 0))
    problem = label(dialog.body, theme, "", "Danger", wrap_px=dialog.width)
    problem.pack(anchor="w", pady=(theme.px(6), 0))
    save = dialog.add_button(action, lambda: done(value.get().strip()), "Primary", default=True)
    dialog.add_button("Cancel", None, "Ghost")

    def check(*_args: object) -> None:
        said = validate(value.get().strip())
        problem.configure(text=said or "")
        set_enabled(save, theme, said)
        field.state(["invalid" if said else "!invalid"])

    watch(dialog.frame, value, check)
    check()
    field.selection_range(0, "end")
    field.icursor("end")
    dialog.show(field)
    return dialog


def show_error(parent: tk.Misc, theme: Theme, text: str, details: str) -> Dialog:
    """What went wrong in a sentence; the details can be copied for a report."""
    dialog = Dialog(parent, theme, "Something went wrong", icon="exclamation-triangle", colour="warning")
    dialog.text(text, "")
    dialog.text("\nYour work is kept. If it happens again, copy the details and send them with a report.")
    copy: ttk.Button

    def copied() -> None:
        parent.clipboard_clear()
        parent.clipboard_append(details)
        copy.configure(text="Copied")

    dialog.add_button("Close", None, "Primary", default=True)
    copy = button(dialog.buttons, theme, "Copy details", copied)
    copy.pack(side="left")
    dialog.show()
    return dialog


class ProgressDialog:
    """Work that has to be waited for: what is done, how far it is, and Cancel."""

    def __init__(self, parent: tk.Misc, theme: Theme, title: str, cancel: Callable[[], object] | None = None) -> None:
        self._dialog = Dialog(parent, theme, title)
        self._text = self._dialog.text("Starting…")
        self._bar = ttk.Progressbar(self._dialog.body, style="Card.Horizontal.TProgressbar", maximum=1000)
        self._bar.pack(fill="x", pady=(theme.px(12), 0))
        self._cancel = cancel
        self._dialog.on_cancel = None
        if cancel is not None:
            self._dialog.on_cancel = cancel
            self._dialog.add_button("Cancel", cancel, "Secondary", default=True)
        self._dialog.show()

    @property
    def text(self) -> str:
        return str(self._text.cget("text"))

    def update(self, done: int, total: int, text: str = "") -> None:
        """Fits Tasks.background(progress=...): "Importing… 16 %"."""
        if not self._dialog.open:
            return
        share = done / total if total > 0 else 0.0
        self._bar.configure(value=round(share * 1000))
        shown = f"{round(share * 100)} %" if total > 0 else ""
        self._text.configure(text=" ".join(part for part in (text, shown) if part) or "Working…")

    def close(self) -> None:
        self._dialog.close()


def show_keys(
    parent: tk.Misc, theme: Theme, commands: Iterable[Command], change: Callable[[], object], reason: str | None = None
) -> Dialog:
    """The sheet of keys, made from the commands that can be reached now. change opens the choice of other keys, unless reason
    says why it can't."""
    groups: dict[str, list[Command]] = {}
    for command in commands:
        if command.keys_shown:
            groups.setdefault(command.group, []).append(command)
    side_by_side = min(3, max(1, len(groups)))
    dialog = Dialog(parent, theme, "Keys", width=(420, 680, 980)[side_by_side - 1])
    columns = [ttk.Frame(dialog.body, style="Card.TFrame") for _ in range(side_by_side)]
    for column in columns:
        column.pack(side="left", fill="both", expand=True, anchor="n", padx=(0, theme.px(16)))
    heights = [0] * len(columns)
    for name, members in sorted(groups.items(), key=lambda group: -len(group[1])):  # the longest first: columns of like height
        side = heights.index(min(heights))
        heights[side] += len(members) + 2
        label(columns[side], theme, name.upper(), "Tiny").pack(anchor="w", pady=(theme.px(10), theme.px(4)))
        for command in members:
            row = ttk.Frame(columns[side], style="Card.TFrame")
            row.pack(fill="x", pady=theme.px(2))
            label(row, theme, command.label).pack(side="left")
            for key in reversed(command.keys_shown):
                label(row, theme, key, "Badge").pack(side="right", padx=(theme.px(4), 0))
    dialog.add_button("Close", None, "Primary", default=True)
    other = button(dialog.buttons, theme, "Change keys…", lambda: dialog.answer(change), icon="keyboard")
    other.pack(side="left")
    set_enabled(other, theme, reason)
    dialog.show()
    return dialog


def ask_folder(parent: tk.Misc, title: str) -> Path | None:
    """The system's folder chooser."""
    chosen = filedialog.askdirectory(parent=parent, title=title, mustexist=True)
    return Path(chosen) if chosen else None


def ask_files(parent: tk.Misc, title: str, kinds: Sequence[tuple[str, str]]) -> list[Path]:
    """kinds: ("Images", "*.jpg *.png")."""
    chosen = filedialog.askopenfilenames(parent=parent, title=title, filetypes=[*kinds, ("All files", "*")])
    return [Path(path) for path in chosen or ()]


def ask_save(parent: tk.Misc, title: str, name: str, suffix: str) -> Path | None:
    """Where to write a file; suffix with the dot."""
    chosen = filedialog.asksaveasfilename(parent=parent, title=title, initialfile=name, defaultextension=suffix)
    return Path(chosen) if chosen else None
