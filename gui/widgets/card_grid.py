"""A grid of cards with pictures, title and a line; only visible cards are drawn, so thousands cost no more than dozens.

Pictures come later: a card names its pictures by keys, the grid asks for the ones it is about to show, and `set_picture` brings
them. What is not shown is forgotten after a while and asked for again.
"""

from __future__ import annotations

import tkinter as tk
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageTk

from ..tk import fonts
from ..tk.theme import Theme
from .virtual import VirtualCanvas, on_click

_WIDTH_PX, _GAP_PX, _PAD_PX, _TEXT_PX = 190, 14, 10, 52
_KEPT_PICTURES = 400


@dataclass(frozen=True, slots=True)
class Card:
    """pictures: up to three keys. line_right: the right end of the line ("88 files"). icon: instead of pictures ("plus-lg")."""

    id: Hashable
    title: str
    line: str = ""
    line_right: str = ""
    pictures: tuple[Hashable, ...] = ()
    icon: str = ""
    menu: bool = False


class CardGrid(VirtualCanvas):
    """Arrow keys move, Enter or Space chooses, the Menu key opens a card's '…' menu."""

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        chosen: Callable[[Hashable], object],
        wanted: Callable[[Hashable, tuple[int, int]], object] | None = None,
        menu: Callable[[Hashable, int, int], object] | None = None,
        picture_px: int = 104,
        activated: Callable[[Hashable], object] | None = None,
        empty: str = "",
    ) -> None:
        """chosen(id). wanted(key, (w, h)): a picture of about that size is needed, see set_picture. menu(id, x_root, y_root).

        activated(id): a double click or Enter on the chosen card.
        """
        super().__init__(parent, theme)
        self._chosen, self._wanted, self._menu, self._activated, self._empty = chosen, wanted, menu, activated, empty
        self._picture_px = picture_px
        self._cards: list[Card] = []
        self._index: dict[Hashable, int] = {}
        self._pictures: OrderedDict[tuple[Hashable, int, int], ImageTk.PhotoImage] = OrderedDict()
        self._sources: OrderedDict[Hashable, Image.Image] = OrderedDict()
        self._asked: set[Hashable] = set()
        self._hover: Hashable | None = None
        self.selected: Hashable | None = None
        on_click(self.canvas, self._clicked)
        self.canvas.bind("<Double-Button-1>", lambda _event: self._activate())
        self.canvas.bind("<ButtonPress-3>", self._right_clicked)
        self.canvas.bind("<Motion>", lambda event: self._hovered(self.card_at(event.x, event.y)))
        self.canvas.bind("<Leave>", lambda _event: self._hovered(None))
        for key, columns, rows in (("<Left>", -1, 0), ("<Right>", 1, 0), ("<Up>", 0, -1), ("<Down>", 0, 1)):
            self.canvas.bind(key, lambda _event, c=columns, r=rows: self._move(c, r))  # type: ignore[misc]
        self.canvas.bind("<Return>", lambda _event: self._activate())
        self.canvas.bind("<space>", lambda _event: self._activate())

    # ---- for the screen ----------------------------------------------------------------------------------------------

    def set_cards(self, cards: Sequence[Card]) -> None:
        self._cards = list(cards)
        self._index = {card.id: index for index, card in enumerate(self._cards)}
        if self.selected not in self._index:
            self.selected = None
        self.redraw()

    def select(self, card_id: Hashable | None) -> None:
        """Marks a card and shows it; does not call `chosen`."""
        self.selected = card_id
        if card_id in self._index:
            _left, top, _right, bottom = self._place(self._index[card_id])
            self.see(top, bottom)
        self.redraw()

    def set_picture(self, key: Hashable, picture: Image.Image) -> None:
        """RGB, at least about the size that was asked for; it is cropped to fill its place."""
        self._sources[key] = picture
        self._sources.move_to_end(key)
        while len(self._sources) > _KEPT_PICTURES:
            old, _picture = self._sources.popitem(last=False)
            self._asked.discard(old)
        self._pictures = OrderedDict((name, image) for name, image in self._pictures.items() if name[0] != key)
        self.redraw()

    def card_at(self, x: int, y: int) -> Hashable | None:
        columns, width, height = self._metrics()
        column, row = x // (width + self._gap), (y + self.top) // (height + self._gap)
        index = row * columns + column
        inside = column < columns and x % (width + self._gap) < width and (y + self.top) % (height + self._gap) < height
        return self._cards[index].id if inside and 0 <= index < len(self._cards) else None

    def place_of(self, card_id: Hashable) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 on the canvas. Raises KeyError."""
        left, top, right, bottom = self._place(self._index[card_id])
        return left, top - self.top, right, bottom - self.top

    # ---- geometry ----------------------------------------------------------------------------------------------------

    @property
    def _gap(self) -> int:
        return self.theme.px(_GAP_PX)

    def _metrics(self) -> tuple[int, int, int]:
        """columns, width and height of a card in px."""
        total = max(1, self.width)
        columns = max(1, (total + self._gap) // (self.theme.px(_WIDTH_PX) + self._gap))
        width = (total - self._gap * (columns - 1)) // columns
        return columns, width, self.theme.px(self._picture_px + 2 * _PAD_PX + _TEXT_PX - _PAD_PX)

    def _place(self, index: int) -> tuple[int, int, int, int]:
        columns, width, height = self._metrics()
        left, top = index % columns * (width + self._gap), index // columns * (height + self._gap)
        return left, top, left + width, top + height

    def content_height(self, width: int) -> int:
        del width
        columns, _width, height = self._metrics()
        rows = -(-len(self._cards) // columns)
        return rows * (height + self._gap)

    # ---- drawing -------------------------------------------------------------------------------------------------------

    def draw(self, top: int, bottom: int) -> None:
        if not self._cards and self._empty:
            self.text(self.theme.px(8), self.theme.px(16), self._empty, fonts.BODY, "muted", width=self.width - self.theme.px(16))
        columns, _width, height = self._metrics()
        first = max(0, top // (height + self._gap)) * columns
        last = (bottom // (height + self._gap) + 1) * columns
        for index in range(first, min(last, len(self._cards))):
            self._draw_card(index)

    def _draw_card(self, index: int) -> None:
        card, px = self._cards[index], self.theme.px
        left, top, right, bottom = self._place(index)
        top, bottom = top - self.top, bottom - self.top
        chosen, hover = card.id == self.selected, card.id == self._hover
        edge = "focus" if chosen and self.has_focus else "primary" if chosen else "border_strong" if hover else "border"
        width, height, pad = right - left, bottom - top, px(_PAD_PX)
        self.box(left, top, width, height, "hover" if hover and card.icon else "card", edge, line=2 if chosen else 1, radius=10)
        if card.icon:
            middle = left + width // 2
            self.icon(middle, top + height // 2 - px(12), card.icon, 26, "accent")
            self.text(
                middle,
                top + height // 2 + px(16),
                card.title,
                fonts.BODY,
                "muted",
                anchor="center",
                width=width - 2 * pad,
                justify="center",
            )
            return
        picture_height = px(self._picture_px)
        self._draw_pictures(card, left + pad, top + pad, width - 2 * pad, picture_height)
        y, room = top + pad + picture_height + px(7), width - 2 * pad - px(2) - (px(22) if card.menu else 0)
        self.text(left + pad + px(1), y, fonts.shorten(self, fonts.STRONG, card.title, room), fonts.STRONG, "text")
        self.text(left + pad + px(1), y + px(19), fonts.shorten(self, fonts.SMALL, card.line, room), fonts.SMALL, "muted")
        if card.line_right:
            self.text(right - pad - px(1), y + px(19), card.line_right, fonts.SMALL, "muted", anchor="ne")
        if card.menu and (chosen or hover):
            self.icon(right - pad - px(6), y + px(8), "three-dots", 16, "muted")

    def _draw_pictures(self, card: Card, left: int, top: int, width: int, height: int) -> None:
        """One picture fills the place; with three, the first is large and two stand beside it."""
        gap = self.theme.px(3)
        keys = card.pictures[:3] if len(card.pictures) >= 3 else card.pictures[:1]
        if len(keys) == 3:
            big, small, half = (width * 3 - gap * 5) // 5, width - (width * 3 - gap * 5) // 5 - gap, (height - gap) // 2
            places = [(0, 0, big, height), (big + gap, 0, small, half), (big + gap, half + gap, small, height - half - gap)]
        else:
            places = [(0, 0, width, height)]
        for slot, (x, y, w, h) in enumerate(places):
            picture = self._picture(keys[slot], w, h) if slot < len(keys) else None
            if picture is None:
                self.box(left + x, top + y, w, h, "hover", "hover", radius=6)
                if not keys:
                    self.icon(left + x + w // 2, top + y + h // 2, "images", 24, "faint")
            else:
                self.canvas.create_image(left + x, top + y, image=picture, anchor="nw")

    def _picture(self, key: Hashable, width: int, height: int) -> ImageTk.PhotoImage | None:
        name = (key, width, height)
        known = self._pictures.get(name)
        if known is not None:
            self._pictures.move_to_end(name)
            return known
        source = self._sources.get(key)
        if source is None:
            if self._wanted is not None and key not in self._asked:
                self._asked.add(key)
                self._wanted(key, (width, height))
            return None
        made = ImageTk.PhotoImage(filled(source, (width, height), self.theme.px(6), self.theme.colour("card")))
        self._pictures[name] = made
        while len(self._pictures) > _KEPT_PICTURES:
            self._pictures.popitem(last=False)
        return made

    # ---- events --------------------------------------------------------------------------------------------------------

    def _hovered(self, card_id: Hashable | None) -> None:
        if card_id != self._hover:
            self._hover = card_id
            self.canvas.configure(cursor="hand2" if card_id is not None else "")
            self.redraw()

    def _clicked(self, event: tk.Event[tk.Misc]) -> None:
        card_id = self.card_at(event.x, event.y)
        if card_id is None:
            return
        card = self._cards[self._index[card_id]]
        _left, _top, right, bottom = self.place_of(card_id)
        if (
            card.menu
            and self._menu is not None
            and event.x > right - self.theme.px(38)
            and event.y > bottom - self.theme.px(_TEXT_PX)
        ):
            self._menu(card_id, event.x_root, event.y_root)
            return
        self.selected = card_id
        self.redraw()
        self._chosen(card_id)

    def _right_clicked(self, event: tk.Event[tk.Misc]) -> None:
        card_id = self.card_at(event.x, event.y)
        if card_id is not None and self._menu is not None and self._cards[self._index[card_id]].menu:
            self._menu(card_id, event.x_root, event.y_root)

    def _move(self, columns: int, rows: int) -> str:
        if self._cards:
            step = columns + rows * self._metrics()[0]
            index = self._index[self.selected] + step if self.selected in self._index else 0
            if 0 <= index < len(self._cards):
                self.select(self._cards[index].id)
        return "break"

    def _activate(self) -> str:
        if self.selected is not None:
            self._chosen(self.selected)
            if self._activated is not None:
                self._activated(self.selected)
        return "break"


def filled(picture: Image.Image, size: tuple[int, int], radius: int, ground: str) -> Image.Image:
    """The middle of a picture at this size, with round corners on the colour of its ground."""
    width, height = max(1, size[0]), max(1, size[1])
    scale = max(width / picture.width, height / picture.height)
    half_w, half_h = width / scale / 2, height / scale / 2
    centre_x, centre_y = picture.width / 2, picture.height / 2
    part = (max(0.0, centre_x - half_w), max(0.0, centre_y - half_h), centre_x + half_w, centre_y + half_h)
    part = (part[0], part[1], min(part[2], picture.width), min(part[3], picture.height))
    made = picture.convert("RGB").resize((width, height), Image.Resampling.BILINEAR, box=part, reducing_gap=2.0)
    mask = Image.new("L", (width * 2, height * 2), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, width * 2 - 1, height * 2 - 1), radius * 2, fill=255)
    ground_picture = Image.new("RGB", (width, height), ground)
    ground_picture.paste(made, (0, 0), mask.resize((width, height), Image.Resampling.BILINEAR))
    return ground_picture
