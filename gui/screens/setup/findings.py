"""The list of what the check found: a line each with pictures, and a button that does something about it or the reason why
there is none. A press on a picture opens it in the editor.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from tkinter import ttk
from typing import TypeAlias

from PIL import Image as PilImage
from PIL import ImageTk

from ...core.preflight import Finding
from ...tk.theme import Theme
from ...widgets.controls import button, icon_label, label

_ICONS = {
    "error": ("x-octagon-fill", "danger"),
    "warning": ("exclamation-triangle-fill", "warning"),
    "info": ("info-circle-fill", "accent"),
}


Picture: TypeAlias = PilImage.Image
Shelf: TypeAlias = Callable[[frozenset[int], int, Callable[[Mapping[int, Picture]], object]], object]
_PICTURE_PX = 56
_PICTURES = 6


class FindingList(ttk.Frame):
    """On a card. findings: what is shown."""

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        act: Callable[[Finding], object],
        open_image: Callable[[int], object],
        shelf: Shelf,
    ) -> None:
        """shelf(ids, side_px, done): hands small pictures of images to done, by id."""
        super().__init__(parent, style="Card.TFrame")
        self.theme, self._act, self._open, self._shelf = theme, act, open_image, shelf
        self._photos: list[ImageTk.PhotoImage] = []
        self.findings: tuple[Finding, ...] = ()
        label(self, theme, "CHECK BEFORE TRAINING", "Tiny").pack(anchor="w", pady=(0, theme.px(6)))
        self._lines = ttk.Frame(self, style="Card.TFrame")
        self._lines.pack(fill="x")
        label(self._lines, theme, "Checking…", "Muted").pack(anchor="w")

    def show(self, findings: Sequence[Finding], problem: str = "") -> None:
        """problem: why nothing could be checked."""
        self.findings = tuple(findings)
        for child in self._lines.winfo_children():
            child.destroy()
        if not findings:
            self._line("check-circle-fill", "positive", problem or "No problems were found.", "")
        places: list[tuple[Finding, ttk.Frame]] = []
        for finding in findings:
            icon, colour = _ICONS[finding.severity]
            row = self._line(icon, colour, finding.title, f"{finding.text} {finding.why_none}".strip())
            if finding.action is not None:
                act = button(row, self.theme, finding.action[1], lambda finding=finding: self._act(finding))  # type: ignore[misc]
                act.grid(row=0, column=2, rowspan=2, sticky="e", padx=(self.theme.px(10), 0))
            if finding.images:
                places.append((finding, row))
        self._show_pictures(places)

    def _show_pictures(self, places: Sequence[tuple[Finding, ttk.Frame]]) -> None:
        self._photos.clear()
        wanted = frozenset(image for finding, _row in places for image in finding.images[:_PICTURES])
        side, shown = self.theme.px(_PICTURE_PX), self.findings

        def done(pictures: Mapping[int, Picture]) -> None:
            if shown is self.findings:
                for finding, row in places:
                    self._add_pictures(row, [(i, pictures[i]) for i in finding.images[:_PICTURES] if i in pictures])

        if wanted:
            self._shelf(wanted, side, done)

    def _add_pictures(self, row: ttk.Frame, pictures: Sequence[tuple[int, Picture]]) -> None:
        strip = ttk.Frame(row, style="Card.TFrame")
        strip.grid(row=2, column=1, columnspan=2, sticky="w", pady=(self.theme.px(6), 0))
        for image_id, picture in pictures:
            photo = ImageTk.PhotoImage(picture)
            self._photos.append(photo)
            press = button(strip, self.theme, "", partial(self._open, image_id), "Icon", tip="Open it in the editor")
            press.configure(image=photo)
            press.pack(side="left", padx=(0, self.theme.px(6)))

    def _line(self, icon: str, colour: str, title: str, text: str) -> ttk.Frame:
        theme = self.theme
        row = ttk.Frame(self._lines, style="Card.TFrame")
        row.pack(fill="x", pady=theme.px(4))
        row.columnconfigure(1, weight=1)
        icon_label(row, theme, icon, colour).grid(row=0, column=0, sticky="n", padx=(0, theme.px(10)))
        label(row, theme, title, "Strong" if text else "").grid(row=0, column=1, sticky="w")
        if text:
            label(row, theme, text, "Small", wrap_px=460).grid(row=1, column=1, sticky="w")
        return row
