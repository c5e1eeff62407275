"""Lists that scroll settle: a bar that comes and goes changes no sizes but its own column's."""

from __future__ import annotations

import time
import tkinter as tk
from typing import Any

from gui.widgets.row_list import RowList


class Rows(RowList):
    def paint_row(self, index: int, top: float, width: float) -> None:
        self.words(10, top + self.row_px / 2, f"row {index}", "text")


def test_two_lists_that_share_a_column_settle(root: Any, theme: Any, place: tk.Frame) -> None:
    """With a bar that asks for height of its own, such a pair used to swap a few pixels for ever."""
    place.columnconfigure(0, weight=1)
    column = tk.Frame(place, width=200, height=400)
    column.grid_propagate(False)
    column.grid(row=0, column=0)
    column.columnconfigure(0, weight=1)
    lists = [Rows(column, theme, 28, 1) for _ in range(2)]
    for row, each in enumerate(lists):
        column.rowconfigure(row, weight=6 - 2 * row)
        each.grid(row=row, column=0, sticky="nsew")
    for count in range(1, 20):
        for each in lists:
            each.set_count(count)
        start, turns = time.thread_time(), 0
        while root.tk.dooneevent(2) and turns < 2000:  # 2: do not wait
            turns += 1
        assert turns < 2000 and time.thread_time() - start < 5, f"{count} rows never settle"
