"""Darknet files, training and detection from Python: the headless half of Darknet Studio.

No window and no database here. The names below are loaded when first used, so that reading a cfg or writing a
recipe needs neither numpy nor the native library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .detection import Detection, NormBox, PixelBox
from .errors import DarknetError

if TYPE_CHECKING:
    from .detector import Detector
    from .devices import Device, list_devices
    from .network import Network

__version__ = "0.1.0"
__all__ = [
    "DarknetError",
    "Detection",
    "Detector",
    "Device",
    "Network",
    "NormBox",
    "PixelBox",
    "__version__",
    "list_devices",
]

_LAZY = {"Detector": "detector", "Device": "devices", "list_devices": "devices", "Network": "network"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LAZY[name]}", __name__), name)
