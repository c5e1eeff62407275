"""The step Annotation: groups of categories and boxes over the dataset."""

from .screen import AnnotationScreen

__all__ = ["AnnotationScreen"]
