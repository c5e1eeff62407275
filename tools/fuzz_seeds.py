"""Writes the inputs that the fuzzers start from: fuzz_seeds.py FOLDER makes FOLDER/fuzz_<parser>/ for each parser.

Real files, small: cfgs by the recipes and from the golden data, golden weights, labels and pictures, and the files of a
rendered sample set. Which parser a folder is for follows from its name (native/fuzz/fuzz_<parser>.cpp).
"""

from __future__ import annotations

import argparse
import struct
import tempfile
from pathlib import Path

import cv2
import numpy as np

from darknet_bridge import recipes, samples
from darknet_bridge.formats import format_cfg

_GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"
# Bytes; larger ones only slow the fuzzer down. Of the cfgs, the small golden ones have every kind of layer.
_LARGEST_SEED = 300_000
_LARGEST_CFG = 2_000


def cfg_seeds() -> dict[str, bytes]:
    seeds = {f"{path.stem}-{path.parent.name}": path.read_bytes() for path in _GOLDEN.rglob("*.cfg")}
    for recipe in recipes.list_recipes():
        seeds[recipe.id] = format_cfg(recipes.make_cfg(recipe.id, classes=2)).encode()
    return {name: content for name, content in seeds.items() if len(content) <= _LARGEST_CFG}


def weights_seeds() -> dict[str, bytes]:
    seeds = {path.stem: path.read_bytes() for path in _GOLDEN.glob("mini_*.weights")}
    values = np.linspace(-1, 1, 64, dtype="<f4").tobytes()
    for major, minor, count in ((0, 1, "<I"), (0, 2, "<Q"), (1, 0, "<Q")):  # seen is 32 bits before version 0.2
        seeds[f"header-{major}-{minor}"] = struct.pack("<iii", major, minor, 0) + struct.pack(count, 64) + values
    return seeds


def label_seeds() -> dict[str, bytes]:
    seeds = {
        f"{path.stem}-{path.parent.name}": path.read_bytes() for path in _GOLDEN.rglob("*.txt") if path.stat().st_size < 2000
    }
    return {**seeds, "empty": b"", "crlf": b"0 .5 .5 .25 .25\r\n1 0.1 0.1 0.1 0.1\r\n", "bad": b"x 1e9 nan -1\n3 0,5 0,5 1 1\n"}


def image_seeds() -> dict[str, bytes]:
    seeds = {f"{path.stem}-{path.parent.name}": path.read_bytes() for path in _GOLDEN.rglob("*.png")}
    picture, _ = samples.render_picture(64, 1)
    ways = {
        "grey.png": (cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), []),
        "deep.png": (picture.astype(np.uint16) * 257, []),
        "alpha.png": (cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA), []),
        "colour.jpg": (picture, [cv2.IMWRITE_JPEG_QUALITY, 80]),
        "grey.jpg": (cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), []),
        "progressive.jpg": (picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
    }
    for name, (pixels, options) in ways.items():
        seeds[name] = cv2.imencode(Path(name).suffix, pixels, options)[1].tobytes()
    # An Exif block that says "turned by 90 degrees", behind the start of the picture.
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    jpeg = seeds["colour.jpg"]
    seeds["turned.jpg"] = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]
    return seeds


def text_seeds() -> dict[str, dict[str, bytes]]:
    """The small text files of a rendered set: data, list, names."""
    with tempfile.TemporaryDirectory() as folder:
        samples.render_samples(folder, train=2, valid=1, size_px=64)
        data, train, names = (Path(folder, name).read_bytes() for name in ("obj.data", "train.txt", "obj.names"))
    return {
        "data": {"sample": data, "comments": b"# c\n; d\nclasses=1\ntrain = a b\nvalid=\\x\nbackup=/tmp\r\n"},
        "list": {"sample": train, "odd": b"\xef\xbb\xbfa b.jpg\r\n\n/images/train2017/x.png\n\xff\xfe.jpg"},
        "names": {"sample": names, "odd": b"a\n\n b \r\n\xc3\xa4\n"},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    target = parser.parse_args().folder
    kinds = {"cfg": cfg_seeds(), "weights": weights_seeds(), "label": label_seeds(), "image": image_seeds(), **text_seeds()}
    for kind, seeds in kinds.items():
        folder = target / f"fuzz_{kind}"
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in seeds.items():
            if len(content) <= _LARGEST_SEED:
                (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
