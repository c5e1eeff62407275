"""Advanced options, folded away: network size, images a step, rate, held-out share, device, numbers, augmentation, ending by
itself, anchors."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from tkinter import ttk
from typing import TYPE_CHECKING

from darknet_bridge import recipes
from darknet_bridge.devices import Device

from ...core.anchor_fit import AnchorFit, fit_anchors
from ...core.device_words import PRECISIONS, device_names
from ...core.errors import UserError
from ...core.prepare_run import TrainingData
from ...core.setup import (
    MOST_WITHOUT_GAIN,
    STOP_AT_MAP,
    STOP_WITHOUT_GAIN,
    Setup,
    checked,
    parse_size,
    parse_whole,
    side_of,
)
from ...tk.lifetime import watch
from ...widgets.controls import button, check, combo, entry, label, set_enabled
from ...widgets.tooltip import explain

if TYPE_CHECKING:
    from .screen import SetupScreen

_SIZES = ["224", "256", "320", "352", "416", "512", "608"]
_AUTOMATIC = "automatic"


class Advanced(ttk.Frame):
    """changed(setup) is called with every change that makes sense; what does not is said below the fields."""

    def __init__(self, parent: tk.Misc, screen: SetupScreen, changed: Callable[[Setup], object]) -> None:
        super().__init__(parent, style="Card.TFrame")
        self._screen, self._changed, theme = screen, changed, screen.theme
        self.theme = theme
        self._setup, self._data, self._quiet = Setup(), None, True  # type: tuple[Setup, TrainingData | None, bool]
        self.toggle = button(self, theme, "Advanced options", self._toggle, "Ghost", "chevron-right")
        self.toggle.pack(anchor="w")
        self.fields = ttk.Frame(self, style="Card.TFrame")
        self.side, self.batch, self.parts, self.rate, self.held = (tk.StringVar(self) for _ in range(5))
        self.flip, self.mosaic, self.random, self.at_map, self.gainless = (tk.BooleanVar(self) for _ in range(5))
        self.map_percent, self.patience, self.device, self.numbers = (tk.StringVar(self) for _ in range(4))
        self._devices: dict[str, str] = {}
        self._build()

    def _build(self) -> None:
        theme, px = self.theme, self.theme.px
        self.fields.columnconfigure((1, 3), weight=1, uniform="field")
        made: list[tuple[str, tk.Widget]] = [
            ("Network size (pixels)", combo(self.fields, theme, self.side, _SIZES, width=12)),
            ("Images a step", entry(self.fields, theme, self.batch, width=14)),
            ("Parts a step is computed in", entry(self.fields, theme, self.parts, width=14)),
            ("Learning rate", entry(self.fields, theme, self.rate, width=14)),
            ("Held-out images (%)", entry(self.fields, theme, self.held, width=14)),
            ("Train on", self._device_field()),
            ("Numbers", combo(self.fields, theme, self.numbers, [_AUTOMATIC, *PRECISIONS.values()], width=14)),
        ]
        for index, (text, widget) in enumerate(made):
            row, column = divmod(index, 2)
            label(self.fields, theme, text, "Muted").grid(row=row, column=2 * column, sticky="w", pady=px(4), padx=(0, px(10)))
            widget.grid(row=row, column=2 * column + 1, sticky="ew", pady=px(4), padx=(0, px(20)))
        switches = ttk.Frame(self.fields, style="Card.TFrame")
        switches.grid(row=4, column=0, columnspan=4, sticky="w", pady=px(6))
        check(switches, theme, "Mirror images (not for left and right)", self.flip, self._read).pack(anchor="w", pady=px(2))
        check(switches, theme, "Mosaic of four images", self.mosaic, self._read).pack(anchor="w", pady=px(2))
        check(switches, theme, "Many input sizes", self.random, self._read).pack(anchor="w", pady=px(2))
        self._build_stops().grid(row=5, column=0, columnspan=4, sticky="w", pady=(px(4), px(10)))
        row_frame = ttk.Frame(self.fields, style="Card.TFrame")
        row_frame.grid(row=6, column=0, columnspan=4, sticky="w")
        self.fit_button = button(row_frame, theme, "Fit anchors to the boxes", self._fit)
        self.fit_button.pack(side="left")
        self.own_button = button(row_frame, theme, "Use the model's own", self._own_anchors, "Ghost")
        self.own_button.pack(side="left", padx=px(8))
        self.anchor_note = label(self.fields, theme, "", "Small", wrap_px=560)
        self.anchor_note.grid(row=7, column=0, columnspan=4, sticky="w", pady=px(4))
        self.problem = label(self.fields, theme, "", "Danger", wrap_px=560)
        self.problem.grid(row=8, column=0, columnspan=4, sticky="w")
        typed = (self.side, self.batch, self.parts, self.rate, self.held, self.map_percent, self.patience)
        for variable in (*typed, self.device, self.numbers):
            watch(self, variable, self._read)

    def _device_field(self) -> ttk.Combobox:
        self.device_field = combo(self.fields, self.theme, self.device, [_AUTOMATIC], width=14)
        return self.device_field

    def _build_stops(self) -> ttk.Frame:
        """Ending before the last step; the best checkpoint is kept in any case."""
        theme, px = self.theme, self.theme.px
        frame = ttk.Frame(self.fields, style="Card.TFrame")
        lines = (
            ("Stop when mAP reaches", self.at_map, self.map_percent, "%"),
            ("Stop when mAP has not got better for", self.gainless, self.patience, "measurements"),
        )
        self.stop_fields: list[ttk.Entry] = []
        for row, (text, switch, value, unit) in enumerate(lines):
            check(frame, theme, text, switch, self._switched, switch=True).grid(row=row, column=0, sticky="w", pady=px(2))
            field = entry(frame, theme, value, width=5, justify="center")
            field.grid(row=row, column=1, padx=px(8), pady=px(2))
            self.stop_fields.append(field)
            label(frame, theme, unit, "Muted").grid(row=row, column=2, sticky="w")
        return frame

    def _switched(self) -> None:
        self._show_stops()
        self._read()

    def _show_stops(self) -> None:
        for field, switch in zip(self.stop_fields, (self.at_map, self.gainless), strict=True):
            field.state(["!disabled" if switch.get() else "disabled"])
            explain(field, self.theme, "" if switch.get() else "Turn the switch on first.")

    def show(self, setup: Setup, data: TrainingData | None, devices: Sequence[Device] = ()) -> None:
        self._setup, self._data, self._quiet = setup, data, True
        self._devices = device_names(devices)
        self.device_field.configure(values=[_AUTOMATIC, *self._devices.values()])
        self.device.set(self._devices.get(setup.device or "", _AUTOMATIC))
        self.numbers.set(PRECISIONS.get(setup.precision or "", _AUTOMATIC))
        recipe = recipes.get_recipe(setup.model)
        self.side.set(str(side_of(setup)))
        self.batch.set(str(setup.batch or recipe.batch))
        self.parts.set(str(setup.subdivisions or _AUTOMATIC))
        self.rate.set(f"{setup.learning_rate or recipe.learning_rate:g}")
        self.held.set(str(setup.valid_percent))
        self.flip.set(setup.flip)
        self.mosaic.set(recipe.mosaic if setup.mosaic is None else setup.mosaic)
        self.random.set(setup.random is not False)
        self.at_map.set(setup.stop_at_map is not None)
        self.map_percent.set(f"{setup.stop_at_map or STOP_AT_MAP:g}")
        self.gainless.set(setup.stop_without_gain is not None)
        self.patience.set(str(setup.stop_without_gain or STOP_WITHOUT_GAIN))
        self._show_stops()
        own = (
            "The anchors are fitted to your boxes."
            if setup.anchors
            else "The model's own anchors are used, which suits most data."
        )
        self.anchor_note.configure(text=own)
        set_enabled(self.fit_button, self.theme, None if data else "Submit at least one image first.")
        set_enabled(self.own_button, self.theme, None if setup.anchors else "They are used already.")
        self.problem.configure(text="")
        self._quiet = False

    def _toggle(self) -> None:
        if self.fields.winfo_manager():
            self.fields.pack_forget()
        else:
            self.fields.pack(fill="x", pady=(self.theme.px(8), 0))

    def _read(self) -> None:
        if self._quiet:
            return
        try:
            setup = self._parsed()
        except UserError as error:
            self.problem.configure(text=str(error))
            return
        self.problem.configure(text="")
        self._setup = setup
        self._changed(setup)

    def _parsed(self) -> Setup:
        parts = self.parts.get().strip()
        rate = _number(self.rate.get(), "Learning rate", "0.001 is usual")
        recipe = recipes.get_recipe(self._setup.model)
        batch = parse_whole(self.batch.get(), "Images a step", 2, 1024)
        return checked(
            replace(
                self._screen.setup,
                size=parse_size(self.side.get()),
                batch=None if batch == recipe.batch else batch,
                subdivisions=None if parts == _AUTOMATIC else parse_whole(parts, "Parts", 1, batch),
                learning_rate=None if rate == recipe.learning_rate else rate,
                valid_percent=parse_whole(self.held.get(), "Held-out images", 0, 50),
                flip=self.flip.get(),
                mosaic=None if self.mosaic.get() == recipe.mosaic else self.mosaic.get(),
                random=None if self.random.get() else False,
                device=_key_of(self._devices, self.device.get()),
                precision=_key_of(PRECISIONS, self.numbers.get()),
                stop_at_map=self._wanted_map(),
                stop_without_gain=self._wanted_patience(),
            )
        )

    def _wanted_map(self) -> float | None:
        return _number(self.map_percent.get(), "Stop at mAP", "75 is good") if self.at_map.get() else None

    def _wanted_patience(self) -> int | None:
        if not self.gainless.get():
            return None
        return parse_whole(self.patience.get(), "Measurements without gain", 1, MOST_WITHOUT_GAIN)

    def _fit(self) -> None:
        data, setup = self._data, self._screen.setup
        if data is not None:
            self._screen.background(lambda progress: fit_anchors(data, setup, progress), self._fitted)

    def _fitted(self, fit: AnchorFit) -> None:
        self._changed(replace(self._screen.setup, anchors=fit.anchors))
        self.anchor_note.configure(text=fit.text)
        set_enabled(self.own_button, self.theme, None)

    def _own_anchors(self) -> None:
        self._screen.apply(replace(self._screen.setup, anchors=None))


def _key_of(names: Mapping[str, str], name: str) -> str | None:
    """None for what is no name of them: automatic."""
    return next((key for key, each in names.items() if each == name), None)


def _number(text: str, what: str, usual: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UserError(f"{what}: “{text[:20]}” is no number; {usual}.") from error
