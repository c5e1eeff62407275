"""All screens by name: where each lives, and where its class is found once it is shown."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .screens.base import Screen


@dataclass(frozen=True)
class ScreenEntry:
    """A screen by name; its module is imported when it is first shown."""

    id: str
    host: str
    module: str
    name: str

    def load(self) -> type[Screen]:
        loaded: type[Screen] = getattr(importlib.import_module(self.module), self.name)
        return loaded


SCREENS = (
    ScreenEntry("home", "page", "gui.screens.home", "HomeScreen"),
    ScreenEntry("dataset", "step", "gui.screens.dataset", "DatasetScreen"),
    ScreenEntry("annotation", "step", "gui.screens.annotation", "AnnotationScreen"),
    ScreenEntry("setup", "step", "gui.screens.setup", "SetupScreen"),
    ScreenEntry("training", "step", "gui.screens.training", "TrainingScreen"),
    ScreenEntry("review", "step", "gui.screens.review", "ReviewScreen"),
    ScreenEntry("editor", "window", "gui.screens.editor", "EditorScreen"),
    ScreenEntry("crops", "window", "gui.screens.crops", "CropsScreen"),
    ScreenEntry("compare", "page", "gui.screens.compare", "CompareScreen"),
    ScreenEntry("settings", "page", "gui.screens.settings", "SettingsScreen"),
)
