"""The step Setup: model, start, steps, what it takes, what is wrong, and Start Training."""

from .screen import SetupScreen

__all__ = ["SetupScreen"]
