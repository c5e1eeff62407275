"""Settings: look, limits, the library and its backups, and what this computer can train on."""

from __future__ import annotations

import time
import tkinter as tk
from dataclasses import replace
from functools import partial
from tkinter import ttk
from typing import Any, ClassVar

from darknet_bridge.devices import Device, list_devices

from ..core import limits
from ..core.backup import Backup
from ..core.device_words import memory_words
from ..core.errors import UserError
from ..core.wording import ago
from ..tk.lifetime import watch
from ..tk.tasks import Progress
from ..tk.theme import SCALES
from ..widgets.controls import button, card, combo, entry, icon_label, label, radio, set_enabled
from ..widgets.dialogs import confirm
from ..widgets.scrolled import ScrolledFrame
from .base import Context, Screen

THEME_KEY = "theme"
SIZE_KEY = "interface_size"
_GIGABYTE = 1_000_000_000
_NARROW_PX = 900


class SettingsScreen(Screen):
    """What is changed here is stored at once."""

    id: ClassVar[str] = "settings"
    title: ClassVar[str] = "Settings"

    def __init__(self, parent: tk.Misc, context: Context) -> None:
        super().__init__(parent, context)
        theme = self.theme
        self.choice = tk.StringVar(self, "system")
        self.size_choice = tk.StringVar(self, f"{round(theme.scale * 100)} %")
        self._numbers: dict[str, tuple[tk.StringVar, int]] = {}
        self._problems: dict[str, ttk.Label] = {}
        self._filling = False
        self._by_hand: set[str] = set()  # keys of what was changed since the settings were asked for
        label(self, theme, "Settings", "Title").pack(anchor="w", padx=theme.px(28), pady=(theme.px(20), theme.px(14)))
        scrolled = ScrolledFrame(self, theme)
        scrolled.pack(fill="both", expand=True, padx=(theme.px(28), 0))
        page = scrolled.body
        page.columnconfigure(0, weight=1)
        self._page = page
        self._cells = [ttk.Frame(page) for _ in range(2)]
        self._columns = 0
        page.bind("<Configure>", lambda event: self._arrange(1 if event.width < theme.px(_NARROW_PX) else 2), add="+")
        self._arrange(2)
        self._look(self._card(0, "palette", "Look"))
        self._limits(self._card(0, "speedometer", "Soft limits"))
        self._library(self._card(1, "archive", "Library and backups"))
        self._devices = self._card(1, "cpu", "This computer")

    def _arrange(self, columns: int) -> None:
        """Two columns of cards, or one where the window is narrow."""
        if columns == self._columns:
            return
        self._columns = columns
        self._page.columnconfigure(1, weight=columns - 1)
        for index, cell in enumerate(self._cells):
            cell.grid(
                row=index if columns == 1 else 0, column=0 if columns == 1 else index, sticky="new", padx=(0, self.theme.px(16))
            )

    def _card(self, column: int, icon: str, title: str) -> ttk.Frame:
        theme = self.theme
        outer, inner = card(self._cells[column], theme, padding=20)
        outer.pack(fill="x", pady=(0, theme.px(16)))
        head = ttk.Frame(inner, style="Card.TFrame")
        head.pack(fill="x", pady=(0, theme.px(12)))
        icon_label(head, theme, icon, "accent", 18).pack(side="left", padx=(0, theme.px(10)))
        label(head, theme, title, "Heading").pack(side="left")
        body = ttk.Frame(inner, style="Card.TFrame")
        body.pack(fill="x")
        return body

    # ---- look ----------------------------------------------------------------------------------------------------------

    def _look(self, body: ttk.Frame) -> None:
        theme = self.theme
        label(body, theme, "Theme").grid(row=0, column=0, sticky="w", padx=(0, theme.px(24)), pady=theme.px(6))
        row = ttk.Frame(body, style="Card.TFrame")
        row.grid(row=0, column=1, sticky="w")
        for value, text in (("dark", "Dark"), ("light", "Light"), ("system", "As the system")):
            radio(row, theme, text, self.choice, value, self._theme_chosen).pack(side="left", padx=(0, theme.px(14)))
        label(body, theme, "Interface size").grid(row=1, column=0, sticky="w", padx=(0, theme.px(24)), pady=theme.px(6))
        sizes = [f"{round(scale * 100)} %" for scale in SCALES]
        box = combo(body, theme, self.size_choice, sizes, width=8)
        box.grid(row=1, column=1, sticky="w")
        box.bind("<<ComboboxSelected>>", lambda _event: self._size_chosen())

    def _theme_chosen(self) -> None:
        choice = self.choice.get()
        self._by_hand.add(THEME_KEY)
        self.context.set_theme(choice)
        self._keep(THEME_KEY, choice)

    def _size_chosen(self) -> None:
        scale = int(self.size_choice.get().split()[0]) / 100
        self._keep(SIZE_KEY, scale)
        self.context.set_scale(scale)

    def _keep(self, key: str, value: object) -> None:
        """A library that can only be read keeps nothing; the window follows all the same."""
        if self.workspace.read_only:
            return

        def work() -> None:
            self.workspace.settings.set(key, value)
            self.workspace.changes.publish("settings")

        self.store(work)

    # ---- limits --------------------------------------------------------------------------------------------------------

    def _limits(self, body: ttk.Frame) -> None:
        theme, standard = self.theme, limits.Limits()
        hint = "The guide's recommendations. Beyond them the window warns; nothing is refused."
        label(body, theme, hint, "Muted", wrap_px=400).grid(row=0, column=0, columnspan=3, sticky="w", pady=(0, theme.px(8)))
        rows = (
            ("images", "Images in a dataset, at most", 1, standard.images, ""),
            ("bytes", "Size of a dataset, at most", _GIGABYTE, standard.bytes, "GB"),
            ("categories", "Categories in a group, at most", 1, standard.categories, ""),
            ("examples", "Boxes of a category, at least", 1, standard.examples, ""),
        )
        for row, (key, text, unit, value, unit_text) in enumerate(rows, 1):
            label(body, theme, text).grid(row=2 * row, column=0, sticky="w", padx=(0, theme.px(24)), pady=theme.px(4))
            variable = tk.StringVar(self, _shown(value, unit))
            entry(body, theme, variable, width=12).grid(row=2 * row, column=1, sticky="w", pady=theme.px(4))
            label(body, theme, unit_text, "Muted").grid(row=2 * row, column=2, sticky="w", padx=theme.px(8))
            problem = label(body, theme, "", "Danger", wrap_px=400)
            problem.grid(row=2 * row + 1, column=0, columnspan=3, sticky="w")
            problem.grid_remove()
            self._numbers[key], self._problems[key] = (variable, unit), problem
            watch(self, variable, lambda key=key: self._limit_typed(key))  # type: ignore[misc]

    def _limit_typed(self, key: str) -> None:
        variable, unit = self._numbers[key]
        if not self._filling:
            self._by_hand.add(key)
        value = _number(variable.get(), unit)
        problem = self._problems[key]
        if value is None:
            problem.configure(text="Type a number above 0.")
            problem.grid()
            return
        problem.grid_remove()
        if not self._filling and not self.workspace.read_only:
            self.store(lambda: limits.save(self.workspace, replace(limits.read(self.workspace), **{key: value})))

    # ---- library -------------------------------------------------------------------------------------------------------

    def _library(self, body: ttk.Frame) -> None:
        theme = self.theme
        label(body, theme, "Everything is kept in this folder:", "Muted").pack(anchor="w")
        where = ttk.Frame(body, style="Card.TFrame")
        where.pack(fill="x", pady=(theme.px(4), theme.px(10)))
        label(where, theme, str(self.workspace.folder), "Mono", wrap_px=340).pack(side="left")
        button(where, theme, "", self._copy_path, kind="Icon", icon="copy", tip="Copy the folder's name").pack(side="right")
        if self.workspace.read_only:
            label(body, theme, self.workspace.read_only_reason, "Warning", wrap_px=400).pack(anchor="w", pady=(0, theme.px(10)))
        row = ttk.Frame(body, style="Card.TFrame")
        row.pack(fill="x")
        label(row, theme, "Backups", "Strong").pack(side="left")
        make = button(row, theme, "Back up now", self._back_up)
        make.pack(side="right")
        if self.workspace.read_only:
            set_enabled(make, theme, self.workspace.read_only_reason)
        hint = "Made after 30 minutes of changes and before anything large. Pictures are not in it."
        label(body, theme, hint, "Small", wrap_px=400).pack(anchor="w", pady=(theme.px(6), theme.px(8)))
        self._backups = ttk.Frame(body, style="Card.TFrame")
        self._backups.pack(fill="x")

    def _copy_path(self) -> None:
        self.clipboard_clear()
        self.clipboard_append(str(self.workspace.folder))
        self.toast("The name of the folder was copied.")

    def _back_up(self) -> None:
        self.store(lambda: self.workspace.backups.make("by-hand"), lambda path: self._after(f"Backed up as {path.name}."))

    def _after(self, said: str) -> None:
        self.toast(said, "success")
        self._list_backups()

    def _list_backups(self) -> None:
        self.store(lambda: self.workspace.backups.list(), self._show_backups)

    def _show_backups(self, found: list[Backup]) -> None:
        theme = self.theme
        for child in self._backups.winfo_children():
            child.destroy()
        if not found:
            label(self._backups, theme, "There is no backup yet.", "Muted").pack(anchor="w")
        for backup in found[:8]:
            row = ttk.Frame(self._backups, style="Card.TFrame")
            row.pack(fill="x", pady=theme.px(3))
            restore = button(row, theme, "Restore", partial(self._ask_restore, backup), icon="arrow-counterclockwise")
            restore.pack(side="right")
            if self.workspace.read_only:
                set_enabled(restore, theme, self.workspace.read_only_reason)
            when = f"{ago(backup.made_at, time.time()).capitalize()}, {backup.reason_text}"
            label(row, theme, when).pack(anchor="w")
            size = f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(backup.made_at))}  ·  {_size(backup.bytes)}"
            label(row, theme, size, "Tiny").pack(anchor="w")

    def _ask_restore(self, backup: Backup) -> None:
        text = (
            f"The library goes back to how it was {ago(backup.made_at, time.time())}. What you have now is backed up first, "
            "so you can come back to it here."
        )
        confirm(self, self.theme, "Restore this backup?", text, "Restore", lambda: self._restore(backup))

    def _restore(self, backup: Backup) -> None:
        def work() -> None:
            if self.workspace.store.runs.active():
                raise UserError("A training is running. Stop it before you restore a backup.")
            self.workspace.restore(backup.path)

        self.store(work, lambda _result: self.context.toasts.show("The backup was restored.", "success"))

    # ---- devices -------------------------------------------------------------------------------------------------------

    def _show_devices(self, found: list[Device]) -> None:
        theme, body = self.theme, self._devices
        for child in body.winfo_children():
            child.destroy()
        for device in found:
            row = ttk.Frame(body, style="Card.TFrame")
            row.pack(fill="x", pady=theme.px(4))
            icon, colour = ("check-circle-fill", "positive") if device.usable else ("dash-circle", "faint")
            icon_label(row, theme, icon, colour).pack(side="left", anchor="n", padx=(0, theme.px(10)), pady=theme.px(2))
            text = ttk.Frame(row, style="Card.TFrame")
            text.pack(side="left", fill="x", expand=True)
            label(text, theme, device.description, "Strong", wrap_px=360).pack(anchor="w")
            label(text, theme, memory_words(device) if device.usable else device.reason, "Small", wrap_px=360).pack(anchor="w")
        if not any(device.id.startswith("cuda") and device.usable for device in found):
            hint = "Without a graphics card training works, only slower: choose YOLOv3-Tiny in the step Setup."
            label(body, theme, hint, "Small", wrap_px=400).pack(anchor="w", pady=(theme.px(6), 0))

    def _no_devices(self, error: BaseException) -> None:
        for child in self._devices.winfo_children():
            child.destroy()
        label(self._devices, self.theme, str(error), "Warning", wrap_px=400).pack(anchor="w")

    # ---- screen --------------------------------------------------------------------------------------------------------

    def load(self, **params: Any) -> None:
        del params
        self._by_hand.clear()
        self.store(self._read, self._show)
        self._list_backups()

        def devices(_progress: Progress) -> list[Device]:
            return list_devices()

        self.background(devices, self._show_devices, self._no_devices)

    def _read(self) -> tuple[str, limits.Limits]:
        return str(self.workspace.settings.get(THEME_KEY, "system")), limits.read(self.workspace)

    def _show(self, found: tuple[str, limits.Limits]) -> None:
        """What was chosen or typed while it was read is newer."""
        self._filling = True
        if THEME_KEY not in self._by_hand:
            self.choice.set(found[0])
        for key, (variable, unit) in self._numbers.items():
            if key not in self._by_hand:
                variable.set(_shown(getattr(found[1], key), unit))
        self._filling = False


def _shown(value: int, unit: int) -> str:
    return f"{value / unit:g}" if unit > 1 else str(value)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.0f} kB"


def _number(text: str, unit: int) -> int | None:
    try:
        value = round(float(text.replace(",", ".").replace(" ", "")) * unit)
    except (ValueError, OverflowError):
        return None
    return value if value > 0 else None
