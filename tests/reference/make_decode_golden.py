"""Writes tests/golden/decode: small JPEG and PNG files of every kind the engine reads, and the RGB pixels OpenCV gives for them.

Run by hand with opencv-python and Pillow; the result is committed, the tests need neither. 16-bit pictures are the exception to
OpenCV's figures: it cuts off the low byte, the engine rounds, so their pixels are computed here from the 16-bit values.
"""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

OUT = Path(__file__).resolve().parents[1] / "golden" / "decode"
WIDTH, HEIGHT = 44, 28


def picture() -> np.ndarray:
    """A smooth RGB picture without symmetry: gradients and three coloured discs."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    rgb = np.stack([x * 5, y * 8, 230 - (x + y) * 3], axis=-1)
    for cx, cy, radius, colour in ((8, 6, 5, (250, 20, 30)), (34, 9, 6, (20, 240, 60)), (14, 21, 4, (240, 240, 10))):
        rgb[(x - cx) ** 2 + (y - cy) ** 2 <= radius**2] = colour
    return np.clip(rgb, 0, 255).astype(np.uint8)


def jpeg(image: Image.Image, orientation: int = 0, **options: object) -> bytes:
    """The picture as JPEG; an orientation above 0 goes into an EXIF block."""
    if orientation:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif.tobytes()
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92, **options)
    return buffer.getvalue()


def png(array: np.ndarray) -> bytes:
    """A PNG of a BGR, BGRA or grey array of 8 or 16 bits."""
    return cv2.imencode(".png", array)[1].tobytes()


def pillow_png(image: Image.Image, **options: object) -> bytes:
    """A PNG with Pillow's options (palette, transparency, EXIF)."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def files() -> dict[str, tuple[bytes, np.ndarray | None]]:
    """Name -> (content, RGB pixels or None where OpenCV has the word)."""
    rgb = picture()
    image = Image.fromarray(rgb)
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    alpha = np.dstack([bgr, (np.arange(WIDTH)[None, :] * np.ones((HEIGHT, 1)) * 5).astype(np.uint8)])
    deep = rgb.astype(np.uint32) * 256 + (np.arange(WIDTH)[None, :, None] * 5) % 256
    deep_grey = grey.astype(np.uint32) * 256 + 200
    rounded = ((deep * 255 + 32767) // 65535).astype(np.uint8)
    rounded_grey = ((deep_grey * 255 + 32767) // 65535).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    plain: dict[str, bytes] = {
        "rgb.jpg": jpeg(image),
        "rgb_444.jpg": jpeg(image, subsampling=0),
        "progressive.jpg": jpeg(image, progressive=True),
        "grey.jpg": jpeg(Image.fromarray(grey)),
        "cmyk.jpg": jpeg(image.convert("CMYK")),
        "rgb.png": png(bgr),
        "alpha.png": png(alpha),
        "grey.png": png(grey),
        "palette.png": pillow_png(image.quantize(16)),
        "palette_transparent.png": pillow_png(image.quantize(16), transparency=3),
        "one_bit.png": pillow_png(Image.fromarray(grey).convert("1")),
        "exif_6.png": pillow_png(image, exif=exif),
    }
    plain |= {f"exif_{i}.jpg": jpeg(image, orientation=i) for i in range(1, 9)}
    result: dict[str, tuple[bytes, np.ndarray | None]] = {name: (content, None) for name, content in plain.items()}
    result["rgb_16.png"] = (png(np.ascontiguousarray(deep[..., ::-1]).astype(np.uint16)), rounded)
    result["grey_16.png"] = (png(deep_grey.astype(np.uint16)), np.dstack([rounded_grey] * 3))
    return result


def main() -> None:
    """Writes the files, their pixels as FILE.rgb and `sizes.txt` (name width height)."""
    OUT.mkdir(parents=True, exist_ok=True)
    sizes = []
    for name, (content, pixels) in files().items():
        if pixels is None:
            pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        (OUT / name).write_bytes(content)
        (OUT / f"{name}.rgb").write_bytes(np.ascontiguousarray(pixels).tobytes())
        sizes.append(f"{name} {pixels.shape[1]} {pixels.shape[0]}\n")
    (OUT / "sizes.txt").write_text("".join(sizes))


if __name__ == "__main__":
    main()
