"""A trained network that finds objects: `Network.load(cfg, weights).detect(image)`.

JPEG and PNG files are decoded by the engine, the way the trainer does; other formats by `images`.
"""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from . import _lib
from .detection import Detection, NormBox
from .errors import FormatError
from .formats.atomic import StrPath
from .formats.names import read_names
from .images import NATIVE_FORMATS, as_pixels, image_format, read_image

ImageLike: TypeAlias = "StrPath | NDArray[np.uint8]"
"""A picture's path, or its pixels: height x width x 3 (blue, green, red), x 4 (with alpha), or height x width (grey)."""

_PRECISIONS = {"f32": _lib.PRECISION_F32, "bf16": _lib.PRECISION_BF16, "f16": _lib.PRECISION_F16}
_FORMATS = {1: _lib.PIXELS_GRAY8, 3: _lib.PIXELS_BGR8, 4: _lib.PIXELS_BGRA8}
_AS_THE_CFG_SAYS = -1


@dataclass(frozen=True, slots=True)
class NetworkInfo:
    """What was loaded. width, height: the input in pixels."""

    width: int
    height: int
    channels: int
    classes: int
    layers: int
    device: str
    precision: str
    batch: int
    memory_bytes: int
    bflops: float
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImageDetections(Sequence[Detection]):
    """The detections of one image, best score first, and the size of the upright image in pixels."""

    detections: tuple[Detection, ...]
    width_px: int
    height_px: int

    @overload
    def __getitem__(self, index: int) -> Detection: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Detection]: ...
    def __getitem__(self, index: int | slice) -> Detection | Sequence[Detection]:
        return self.detections[index]

    def __len__(self) -> int:
        return len(self.detections)

    def __iter__(self) -> Iterator[Detection]:
        return iter(self.detections)


class Network:
    """Weights on a device. Close it, or use it in a `with`; a forgotten one is closed when it is collected.

    May be used from several threads; their calls wait for each other.
    """

    def __init__(self, handle: int, names: Sequence[str]) -> None:
        self._handle = handle
        self._busy = threading.Lock()  # held over each call, so that close() never takes the handle away from one
        self._close = weakref.finalize(self, _lib.library().dk_network_close, handle)
        self.info = _read_info(handle)
        if names and len(names) != self.info.classes:
            self.close()
            raise FormatError(f"{len(names)} names, but the network has {self.info.classes} classes")
        self.names: tuple[str, ...] = tuple(names)

    @classmethod
    def load(
        cls,
        cfg: StrPath,
        weights: StrPath,
        names: StrPath | Sequence[str] | None = None,
        device: str = "auto",
        *,
        threads: int = 0,
        precision: str = "f32",
        batch: int = 1,
    ) -> Network:
        """Loads a network for detection.

        names: a .names file or the names themselves. device: "auto", "cpu", "cuda", "cuda:1". threads: 0 = one for each
        core. precision: "f32", "bf16" or "f16". batch: how many images of a list go through in one pass.

        Raises FormatError (cfg, weights or names are wrong or don't go together), DeviceError, OutOfMemoryError,
        LibraryError.
        """
        if precision not in _PRECISIONS:
            raise FormatError(f"precision '{precision}': expected one of {', '.join(_PRECISIONS)}")
        known = _names(names)
        options = _lib.NetworkOptions(
            threads=threads, precision=_PRECISIONS[precision], batch=batch, device=device.encode("utf-8", "surrogateescape")
        )
        handle = ctypes.c_void_p()
        _lib.check(
            _lib.library().dk_network_open(
                _lib.path_bytes(cfg), _lib.path_bytes(weights), ctypes.byref(options), ctypes.byref(handle)
            )
        )
        return cls(handle.value or 0, known)

    @overload
    def detect(
        self,
        image: list[ImageLike] | tuple[ImageLike, ...],
        threshold: float = ...,
        nms: float = ...,
        letter_box: bool | None = ...,
    ) -> list[list[Detection]]: ...
    @overload
    def detect(
        self, image: ImageLike, threshold: float = ..., nms: float = ..., letter_box: bool | None = ...
    ) -> list[Detection]: ...
    def detect(
        self, image: Any, threshold: float = 0.25, nms: float = 0.45, letter_box: bool | None = None
    ) -> list[Detection] | list[list[Detection]]:
        """The objects in a picture, best score first; of a list of pictures one list each, in their order.

        image: a path, or an array of uint8 (BGR). threshold: only scores above it, 0..1. nms: boxes of one class that
        overlap more are taken for one; 0 keeps all. letter_box: keep the picture's shape; None = as the cfg says.

        Boxes are relative to the upright picture (EXIF applied) and may stick out of it. Raises FormatError for a
        picture that can't be read, naming it.
        """
        if isinstance(image, (list, tuple)):
            return [list(found) for found in self.detect_images(image, threshold, nms, letter_box)]
        return list(self.detect_images([image], threshold, nms, letter_box)[0])

    def detect_images(
        self, images: Sequence[ImageLike], threshold: float = 0.25, nms: float = 0.45, letter_box: bool | None = None
    ) -> list[ImageDetections]:
        """As detect() of a list, and with the size of every picture."""
        if not images:
            return []
        held: list[Any] = []  # what the structs point into
        structs = (_lib.ImageStruct * len(images))(*(_image_struct(image, held) for image in images))
        options = _lib.DetectOptions(
            threshold=threshold, nms=nms, letter_box=_AS_THE_CFG_SAYS if letter_box is None else int(letter_box)
        )
        found = ctypes.POINTER(_lib.DetectionsStruct)()
        library = _lib.library()
        with self._busy:
            if not self._close.alive:
                raise FormatError("the network is closed")
            _lib.check(library.dk_network_detect(self._handle, structs, len(images), ctypes.byref(options), ctypes.byref(found)))
        try:
            return self._results(found.contents)
        finally:
            library.dk_detections_free(found)

    def close(self) -> None:
        """Gives its memory back; waits for a call that is under way. Closing twice is fine."""
        with self._busy:
            self._close()

    def __enter__(self) -> Network:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _results(self, found: _lib.DetectionsStruct) -> list[ImageDetections]:
        results = []
        for image in range(found.image_count):
            first, end = found.offsets[image], found.offsets[image + 1]
            items = tuple(self._detection(found.items + index * found.item_size) for index in range(first, end))
            results.append(ImageDetections(items, found.sizes_px[2 * image], found.sizes_px[2 * image + 1]))
        return results

    def _detection(self, address: int) -> Detection:
        item = _lib.DetectionStruct.from_address(address)
        name = self.names[item.class_id] if 0 <= item.class_id < len(self.names) else ""
        return Detection(item.class_id, name, item.score, NormBox(item.cx, item.cy, item.w, item.h))


def inspect(cfg: StrPath, weights: StrPath | None = None) -> dict[str, Any]:
    """What a cfg describes (layers, shapes, parameters, memory) and whether a weights file fits it, as plain values."""
    library = _lib.library()
    return dict(
        _lib.call_json(library.dk_inspect_json, _lib.path_bytes(cfg), None if weights is None else _lib.path_bytes(weights))
    )


def _names(names: StrPath | Sequence[str] | None) -> tuple[str, ...]:
    if names is None:
        return ()
    return read_names(names) if isinstance(names, (str, os.PathLike)) else tuple(names)


def _read_info(handle: int) -> NetworkInfo:
    info = _lib.call_json(_lib.library().dk_network_info_json, handle)
    return NetworkInfo(
        width=int(info["width"]),
        height=int(info["height"]),
        channels=int(info["channels"]),
        classes=int(info["classes"]),
        layers=int(info["layers"]),
        device=str(info["device"]),
        precision=str(info["precision"]),
        batch=int(info["batch"]),
        memory_bytes=int(info["memory_bytes"]),
        bflops=float(info["bflops"]),
        warnings=tuple(str(text) for text in info["warnings"]),
    )


def _image_struct(image: Any, held: list[Any]) -> _lib.ImageStruct:
    if isinstance(image, np.ndarray):
        return _array_struct(image, held)
    try:
        path = _lib.path_bytes(image)
    except TypeError as error:
        raise FormatError(f"an image is a path or a numpy array, not {type(image).__name__}") from error
    if image_format(image) not in NATIVE_FORMATS:
        return _array_struct(read_image(image), held)
    held.append(path)
    return _lib.ImageStruct(path=path)


def _array_struct(image: NDArray[np.uint8], held: list[Any]) -> _lib.ImageStruct:
    pixels = as_pixels(image)
    held.append(pixels)
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    return _lib.ImageStruct(
        format=_FORMATS[channels],
        width_px=pixels.shape[1],
        height_px=pixels.shape[0],
        row_bytes=pixels.strides[0],
        pixels=pixels.ctypes.data,
    )
