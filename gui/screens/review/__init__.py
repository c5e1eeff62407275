"""The step Review: what came out of a training, and everything that can be done with it."""

from .screen import ReviewScreen

__all__ = ["ReviewScreen"]
