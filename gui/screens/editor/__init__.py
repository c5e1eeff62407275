"""The annotation editor: fills the window."""

from .screen import EditorScreen

__all__ = ["EditorScreen"]
