"""The named fonts of the window, in pixels, so that the interface size is ours to choose.

Family Inter where it is installed, else the system's. Use the names: they follow when the size changes.
"""

from __future__ import annotations

import tkinter as tk
from tkinter import font as tkfont

BODY = "StudioBody"
STRONG = "StudioStrong"
SMALL = "StudioSmall"
TINY = "StudioTiny"
HEADING = "StudioHeading"
TITLE = "StudioTitle"
FIGURE = "StudioFigure"
MONO = "StudioMono"

# name -> (size in px at 100 %, bold)
SIZES: dict[str, tuple[int, bool]] = {
    BODY: (13, False),
    STRONG: (13, True),
    SMALL: (12, False),
    TINY: (11, False),
    HEADING: (16, True),
    TITLE: (26, True),
    FIGURE: (20, True),
    MONO: (12, False),
}
_SANS = ("Inter", "Segoe UI", "SF Pro Text", "Cantarell", "Noto Sans", "DejaVu Sans")
_MONO = ("JetBrains Mono", "DejaVu Sans Mono", "Consolas", "Menlo", "Liberation Mono", "Courier New")
_TK_NAMES = ("TkDefaultFont", "TkTextFont", "TkMenuFont", "TkHeadingFont", "TkCaptionFont", "TkTooltipFont", "TkSmallCaptionFont")


def install(root: tk.Misc, scale: float) -> None:
    """Makes or changes the named fonts for an interface size (1.0 is 100 %)."""
    present = set(tkfont.families(root))
    names = set(tkfont.names(root))
    sans = next((family for family in _SANS if family in present), "TkDefaultFont")
    mono = next((family for family in _MONO if family in present), "TkFixedFont")
    for name, (size, bold) in SIZES.items():
        options = {
            "family": mono if name == MONO else sans,
            "size": -max(8, round(size * scale)),
            "weight": "bold" if bold else "normal",
        }
        root.tk.call("font", "configure" if name in names else "create", name, *_flat(options))
    for name in _TK_NAMES:
        if name in names:
            root.tk.call("font", "configure", name, *_flat({"family": sans, "size": -round(13 * scale), "weight": "normal"}))
    if "TkFixedFont" in names:
        root.tk.call("font", "configure", "TkFixedFont", *_flat({"family": mono, "size": -round(12 * scale)}))


def family(root: tk.Misc) -> str:
    """The family in use, for pictures that are drawn elsewhere (charts)."""
    return str(root.tk.call("font", "configure", BODY, "-family"))


def measure(root: tk.Misc, name: str, text: str) -> int:
    """Width in px."""
    return int(root.tk.call("font", "measure", name, text))


def line_height(root: tk.Misc, name: str) -> int:
    return int(root.tk.call("font", "metrics", name, "-linespace"))


def shorten(root: tk.Misc, name: str, text: str, width_px: int) -> str:
    """The text, or its beginning with '…', so that it fits."""
    if measure(root, name, text) <= width_px:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(root, name, text[:middle].rstrip() + "…") <= width_px:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…" if low else "…"


def _flat(options: dict[str, object]) -> list[object]:
    return [part for key, value in options.items() for part in (f"-{key}", value)]
