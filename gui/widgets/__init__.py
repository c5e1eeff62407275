"""Widgets: values and callbacks only. They know neither use cases nor the library."""
