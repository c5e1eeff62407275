"""Builds the named ttk styles of theme.py for one palette and one size: layouts and colours, of the parts in style_parts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PIL import ImageDraw

from . import fonts
from .style_parts import SURFACES, Parts, boot, joined

_WITH_CONTROLS = ("", "Card", "Chrome")  # elsewhere are only labels and frames: every control costs a dozen pictures
_LABELS = {
    "": ("text", fonts.BODY),
    "Title": ("text", fonts.TITLE),
    "Heading": ("text", fonts.HEADING),
    "Strong": ("text", fonts.STRONG),
    "Figure": ("text", fonts.FIGURE),
    "Muted": ("muted", fonts.BODY),
    "Small": ("muted", fonts.SMALL),
    "Tiny": ("muted", fonts.TINY),
    "Mono": ("text", fonts.MONO),
    "Accent": ("accent", fonts.STRONG),
    "Positive": ("positive", fonts.STRONG),
    "Warning": ("warning", fonts.BODY),
    "Danger": ("danger", fonts.BODY),
}
# kind -> fill, fill hovered, fill pressed, outline, text; None is the surface itself
_BUTTONS: dict[str, tuple[str | None, str, str, str | None, str]] = {
    "Primary": ("primary", "primary_hover", "primary_pressed", None, "on_primary"),
    "Submit": ("success", "success_hover", "success_pressed", None, "on_success"),
    "Secondary": ("card", "hover", "selected", "border", "text"),
    "Danger": (None, "danger_wash", "danger_wash", "danger", "danger"),
    "Ghost": (None, "hover", "selected", None, "text"),
    "Nav": (None, "hover", "selected", None, "muted"),
    "NavSelected": ("selected", "selected", "selected", None, "selected_text"),
    "Icon": (None, "hover", "selected", None, "muted"),
    "IconOn": ("selected", "selected", "selected", "accent", "selected_text"),
}


class Builder(Parts):
    """One run over all styles for the theme in use."""

    def build(self) -> None:
        for step in self.steps():
            step()

    def steps(self) -> list[Callable[[], object]]:
        """Everything, in pieces of a few milliseconds."""
        everywhere = [partial(make, surface) for surface in SURFACES for make in (self._labels, self._frames)]
        controls = (self._buttons, self._choices, self._progress)
        with_controls = [partial(make, surface) for surface in _WITH_CONTROLS for make in controls]
        rest = [self._boxes, self._fields, self._scrollbars, self._tree, self._scales]
        return [self._base, *everywhere, *with_controls, *rest]

    # ---- groups of styles -----------------------------------------------------------------------------------------

    def _base(self) -> None:
        p = self.palette
        self.configure(
            ".",
            background=p["window"],
            foreground=p["text"],
            font=fonts.BODY,
            troughcolor=p["trough"],
            selectbackground=p["primary"],
            selectforeground=p["on_primary"],
            insertcolor=p["text"],
            bordercolor=p["border"],
            focuscolor=p["focus"],
        )

    def _labels(self, surface: str) -> None:
        for kind, (colour, font) in _LABELS.items():
            name = joined(kind, surface, "TLabel")
            shown = "selected_text" if surface == "Selected" and colour in ("text", "muted") else colour
            self.configure(name, background=self.colour(None, surface), foreground=self.palette[shown], font=font)
            boot.register_style(self.style, name)
        badge = joined("Badge", surface, "TLabel")
        element = self.nine(f"Badge{surface}.field", self.patch(self.palette["trough"], None, surface, radius=7), border=9)
        boot.layout(
            self.style,
            badge,
            boot.El(element, sticky="nsew", children=[boot.El("Label.padding", children=[boot.El("Label.label")])]),
        )
        self.configure(
            badge,
            background=self.colour(None, surface),
            foreground=self.palette["text"],
            font=fonts.TINY,
            padding=(self.px(7), self.px(1)),
        )

    def _frames(self, surface: str) -> None:
        name = joined(surface, "TFrame")
        self.configure(name, background=self.colour(None, surface), borderwidth=0, relief="flat")
        boot.register_style(self.style, name)
        line = joined("Line", surface, "TFrame")
        self.configure(line, background=self.palette["border"], borderwidth=0, relief="flat")
        boot.register_style(self.style, line)

    def _boxes(self) -> None:
        """Rounded frames. Box stands on the window, Box.Chrome on the chrome."""
        p = self.palette
        fills = {
            "Box": ("card", "border", 1),
            "BoxSelected": ("card", "primary", 2),
            "BoxHover": ("hover", "border_strong", 1),
            "Dialog": ("card", "border_strong", 1),
        }
        for kind, (fill, outline, width) in fills.items():
            for surface in ("", "Chrome", "Card"):
                element = self.nine(f"{kind}{surface}.box", self.patch(p[fill], p[outline], surface, 10, width, 256), border=12)
                name = joined(kind, surface, "TFrame")
                boot.layout(self.style, name, boot.El(element, sticky="nsew"))
                self.configure(name, background=self.colour(None, surface), borderwidth=0)
        for kind, fill in (("Note", "selected"), ("WarningNote", "warning_wash"), ("DangerNote", "danger_wash")):
            for surface in ("", "Chrome", "Card"):
                element = self.nine(f"{kind}{surface}.box", self.patch(p[fill], None, surface, 8, middle=128), border=12)
                name = joined(kind, surface, "TFrame")
                boot.layout(self.style, name, boot.El(element, sticky="nsew"))
                self.configure(name, background=self.colour(None, surface), borderwidth=0)
            for text in ("", "Strong"):
                label = joined(text, kind, "TLabel")
                self.configure(label, background=p[fill], foreground=p["text"], font=fonts.STRONG if text else fonts.BODY)
                boot.register_style(self.style, label)
        self.configure("Tooltip.TLabel", background=p["tooltip"], foreground=p["on_tooltip"], font=fonts.SMALL)
        boot.register_style(self.style, "Tooltip.TLabel")

    def _buttons(self, surface: str) -> None:
        p, px = self.palette, self.px
        for kind, (fill, hover, pressed, outline, text) in _BUTTONS.items():
            name = joined(kind, surface, "TButton")
            base = self.colour(fill, surface)
            edge = p[outline] if outline else base
            quiet = p["disabled"] if fill in ("primary", "success", "card") else base
            states = {
                "disabled": self.patch(quiet, p["border"] if outline else quiet, surface),
                "focus": self.patch(base, p["focus"], surface, width=2),
                "pressed": self.patch(p[pressed], p[outline] if outline else p[pressed], surface),
                "active": self.patch(p[hover], p[outline] if outline else p[hover], surface),
            }
            element = self.nine(f"{kind}{surface}.button", self.patch(base, edge, surface), states)
            inner = boot.El("Button.padding", sticky="nsew", children=[boot.El("Button.label", sticky="nsew")])
            boot.layout(self.style, name, boot.El(element, sticky="nsew", children=[inner]))
            padding = (px(7), px(6)) if kind.startswith("Icon") else (px(14), px(7))
            self.configure(
                name,
                background=self.colour(None, surface),
                foreground=p[text],
                font=fonts.BODY,
                padding=padding,
                anchor="w" if kind.startswith("Nav") else "center",
                borderwidth=0,
                shiftrelief=0,
            )
            self.style.map(name, foreground=[("disabled", p["on_disabled"])], background=[])

    def _choices(self, surface: str) -> None:
        """Check boxes, radio buttons and the switch."""
        p, px = self.palette, self.px
        ground = self.colour(None, surface)
        for kind, draw in (("TCheckbutton", self._check), ("TRadiobutton", self._radio), ("Switch.TCheckbutton", self._switch)):
            family = kind.rsplit(".", 1)[-1]
            prefix = kind[: -len(family)].rstrip(".")
            name = joined(prefix, surface, family)
            indicator = self.element(f"{prefix}{surface}{family}.mark")
            boot.image_element(
                self.style,
                indicator,
                default=draw(False, "border_strong"),
                states={
                    "disabled selected": draw(True, "on_disabled"),
                    "disabled": draw(False, "disabled"),
                    "selected focus": draw(True, "focus"),
                    "selected": draw(True, "primary"),
                    "focus": draw(False, "focus"),
                    "active": draw(False, "muted"),
                },
                sticky="",
                padding=0,
            )
            core = family[1:]
            parts = [
                boot.El(indicator, side="left", sticky=""),
                boot.El(f"{core}.padding", side="left", sticky="nsew", children=[boot.El(f"{core}.label", sticky="nsew")]),
            ]
            boot.layout(self.style, name, parts)
            self.configure(name, background=ground, foreground=p["text"], font=fonts.BODY, padding=(px(8), px(3)))
            self.style.map(name, foreground=[("disabled", p["on_disabled"])], background=[])

    def _check(self, on: bool, edge: str) -> str:
        p = self.palette

        def check_mark(draw: ImageDraw.ImageDraw, w: int, h: int) -> None:
            fill = p["primary"] if on and edge != "on_disabled" else p["input"]
            draw.rounded_rectangle((1, 1, w - 2, h - 2), w // 4, fill=fill, outline=p[edge], width=max(1, w // 12))
            if on:
                ink = p["on_primary"] if edge != "on_disabled" else p[edge]
                draw.line(
                    [(w * 0.26, h * 0.52), (w * 0.44, h * 0.70), (w * 0.75, h * 0.32)], fill=ink, width=w // 8, joint="curve"
                )

        return str(self.assets.image((18, 18), check_mark, self.theme, on, edge))

    def _radio(self, on: bool, edge: str) -> str:
        p = self.palette

        def radio_mark(draw: ImageDraw.ImageDraw, w: int, h: int) -> None:
            draw.ellipse((1, 1, w - 2, h - 2), fill=p["input"], outline=p[edge], width=max(1, w // 12))
            if on:
                draw.ellipse((w * 0.28, h * 0.28, w * 0.72, h * 0.72), fill=p["primary" if edge != "on_disabled" else edge])

        return str(self.assets.image((18, 18), radio_mark, self.theme, on, edge))

    def _switch(self, on: bool, edge: str) -> str:
        p = self.palette

        def switch_mark(draw: ImageDraw.ImageDraw, w: int, h: int) -> None:
            track = p["primary"] if on and edge != "on_disabled" else p["trough"]
            line = p["focus"] if edge == "focus" else track
            draw.rounded_rectangle((0, h * 0.08, w - 1, h * 0.92), h // 2, fill=track, outline=line, width=max(1, h // 10))
            left = w - h * 0.86 if on else h * 0.10
            draw.ellipse((left, h * 0.18, left + h * 0.64, h * 0.82), fill=p["on_primary"])

        return str(self.assets.image((36, 20), switch_mark, self.theme, on, edge))

    def _fields(self) -> None:
        """Entry, combobox, spinbox: one field image with a visible focus ring."""
        p, px = self.palette, self.px
        arrow = str(self.assets.icon("chevron-down", 12, p["muted"]))
        for surface in _WITH_CONTROLS:
            states = {
                "invalid": self.patch(p["input"], p["danger"], surface, width=2, middle=64),
                "disabled": self.patch(p["disabled"], p["border"], surface, middle=64),
                "focus": self.patch(p["input"], p["focus"], surface, width=2, middle=64),
            }
            element = self.nine(f"Field{surface}.entry", self.patch(p["input"], p["border"], surface, middle=64), states)
            text = boot.El("Entry.padding", sticky="nsew", children=[boot.El("Entry.textarea", sticky="nsew")])
            boot.layout(self.style, joined(surface, "TEntry"), boot.El(element, sticky="nsew", children=[text]))
            search = joined("Search", surface, "TEntry")
            boot.layout(self.style, search, boot.El(element, sticky="nsew", children=[text]))
            self.configure(search, padding=(px(32), px(7), px(10), px(7)))
            mark = self.element(f"Field{surface}.arrow")
            boot.image_element(self.style, mark, default=arrow, sticky="", padding=0, width=px(28))
            combo = [
                boot.El(mark, side="right", sticky=""),
                boot.El("Combobox.padding", sticky="nsew", expand=1, children=[boot.El("Combobox.textarea", sticky="nsew")]),
            ]
            boot.layout(self.style, joined(surface, "TCombobox"), boot.El(element, sticky="nsew", children=combo))
            for family in ("TEntry", "TCombobox"):
                name = joined(surface, family)
                self.configure(
                    name,
                    background=self.colour(None, surface),
                    foreground=p["text"],
                    fieldbackground=p["input"],
                    insertcolor=p["text"],
                    padding=(px(10), px(7)),
                    borderwidth=0,
                )
                self.style.map(
                    name,
                    foreground=[("disabled", p["on_disabled"])],
                    selectbackground=[("!focus", p["input"]), ("", p["primary"])],
                    selectforeground=[("!focus", p["text"]), ("", p["on_primary"])],
                )

    def _progress(self, surface: str) -> None:
        p = self.palette
        trough = self.nine(f"Bar{surface}.trough", self.bar(p["trough"], surface), border=3)
        for kind, fill in (("", "primary"), ("Success", "positive")):
            bar = self.nine(f"Bar{kind}{surface}.pbar", self.bar(p[fill], surface), border=3)
            name = joined(kind, surface, "Horizontal", "TProgressbar")
            boot.layout(self.style, name, boot.El(trough, sticky="we", children=[boot.El(bar, side="left", sticky="we")]))
            self.configure(name, background=self.colour(None, surface), thickness=self.px(6), borderwidth=0)

    def _scrollbars(self) -> None:
        p, px = self.palette, self.px
        for surface in _WITH_CONTROLS:
            ground = self.colour(None, surface)
            for orient, sticky in (("Vertical", "ns"), ("Horizontal", "we")):
                thumb = self.element(f"{orient}{surface}.thumb")

                def bar(name: str, place: str = surface, upright: bool = orient == "Vertical") -> str:
                    return self.bar(p[name], place, upright, thick=8)

                boot.image_element(
                    self.style,
                    thumb,
                    default=bar("border_strong"),
                    states={
                        "disabled": self.bar(ground, surface, orient == "Vertical", 8),
                        "pressed": bar("muted"),
                        "active": bar("faint"),
                    },
                    border=px(4),
                    padding=0,
                    sticky="nsew",
                )
                name = joined(surface, orient, "TScrollbar")
                trough = boot.El(f"{orient}.Scrollbar.trough", sticky=sticky, children=[boot.El(thumb, expand=1, sticky="nsew")])
                boot.layout(self.style, name, trough)
                self.configure(
                    name,
                    background=ground,
                    troughcolor=ground,
                    bordercolor=ground,
                    lightcolor=ground,
                    darkcolor=ground,
                    borderwidth=0,
                    relief="flat",
                    troughrelief="flat",
                    arrowsize=px(8),
                )

    def _tree(self) -> None:
        p, px = self.palette, self.px
        for surface in ("", "Card", "Chrome"):
            name = joined(surface, "Treeview")
            ground = self.colour("card" if not surface else None, surface)
            boot.layout(self.style, name, boot.El("Treeview.treearea", sticky="nsew"))
            self.configure(
                name,
                background=ground,
                fieldbackground=ground,
                foreground=p["text"],
                font=fonts.BODY,
                rowheight=px(34),
                borderwidth=0,
                relief="flat",
                indent=px(18),
            )
            self.style.map(name, background=[("selected", p["selected"])], foreground=[("selected", p["selected_text"])])
            heading = f"{name}.Heading"
            self.configure(
                heading, background=ground, foreground=p["muted"], font=fonts.SMALL, relief="flat", padding=(px(6), px(7))
            )
            self.configure(heading, borderwidth=0, bordercolor=ground, lightcolor=ground, darkcolor=ground)
            self.style.map(heading, background=[("active", p["hover"])], foreground=[("active", p["text"])])
            boot.register_style(self.style, heading)

    def _scales(self) -> None:
        p, px = self.palette, self.px
        for surface in _WITH_CONTROLS:
            name = joined(surface, "Horizontal", "TScale")
            track = self.nine(f"Scale{surface}.trough", self.bar(p["trough"], surface), border=3)
            slider = self.element(f"Scale{surface}.slider")
            boot.image_element(
                self.style,
                slider,
                default=str(self.assets.circle(p["primary"], 18)),
                states={
                    "disabled": str(self.assets.circle(p["on_disabled"], 18)),
                    "focus": str(self.assets.circle(p["primary"], 18, outline=p["focus"], width=3)),
                    "active": str(self.assets.circle(p["primary_hover"], 18)),
                },
                sticky="",
                padding=0,
            )
            boot.layout(self.style, name, [boot.El(track, sticky="we"), boot.El(slider, side="left", sticky="")])
            self.configure(name, background=self.colour(None, surface), borderwidth=0, sliderlength=px(18))
