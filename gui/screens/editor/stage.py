"""The right side of the editor: tools above, the canvas, and the line below with position, size and zoom."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from ...tk.commands import Commands
from ...tk.theme import Theme
from ...widgets.box_canvas import BoxCanvas, CanvasEvents
from ...widgets.controls import button, label
from ...widgets.picture import Adjustment
from ...widgets.tooltip import explain

# id of the command, icon, what it does; "" is a gap
TOOLS = (
    ("editor.draw", "bounding-box-circles", "Draw boxes"),
    ("editor.select", "cursor", "Select, move and resize boxes"),
    ("", "", ""),
    ("editor.undo", "arrow-counterclockwise", "Undo"),
    ("editor.redo", "arrow-clockwise", "Redo"),
    ("editor.repeat", "repeat", "The boxes of the image before, here too"),
    ("editor.suggest", "stars", "Suggest boxes: your own model proposes them"),
    ("", "", ""),
    ("editor.zoom_out", "zoom-out", "Zoom out"),
    ("editor.zoom_in", "zoom-in", "Zoom in"),
    ("editor.fit", "arrows-fullscreen", "Fit the image"),
    ("editor.actual", "aspect-ratio", "100 %"),
    ("", "", ""),
    ("editor.hide", "eye", "Hide or show the boxes"),
    ("editor.cross", "plus-lg", "Cross-hair"),
    ("editor.light", "brightness-high", "Brightness and contrast of the view"),
)
PRESSED_BY_MODE = {"editor.draw": "draw", "editor.select": "select"}


class Stage(ttk.Frame):
    """run: runs a command by its id."""

    def __init__(self, parent: tk.Misc, theme: Theme, commands: Commands, events: CanvasEvents) -> None:
        super().__init__(parent, style="Ground.TFrame")
        self.theme = theme
        self.columnconfigure(0, weight=1)
        self.rowconfigure(2, weight=1)
        self._tools: dict[str, ttk.Button] = {}
        self._make_tools(commands)
        self.notice = ttk.Label(self, style="WarningNote.TLabel", anchor="center", padding=(theme.px(12), theme.px(6)))
        self.canvas = BoxCanvas(self, theme, events)
        self.canvas.grid(row=2, column=0, sticky="nsew")
        bar = ttk.Frame(self, style="Chrome.TFrame")
        bar.grid(row=3, column=0, sticky="ew")
        self.tips = button(bar, theme, "", lambda: commands.run("editor.tips"), kind="Icon", icon="info-circle")
        self.tips.configure(takefocus=False)
        self.tips.pack(side="left", padx=(theme.px(6), 0))
        self.file = label(bar, theme, "", "Small")
        self.file.pack(side="left", padx=theme.px(6), pady=theme.px(3))
        self.zoom = label(bar, theme, "100 %", "Small", width=7, anchor="e")
        self.zoom.pack(side="right", padx=theme.px(14))
        self.pointer = label(bar, theme, "", "Small", width=14, anchor="e")
        self.pointer.pack(side="right")
        self.selection = label(bar, theme, "", "Small", anchor="e")
        self.selection.pack(side="right", padx=theme.px(14))

    def _make_tools(self, commands: Commands) -> None:
        theme = self.theme
        bar = ttk.Frame(self, style="Chrome.TFrame")
        bar.grid(row=0, column=0, sticky="ew")
        inner = ttk.Frame(bar, style="Chrome.TFrame")
        inner.pack(padx=theme.px(8), pady=theme.px(5))
        for command_id, icon, _does in TOOLS:
            if not command_id:
                ttk.Frame(inner, style="Line.TFrame", width=1, height=theme.px(20)).pack(side="left", padx=theme.px(8))
                continue
            made = button(inner, theme, "", lambda each=command_id: commands.run(each), kind="Icon", icon=icon)  # type: ignore[misc]
            made.configure(takefocus=False)
            made.pack(side="left", padx=theme.px(1))
            self._tools[command_id] = made
        ttk.Frame(inner, style="Line.TFrame", width=1, height=theme.px(20)).pack(side="left", padx=theme.px(8))
        self.more = button(inner, theme, "", lambda: commands.run("editor.more"), kind="Icon", icon="three-dots", tip="More")
        self.more.configure(takefocus=False)
        self.more.pack(side="left")
        ttk.Frame(self, style="Line.TFrame", height=1).grid(row=0, column=0, sticky="sew")

    def tool(self, command_id: str) -> ttk.Button:
        """Raises KeyError."""
        return self._tools[command_id]

    # --- what is shown

    def show_keys(self, commands: Commands) -> None:
        """The keys in the tooltips."""
        for command_id, made in self._tools.items():
            does = next(text for each, _icon, text in TOOLS if each == command_id)
            explain(made, self.theme, commands.with_key(does, command_id))
        explain(self.tips, self.theme, commands.with_key("Tips for drawing boxes", "editor.tips"))

    def show_mode(self, mode: str, hidden: bool, cross: bool, light: bool) -> None:
        """Marks the tools that are on: by a ground and a bar, not by colour alone."""
        on = {"editor.hide": hidden, "editor.cross": cross, "editor.light": light}
        for command_id, made in self._tools.items():
            chosen = PRESSED_BY_MODE.get(command_id) == mode or on.get(command_id, False)
            made.configure(style=self.theme.style("IconOn" if chosen else "Icon", "Chrome", "TButton"))
        icon = "eye-slash" if hidden else "eye"
        self._tools["editor.hide"].configure(image=self.theme.icon(icon, 15, "muted"))

    def show_notice(self, text: str) -> None:
        self.notice.configure(text=text)
        if text:
            self.notice.grid(row=1, column=0, sticky="ew")
        else:
            self.notice.grid_remove()

    def show_pointer(self, x: float | None, y: float | None) -> None:
        self.pointer.configure(text="" if x is None or y is None else f"x {x:.0f}   y {y:.0f}")

    def show_zoom(self, scale: float) -> None:
        self.zoom.configure(text=f"{scale * 100:.0f} %")


class LightPanel(ttk.Frame):
    """Two sliders over the canvas; double-click on a name sets it back."""

    def __init__(self, parent: tk.Misc, theme: Theme, value: Adjustment, changed: Callable[[Adjustment], object]) -> None:
        super().__init__(parent, style="Box.TFrame")
        self._changed = changed
        inner = ttk.Frame(self, style="Card.TFrame")
        inner.pack(padx=theme.px(14), pady=theme.px(12))
        self._values = {
            "Brightness": tk.IntVar(self, value.brightness),
            "Contrast": tk.IntVar(self, value.contrast),
        }
        for row, (name, variable) in enumerate(self._values.items()):
            label(inner, theme, name, "Small").grid(row=row, column=0, sticky="w", padx=(0, theme.px(10)))
            scale = ttk.Scale(
                inner,
                from_=-100,
                to=100,
                variable=variable,
                length=theme.px(180),
                command=lambda _value: self._tell(),
                style="Card.Horizontal.TScale",
            )
            scale.grid(row=row, column=1, pady=theme.px(4))
        label(inner, theme, "Of the view only: the image stays as it is.", "Tiny").grid(row=2, column=0, columnspan=2, sticky="w")
        button(inner, theme, "Reset", self._reset, kind="Ghost").grid(row=3, column=1, sticky="e")

    def _reset(self) -> None:
        for variable in self._values.values():
            variable.set(0)
        self._tell()

    def _tell(self) -> None:
        self._changed(Adjustment(self._values["Brightness"].get(), self._values["Contrast"].get()))
