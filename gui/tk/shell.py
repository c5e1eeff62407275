"""The window's frame: left column, page, status line, and the router that shows one screen at a time.

It knows no screen by name. A screen class says where it lives: "page" beside the left column, "step" inside the experiment's
frame (the host that the application registers), "window" over everything.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping
from tkinter import ttk
from typing import Any, Protocol

import ttkbootstrap as boot
from tkinterdnd2 import TkinterDnD

from . import dnd
from .theme import Theme

SIDEBAR_PX = 264


class Root(boot.App, TkinterDnD.DnDWrapper):  # type: ignore[misc]  # neither base is typed
    """The one Tk root of the process."""

    def __init__(self, title: str = "Darknet Studio") -> None:
        super().__init__(title=title, iconphoto=None)
        self.withdraw()
        # The toolkit takes Space away from buttons; people who use the keyboard expect it.
        self.bind_class("TButton", "<Key-space>", _press)
        dnd.load(self)


def _press(event: tk.Event[tk.Misc]) -> None:
    if isinstance(event.widget, ttk.Button):
        event.widget.invoke()


class RoutedScreen(Protocol):
    """What the router needs of a screen."""

    @property
    def id(self) -> str: ...

    def load(self, **params: Any) -> None: ...

    def leave(self) -> bool: ...

    def shown(self) -> None: ...


class Host(Protocol):
    """A place for screens. `slot` is the parent that a screen is made in."""

    @property
    def slot(self) -> tk.Misc: ...

    def host(self, screen: Any, params: Mapping[str, Any]) -> None: ...

    def clear(self) -> None: ...


class Slot:
    """A plain host: the screen fills a frame."""

    def __init__(self, frame: ttk.Frame, raised: Callable[[], object]) -> None:
        self.slot: tk.Misc = frame
        self._raised = raised
        self._shown: Any = None

    def host(self, screen: Any, params: Mapping[str, Any]) -> None:
        del params
        if self._shown is not screen:
            self.clear()
            screen.pack(fill="both", expand=True)
            self._shown = screen
        self._raised()

    def clear(self) -> None:
        if self._shown is not None:
            self._shown.pack_forget()
            self._shown = None


class Router:
    """Shows screens by name. Screens are made at first use and kept."""

    def __init__(self, navigated: Callable[[str], object]) -> None:
        """navigated is told the screen's id after it is shown."""
        self._navigated = navigated
        self._makers: dict[str, tuple[str, Callable[[tk.Misc], RoutedScreen]]] = {}
        self._hosts: dict[str, Host] = {}
        self._screens: dict[str, RoutedScreen] = {}
        self._current: RoutedScreen | None = None
        self.params: dict[str, Any] = {}

    def add_host(self, name: str, host: Host) -> None:
        self._hosts[name] = host

    def add_screen(self, screen_id: str, host: str, make: Callable[[tk.Misc], RoutedScreen]) -> None:
        self._makers[screen_id] = (host, make)

    def knows(self, screen_id: str) -> bool:
        return screen_id in self._makers

    @property
    def current(self) -> RoutedScreen | None:
        return self._current

    @property
    def current_id(self) -> str:
        return "" if self._current is None else self._current.id

    def show(self, screen_id: str, **params: Any) -> bool:
        """False when the current screen does not let go. Raises KeyError for an unknown screen."""
        host_name, make = self._makers[screen_id]
        if self._current is not None and not self._current.leave():
            return False
        host = self._hosts[host_name]
        screen = self._screens.get(screen_id)
        if screen is None:
            screen = make(host.slot)
            self._screens[screen_id] = screen
        self._current, self.params = screen, params
        for name, other in self._hosts.items():
            if name != host_name:
                other.clear()
        host.host(screen, params)
        screen.load(**params)
        screen.shown()
        self._navigated(screen_id)
        return True

    def forget_screens(self) -> None:
        """For a rebuilt window: screens are made anew at their next showing."""
        self._screens.clear()
        self._current = None
        self._hosts.clear()


class Shell(ttk.Frame):
    """Left column | page, and the status line below; the window host lies over all of it."""

    def __init__(self, root: tk.Misc, theme: Theme) -> None:
        super().__init__(root)
        self.theme = theme
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self._main = ttk.Frame(self)
        self._main.grid(row=0, column=0, sticky="nsew")
        self._main.columnconfigure(2, weight=1)
        self._main.rowconfigure(0, weight=1)
        self.sidebar = ttk.Frame(self._main, style="Chrome.TFrame", width=theme.px(SIDEBAR_PX))
        self.sidebar.grid(row=0, column=0, sticky="nsew")
        self.sidebar.pack_propagate(False)
        ttk.Frame(self._main, style="Line.TFrame", width=1).grid(row=0, column=1, sticky="ns")
        self._page = ttk.Frame(self._main)
        self._page.grid(row=0, column=2, sticky="nsew")
        self._window = ttk.Frame(self)
        ttk.Frame(self, style="Line.TFrame", height=1).grid(row=1, column=0, sticky="ew")
        self.status = StatusLine(self, theme)
        self.status.grid(row=2, column=0, sticky="ew")
        self.page = Slot(self._page, self._show_main)
        self.window = Slot(self._window, self._show_window)

    def _show_main(self) -> None:
        self._window.grid_remove()
        self._main.grid()

    def _show_window(self) -> None:
        self._main.grid_remove()
        self._window.grid(row=0, column=0, sticky="nsew")


class StatusLine(ttk.Frame):
    """One line: device, memory, job, why no graphics card is used; a message on the right."""

    def __init__(self, parent: tk.Misc, theme: Theme) -> None:
        super().__init__(parent, style="Chrome.TFrame")
        self._texts: dict[str, ttk.Label] = {}
        for name in ("device", "memory", "job", "card"):
            label = ttk.Label(self, style="Tiny.Chrome.TLabel")
            label.pack(side="left", padx=(theme.px(16), 0), pady=theme.px(5))
            self._texts[name] = label
        right = ttk.Label(self, style="Tiny.Chrome.TLabel")
        right.pack(side="right", padx=theme.px(16))
        self._texts["note"] = right

    def set(self, **texts: str) -> None:
        """device=, memory=, job=, card=, note=: the text of that place."""
        for name, text in texts.items():
            self._texts[name].configure(text=text)

    def get(self, name: str) -> str:
        return str(self._texts[name].cget("text"))
