"""The look: colours, fonts, sizes and named styles, dark and light, switched while the window runs.

Screens use ttk widgets with these style names (or gui.widgets.controls, which finds the surface by itself). A style's name is
KIND.SURFACE.CLASS; KIND and SURFACE may be empty. A label or button must name the surface that it stands on.

SURFACE     "" the window's ground, "Card", "Chrome" (left column, right panel); for frames and labels also "Selected",
            "Ground" (around pictures)
TFrame      "TFrame", "Card.TFrame", "Chrome.TFrame" ... flat;   "Line.TFrame" a separator, 1 px high or wide
            "Box.TFrame" a rounded card on the window, "Box.Chrome.TFrame" one on the chrome, "Box.Card.TFrame" one in a
            card: put a "Card.TFrame" inside with a margin of at least theme.px(10);  "BoxSelected..." chosen
            "Note.TFrame", "WarningNote.TFrame", "DangerNote.TFrame" coloured hints, with "Note.TLabel", "Strong.Note.TLabel"
TLabel      Title Heading Strong Figure (a large number) Muted Small Tiny Mono Accent Positive Warning Danger Badge (a pill)
            e.g. "Heading.TLabel", "Muted.Card.TLabel"
TButton     Primary Submit (green) Secondary Danger Ghost Icon IconOn Nav NavSelected, e.g. "Primary.Chrome.TButton"
TEntry TCombobox TCheckbutton TRadiobutton Switch.TCheckbutton    with a SURFACE, e.g. "Card.TEntry", "Switch.Card.TCheckbutton"
Horizontal.TProgressbar, Success.Horizontal.TProgressbar, Horizontal.TScale, Vertical.TScrollbar, Horizontal.TScrollbar, Treeview
            with a SURFACE in front: "Card.Horizontal.TProgressbar", "Chrome.Vertical.TScrollbar", "Card.Treeview"
fonts       see fonts.py: BODY STRONG SMALL TINY HEADING TITLE FIGURE MONO
colours     see tokens.py: theme.colour("muted")
sizes       theme.px(12): 12 px at 100 % interface size

What ttk does not draw (tk.Canvas, tk.Text, icons in labels) asks `theme.follow(widget, callback)`: called now and at
every change.
"""

from __future__ import annotations

import contextlib
import os
import tkinter as tk
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from PIL import Image
from ttkbootstrap.style import icons

from . import fonts
from .lifetime import at_end
from .slices import Slices
from .style_parts import SURFACES, boot, joined
from .styles import Builder
from .tokens import PALETTES

_icons: Any = icons

SCALES = (0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0)
_TK_BASE = 4 / 3  # Tk's own scale at 96 dpi


class Theme:
    """One per root. mode is "dark" or "light"; scale 1.0 is an interface size of 100 %."""

    def __init__(self, root: Any, mode: str = "dark", scale: float = 1.0) -> None:
        self.root = root
        self.mode = mode
        self.scale = scale
        self._followers: dict[object, tuple[tk.Misc, Callable[[], object]]] = {}
        self._built: set[str] = set()
        self._font_scale = 0.0
        self._repainting, self._preparing = Slices(root), Slices(root)
        # The toolkit would look at every widget at each switch; ours have styles of their own, see follow().
        root.style._theme_walk = lambda: None
        self._apply()

    # ---- what widgets ask --------------------------------------------------------------------------------------------

    def colour(self, name: str) -> str:
        """ "#rrggbb" of a token. Raises KeyError for a name that tokens.py does not have."""
        return PALETTES[self.mode][name]

    @property
    def dark(self) -> bool:
        return self.mode == "dark"

    def px(self, value: float) -> int:
        """Pixels at this interface size; at least 1 for what is not 0."""
        return _scaled(self.scale, value)

    def icon(self, name: str, size: float = 16, colour: str = "text") -> str:
        """The Tk image name of a Bootstrap icon ("plus-lg", "trash", ...); colour is a token or "#rrggbb"."""
        ink = colour if colour.startswith("#") else self.colour(colour)
        return str(boot.Assets(self.root.style).icon(name, size, ink))

    def icon_image(self, name: str, size_px: int, colour: str) -> Image.Image:
        """An icon as a picture, size in real pixels, for what is drawn off the screen."""
        picture: Image.Image = _icons.IconRenderer.render(
            name, size_px, colour if colour.startswith("#") else self.colour(colour)
        )
        return picture

    def surface_of(self, widget: tk.Misc) -> str:
        """The SURFACE that a child of this widget stands on."""
        node: tk.Misc | None = widget
        while node is not None:
            own = getattr(node, "studio_surface", None)
            if isinstance(own, str):
                return own
            with contextlib.suppress(tk.TclError):
                parts = str(node.cget("style")).split(".")
                if parts[0].startswith("Box") or parts[0] == "Dialog":
                    return "Card"
                found = next((part for part in parts[:-1] if part in SURFACES), None)
                if found:
                    return found
                if parts == ["TFrame"]:
                    return ""
            node = node.master
        return ""

    def surface_colour(self, surface: str) -> str:
        return self.colour(SURFACES[surface])

    @staticmethod
    def style(kind: str, surface: str, family: str) -> str:
        """joined("Muted", "Card", "TLabel") -> "Muted.Card.TLabel"."""
        return joined(kind, surface, family)

    def follow(self, widget: tk.Misc, callback: Callable[[], object]) -> None:
        """Calls back now and whenever colours or sizes change, as long as the widget lives."""
        key, followers = object(), self._followers
        followers[key] = (widget, callback)
        at_end(widget, lambda: followers.pop(key, None))
        callback()

    def canvas(self, parent: tk.Misc, surface: str | None = None, **options: Any) -> tk.Canvas:
        """A bare canvas with the colour of its surface."""
        place = self.surface_of(parent) if surface is None else surface
        canvas = tk.Canvas(parent, highlightthickness=0, borderwidth=0, **options)
        canvas._tb_no_autostyle = True  # type: ignore[attr-defined]  # the toolkit's theme walk leaves it alone
        canvas.studio_surface = place  # type: ignore[attr-defined]
        self.follow(canvas, lambda: canvas.configure(background=self.surface_colour(place)))
        return canvas

    def text(self, parent: tk.Misc, mono: bool = False, **options: Any) -> tk.Text:
        """A multi-line text field in our colours."""
        text = tk.Text(parent, borderwidth=0, highlightthickness=self.px(1), relief="flat", wrap="word", **options)
        text._tb_no_autostyle = True  # type: ignore[attr-defined]

        def paint() -> None:
            text.configure(
                background=self.colour("input"),
                foreground=self.colour("text"),
                insertbackground=self.colour("text"),
                selectbackground=self.colour("primary"),
                selectforeground=self.colour("on_primary"),
                highlightbackground=self.colour("border"),
                highlightcolor=self.colour("focus"),
                font=fonts.MONO if mono else fonts.BODY,
                padx=self.px(10),
                pady=self.px(8),
            )

        self.follow(text, paint)
        return text

    def menu(self, parent: tk.Misc) -> tk.Menu:
        """A pop-up menu in our colours; make one for each showing."""
        menu = tk.Menu(parent, tearoff=False)
        menu._tb_no_autostyle = True  # type: ignore[attr-defined]
        menu.configure(
            background=self.colour("card"),
            foreground=self.colour("text"),
            activebackground=self.colour("selected"),
            activeforeground=self.colour("selected_text"),
            disabledforeground=self.colour("on_disabled"),
            font=fonts.BODY,
            relief="flat",
            borderwidth=self.px(1),
            activeborderwidth=self.px(4),
        )
        return menu

    # ---- switching ------------------------------------------------------------------------------------------------------

    def use(self, mode: str | None = None, scale: float | None = None) -> None:
        """Changes the mode or the interface size; every follower is called."""
        new = (mode or self.mode, scale or self.scale)
        if new == (self.mode, self.scale):
            return
        self.mode, self.scale = new
        self._apply()
        hidden = []
        for key, (widget, _callback) in list(self._followers.items()):
            if key in self._followers and widget.winfo_viewable():
                self._call(key)
            else:
                hidden.append(key)
        self._repainting.start([lambda key=key: self._call(key) for key in hidden])  # type: ignore[misc]

    def _call(self, key: object) -> None:
        """A follower, unless it went meanwhile."""
        if key in self._followers:
            self._followers[key][1]()

    def close(self) -> None:
        """What is not repainted or prepared yet never is."""
        self._repainting.cancel()
        self._preparing.cancel()

    def prepare_other_mode(self) -> None:
        """Builds the styles of the other mode while nothing else is to do, so that a switch is quick."""
        if self._preparing.waiting:
            return  # for somebody who wants to use what is being prepared
        self.prepare("light" if self.dark else "dark", self.scale, lambda: None)

    def prepare(self, mode: str, scale: float, ready: Callable[[], object]) -> None:
        """Builds what `use` needs, a little at every turn of Tk, and calls ready: at once where it is built already.

        Another call takes the place of one that is not done.
        """
        name = _name(mode, scale)
        self._preparing.cancel()
        if name in self._built:
            ready()
            return
        style = self.root.style

        @contextlib.contextmanager
        def elsewhere() -> Iterator[None]:
            """Styles are built for the theme in use, and sized for the present scaling: both only for this turn."""
            shown, scaling = style.theme_use(), self.root.tk.call("tk", "scaling")
            self.root.tk.call("tk", "scaling", _TK_BASE * scale)
            self._select(name, scale)
            try:
                yield
            finally:
                style.theme_use(shown)
                self.root.tk.call("tk", "scaling", scaling)

        steps = Builder(style, PALETTES[mode], partial(_scaled, scale), name).steps()
        self._preparing.start([*steps, lambda: self._built.add(name)], elsewhere, ready)

    def _select(self, name: str, scale: float) -> None:
        """The toolkit's theme of this name, made where it is not there."""
        if name not in self.root.style.theme_names():
            _family(f"studio{round(scale * 100)}").register()
        self.root.style.theme_use(name)

    def _apply(self) -> None:
        root = self.root
        if self.scale != self._font_scale:  # each change of a font lays the whole window out again
            root.tk.call("tk", "scaling", _TK_BASE * self.scale)
            fonts.install(root, self.scale)
            self._font_scale = self.scale
        name = _name(self.mode, self.scale)
        self._select(name, self.scale)
        if name not in self._built:
            Builder(root.style, PALETTES[self.mode], self.px, name).build()
            self._built.add(name)
        root.configure(background=self.colour("window"))
        for option, token in (
            ("background", "card"),
            ("foreground", "text"),
            ("selectBackground", "selected"),
            ("selectForeground", "selected_text"),
        ):
            root.option_add(f"*TCombobox*Listbox.{option}", self.colour(token))
        root.option_add("*TCombobox*Listbox.font", fonts.BODY)
        root.event_generate("<<ThemeChanged>>")


def _name(mode: str, scale: float) -> str:
    """Of the toolkit's theme."""
    return f"studio{round(scale * 100)}-{mode}"


def _scaled(scale: float, value: float) -> int:
    """Pixels; at least 1 for what is not 0."""
    return max(1, round(value * scale)) if value > 0 else round(value * scale)


def grabber(widget: tk.Misc) -> tk.Misc | None:
    """The widget that has the pointer for itself (an open dialog), if any."""
    name = str(widget.tk.call("grab", "current", str(widget)))
    try:
        return widget.nametowidget(name) if name else None
    except KeyError:
        return None  # one of Tk's own, such as an open list of choices


def focused(widget: tk.Misc) -> tk.Misc | None:
    """What has the keyboard, if it is ours. (tkinter's focus_get fails on what Tcl made, such as Tk's file chooser.)"""
    try:
        return widget.focus_get()
    except KeyError:
        return None


def _family(name: str) -> Any:
    dark, light = PALETTES["dark"], PALETTES["light"]
    return boot.Theme(
        name,
        primary=light["primary"],
        success=light["success"],
        info="#3b82f6",
        warning="#f59e0b",
        danger=light["danger"],
        neutral="#a1a1aa",
        light={"background": light["window"], "foreground": light["text"]},
        dark={"background": dark["window"], "foreground": dark["text"]},
    )


def system_mode(root: tk.Misc) -> str:
    """What the desktop prefers where it says so, else dark."""
    named = os.environ.get("GTK_THEME", "") + os.environ.get("COLORFGBG", "")
    if "light" in named.lower() or named.endswith(";15"):
        return "light"
    return "dark"
