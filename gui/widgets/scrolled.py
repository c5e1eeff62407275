"""A frame that scrolls when its content is higher than its place. For pages, not for long lists."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

from ..tk.lifetime import bind_elsewhere
from ..tk.theme import Theme

_WHEEL_UNITS = 3


class ScrolledFrame(ttk.Frame):
    """Put widgets into `body`; its width follows the frame's."""

    def __init__(self, parent: tk.Misc, theme: Theme) -> None:
        surface = theme.surface_of(parent)
        super().__init__(parent, style=theme.style("", surface, "TFrame"))
        # Two pixels, and a bar that is placed: Tk's grid leaves an arrangement unfinished, and what is in it unseen, when the
        # size it asks for falls to one pixel meanwhile.
        self._canvas = theme.canvas(self, surface, width=2, height=2, yscrollincrement=theme.px(20))
        self._bar = ttk.Scrollbar(
            self, style=theme.style("", surface, "Vertical.TScrollbar"), command=self._canvas.yview, takefocus=0
        )
        self._canvas.configure(yscrollcommand=self._moved)
        self.columnconfigure(0, weight=1)
        self._bar_px = theme.px(8)
        self.columnconfigure(1, minsize=self._bar_px)  # kept free, so that showing the bar moves nothing
        self.rowconfigure(0, weight=1)
        self._canvas.grid(row=0, column=0, sticky="nsew")
        self.body = ttk.Frame(self._canvas, style=theme.style("", surface, "TFrame"))
        window = self._canvas.create_window(0, 0, anchor="nw", window=self.body)
        self._canvas.bind("<Configure>", lambda event: self._canvas.itemconfigure(window, width=event.width))
        self.body.bind("<Configure>", lambda _event: self._measure())
        # The wheel works over everything inside: bound for all, and answered only when the pointer is here.
        for sequence in ("<MouseWheel>", "<Button-4>", "<Button-5>"):
            bind_elsewhere(self, "all", sequence, self._wheeled)

    def see(self, widget: tk.Misc) -> None:
        """Scrolls so that a widget inside can be seen."""
        top = widget.winfo_rooty() - self.body.winfo_rooty()
        height = max(1, self.body.winfo_height())
        first, last = self._canvas.yview()
        if top < first * height or top + widget.winfo_height() > last * height:
            self._canvas.yview_moveto(max(0.0, (top - 20) / height))

    def _moved(self, first: float, last: float) -> None:
        self._bar.set(first, last)
        if float(first) <= 0 and float(last) >= 1:
            self._bar.place_forget()
        else:
            self._bar.place(relx=1.0, rely=0.0, relheight=1.0, anchor="ne", width=self._bar_px)

    def _measure(self) -> None:
        self._canvas.configure(scrollregion=(0, 0, self.body.winfo_reqwidth(), self.body.winfo_reqheight()))

    def _wheeled(self, event: tk.Event[tk.Misc]) -> None:
        if not str(event.widget).startswith(str(self._canvas)):
            return
        if self.body.winfo_height() <= self._canvas.winfo_height():
            return
        up = event.num == 4 or event.delta > 0
        self._canvas.yview_scroll(-_WHEEL_UNITS if up else _WHEEL_UNITS, "units")
