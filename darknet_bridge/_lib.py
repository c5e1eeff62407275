"""The native library through ctypes: finding, loading, checking its version, the signature of every function.

The one module that knows the C interface (native/include/darknet_bridge.h); tests/test_abi.py compares the two. ctypes
gives the interpreter free during each call.
"""

from __future__ import annotations

import ctypes
import json
import os
import threading
from ctypes import POINTER, Structure, c_char_p, c_float, c_int32, c_int64, c_uint32, c_void_p
from typing import Any

from .errors import STATUS_OK, LibraryError, error_for_status, shown
from .formats.atomic import StrPath
from .program import find_library

ABI_VERSION = 1

PRECISION_F32 = 0
PRECISION_BF16 = 1
PRECISION_F16 = 2
PIXELS_BGR8 = 0
PIXELS_RGB8 = 1
PIXELS_BGRA8 = 2
PIXELS_GRAY8 = 3


class SizedStructure(Structure):
    """A struct of the interface that begins with its own size, which is set when one is made."""

    def __init__(self, **values: Any) -> None:
        super().__init__(struct_size=ctypes.sizeof(self), **values)


class NetworkOptions(SizedStructure):
    _fields_ = [("struct_size", c_uint32), ("threads", c_int32), ("precision", c_int32), ("batch", c_int32), ("device", c_char_p)]


class ImageStruct(SizedStructure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("format", c_int32),
        ("width_px", c_int32),
        ("height_px", c_int32),
        ("row_bytes", c_int64),
        ("pixels", c_void_p),
        ("path", c_char_p),
    ]


class DetectOptions(SizedStructure):
    _fields_ = [("struct_size", c_uint32), ("threshold", c_float), ("nms", c_float), ("letter_box", c_int32)]


class DetectionStruct(Structure):
    _fields_ = [("class_id", c_int32), ("score", c_float), ("cx", c_float), ("cy", c_float), ("w", c_float), ("h", c_float)]


class DetectionsStruct(SizedStructure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("item_size", c_uint32),
        ("image_count", c_int64),
        ("offsets", POINTER(c_int64)),
        ("sizes_px", POINTER(c_int32)),
        ("items", c_void_p),
    ]


class PixelsStruct(SizedStructure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("format", c_int32),
        ("width_px", c_int32),
        ("height_px", c_int32),
        ("row_bytes", c_int64),
        ("pixels", c_void_p),
    ]


STRUCTS: dict[str, type[Structure]] = {
    "dk_network_options": NetworkOptions,
    "dk_image": ImageStruct,
    "dk_detect_options": DetectOptions,
    "dk_detection": DetectionStruct,
    "dk_detections": DetectionsStruct,
    "dk_pixels": PixelsStruct,
}

# name: (result, arguments). A handle and a text to be given back are void pointers: ctypes must not copy them.
SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "dk_version": (c_char_p, []),
    "dk_abi_version": (c_int32, []),
    "dk_last_error": (c_char_p, []),
    "dk_string_free": (None, [c_void_p]),
    "dk_devices_json": (c_int32, [POINTER(c_void_p)]),
    "dk_inspect_json": (c_int32, [c_char_p, c_char_p, POINTER(c_void_p)]),
    "dk_network_open": (c_int32, [c_char_p, c_char_p, POINTER(NetworkOptions), POINTER(c_void_p)]),
    "dk_network_info_json": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "dk_network_close": (None, [c_void_p]),
    "dk_network_detect": (
        c_int32,
        [c_void_p, POINTER(ImageStruct), c_int64, POINTER(DetectOptions), POINTER(POINTER(DetectionsStruct))],
    ),
    "dk_detections_free": (None, [POINTER(DetectionsStruct)]),
    "dk_image_read": (c_int32, [c_char_p, c_int64, POINTER(POINTER(PixelsStruct))]),
    "dk_pixels_free": (None, [POINTER(PixelsStruct)]),
}

_lock = threading.Lock()
_loaded: ctypes.CDLL | None = None


def library() -> Any:
    """The loaded library, its functions with their types. Raises LibraryError with the path and the reason."""
    global _loaded
    with _lock:
        if _loaded is None:
            _loaded = _load()
        return _loaded


def check(status: int) -> None:
    """Raises what a status stands for, with the library's message."""
    if status != STATUS_OK:
        message = library().dk_last_error()
        raise error_for_status(status, message.decode("utf-8", "replace") if message else f"status {status}")


def call_json(function: Any, *arguments: Any) -> Any:
    """Calls a function whose last argument hands out a JSON text, and parses it."""
    text = c_void_p()
    check(function(*arguments, ctypes.byref(text)))
    try:
        return json.loads(ctypes.string_at(text.value or 0))
    finally:
        library().dk_string_free(text)


def path_bytes(path: StrPath) -> bytes:
    """A path as the library takes it."""
    raw = os.fsencode(path)
    if b"\0" in raw:
        raise error_for_status(10, f"{shown(path)}: a zero byte in the path")
    return raw


def read_rgb(path: StrPath, max_pixels: int) -> tuple[bytes, int, int, int]:
    """A JPEG or PNG as the trainer sees it, upright: rows of R, G, B bytes, width and height in pixels, bytes from row to row."""
    found = POINTER(PixelsStruct)()
    check(library().dk_image_read(path_bytes(path), max_pixels, ctypes.byref(found)))
    try:
        pixels = found.contents
        content = ctypes.string_at(pixels.pixels, pixels.height_px * pixels.row_bytes)
        return content, pixels.width_px, pixels.height_px, pixels.row_bytes
    finally:
        library().dk_pixels_free(found)


def _load() -> ctypes.CDLL:
    path = find_library()
    # OpenMP's threads wait by spinning for milliseconds unless told otherwise, which stalls a machine that does anything
    # else besides; libgomp reads this when it is loaded.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    try:
        loaded = ctypes.CDLL(str(path))
        for name, (result, arguments) in SIGNATURES.items():
            function = getattr(loaded, name)
            function.restype = result
            function.argtypes = arguments
    except (OSError, AttributeError) as error:
        raise LibraryError(f"{shown(path)} can't be loaded: {error}") from error
    version = loaded.dk_abi_version()
    if version != ABI_VERSION:
        raise LibraryError(f"{shown(path)} has interface version {version}; this package needs {ABI_VERSION}: build it again")
    return loaded
