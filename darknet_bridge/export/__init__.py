"""Exports of a trained model: one module a format, found through the registry.

source = ExportSource(cfg, weights, names, images=some_pictures)
result = get_exporter("darknet").write(source, "birds.zip")
"""

from . import darknet
from .base import Exporter, ExportResult, ExportSource, get_exporter, list_exporters, register

register(darknet.EXPORTER)

__all__ = ["ExportResult", "ExportSource", "Exporter", "get_exporter", "list_exporters", "register"]
