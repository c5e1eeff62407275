"""What styles are made of: names, colours of surfaces, and pictures that are stretched between their rims.

Element names carry the theme's name, because ttk knows elements for the whole process and refuses a second one of a name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ttkbootstrap
from PIL import Image, ImageDraw, ImageTk

boot: Any = ttkbootstrap  # carries a py.typed mark, but few annotations

# Suffix of a style -> the palette's name of the surface that it stands on.
SURFACES = {"": "window", "Card": "card", "Chrome": "chrome", "Selected": "selected", "Ground": "ground"}


def joined(*parts: str) -> str:
    """A style's name from its parts; empty ones are left out."""
    return ".".join(part for part in parts if part)


def rounded(fill: str, edge: str, ground: str, radius: int, width: int, size: tuple[int, int]) -> Image.Image:
    """A rounded rectangle that fills a picture of size (width, height) px, smooth at the corners."""
    factor, corner = 4, min(radius + 2, min(size) // 2)
    small = Image.new("RGB", (corner * 2 * factor, corner * 2 * factor), ground)
    last = corner * 2 * factor - 1
    ImageDraw.Draw(small).rounded_rectangle((0, 0, last, last), radius * factor, fill=fill, outline=edge, width=width * factor)
    small = small.resize((corner * 2, corner * 2), Image.Resampling.LANCZOS)
    picture = Image.new("RGB", size, fill)
    ImageDraw.Draw(picture).rectangle((0, 0, size[0] - 1, size[1] - 1), outline=edge, width=width)
    for x in (0, 1):
        for y in (0, 1):
            part = small.crop((x * corner, y * corner, x * corner + corner, y * corner + corner))
            picture.paste(part, (x * (size[0] - corner), y * (size[1] - corner)))
    return picture


class Parts:
    """For one palette and one size."""

    def __init__(self, style: Any, palette: Mapping[str, str], px: Callable[[float], int], theme: str) -> None:
        self.style = style
        self.palette = palette
        self.px = px
        self.theme = theme
        self.assets = boot.Assets(style)

    def colour(self, name: str | None, surface: str) -> str:
        return self.palette[name if name is not None else SURFACES[surface]]

    def configure(self, name: str, **options: object) -> None:
        self.style._build_configure(name, **options)

    def element(self, name: str) -> str:
        """Unique per theme. The last part must not be one that ttk would find a fallback for."""
        return f"{self.theme}.{name}"

    def patch(self, fill: str, outline: str | None, surface: str, radius: float = 8, width: float = 1, middle: int = 16) -> str:
        """A rounded rectangle on the colour of its surface; `middle` px in its middle are there to be repeated.

        Without transparency, because Tk reads the screen back for each tile that has some.
        """
        ground, edge = self.colour(None, surface), outline or fill
        px, size = (self.px(radius), self.px(width)), self.px(12) * 2 + middle
        return self.image(("patch", fill, edge, ground, *px, size), lambda: rounded(fill, edge, ground, *px, (size, size)))

    def image(self, key: tuple[object, ...], draw: Callable[[], Image.Image]) -> str:
        """The Tk name of a picture, kept for as long as the program runs."""
        return str(self.style._get_or_create_image(("studio", *key), lambda: ImageTk.PhotoImage(draw())))

    def nine(self, name: str, default: str, states: dict[str, str] | None = None, border: float = 10) -> str:
        """An element drawn from an image whose rim of `border` px is kept as it is. Its least size is that of two rims."""
        element, rim = self.element(name), self.px(border)
        options = {"border": rim, "padding": 0, "sticky": "nsew", "width": rim * 2, "height": rim * 2}
        boot.image_element(self.style, element, default=default, states=states, **options)
        return element

    def bar(self, fill: str, surface: str, upright: bool = False, thick: int = 6) -> str:
        """A line with round ends on its surface, to be drawn at any length."""
        ground, width, length = self.colour(None, surface), self.px(thick), self.px(12) + 64
        size = (width, length) if upright else (length, width)

        def draw() -> Image.Image:
            big = Image.new("RGB", (size[0] * 4, size[1] * 4), ground)
            box = (0, 0, size[0] * 4 - 1, size[1] * 4 - 1)
            ImageDraw.Draw(big).rounded_rectangle(box, width * 2, fill=fill)
            return big.resize(size, Image.Resampling.LANCZOS)

        return self.image(("bar", fill, ground, *size), draw)
