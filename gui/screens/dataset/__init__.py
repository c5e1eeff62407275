"""The step Dataset: choose one of the datasets, or import images in every way there is."""

from .screen import DatasetScreen

__all__ = ["DatasetScreen"]
