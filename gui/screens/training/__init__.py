"""The step Training: the run at work, its samples through all steps, and its end."""

from .screen import TrainingScreen

__all__ = ["TrainingScreen"]
