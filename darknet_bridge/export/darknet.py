"""The model as Darknet's own files, with an OpenCV script that needs nothing of this program, as a folder or a zip.

net.cfg net.weights obj.names obj.data README.txt detect_opencv.py, and parity.txt where pictures were given to compare on.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from ..errors import DarknetError, DiskError, FormatError, reason
from ..formats import coverage, read_cfg, read_weights_header, write_bytes, write_data_file, write_names
from ..formats.atomic import StrPath
from ..formats.cfg import Cfg, write_cfg
from . import opencv_script
from .base import ExportResult, ExportSource, Progress, write_folder_or_zip

_README = """{title}

A model for finding objects in pictures, trained with Darknet Studio. All files are Darknet's own formats.

  net.cfg           the network: {width} x {height} pixels in, {classes} classes
  net.weights       what it has learnt
  obj.names         the classes, one a line; the first is number 0
  obj.data          what Darknet's own program wants on its command line
  detect_opencv.py  finds the objects in your pictures; needs Python and "pip install opencv-python<5", nothing else
  parity.txt        how the boxes compare between Darknet Studio and OpenCV (where pictures were given)

Use it with OpenCV:    python detect_opencv.py picture.jpg
Use it with Darknet:   darknet detector test obj.data net.cfg net.weights picture.jpg
Use it from Python:    Network.load("net.cfg", "net.weights", "obj.names").detect("picture.jpg")    (package darknet_bridge)

What every program that uses the model has to do alike, because other values give other boxes:
  resize     to {width} x {height}, {resize}; bilinear, corner to corner
  colour     red, green, blue; values 0 to 1 (OpenCV reads blue, green, red)
  score      objectness times class probability; 0.25 is a usual threshold
  NMS        {nms}, each class on its own, threshold 0.45

{facts}{parity}
"""


@dataclass(frozen=True, slots=True)
class DarknetExporter:
    id: str = "darknet"
    label: str = "Darknet model (cfg, weights, names) with an OpenCV script"
    description: str = "One folder or zip that Darknet, OpenCV 4 and Darknet Studio itself can open."
    suffixes: tuple[str, ...] = ("", ".zip")

    def check(self, source: ExportSource) -> str | None:
        try:
            cfg = read_cfg(source.cfg)
            found = coverage(cfg, read_weights_header(source.weights))
        except DarknetError as error:
            return str(error)
        if not found.complete:
            return f"The weights are not complete for this network: {found.describe()}."
        if cfg.classes != len(source.names):
            return f"The network has {cfg.classes} classes, but there are {len(source.names)} names."
        return None

    def write(self, source: ExportSource, target: StrPath, progress: Progress | None = None) -> ExportResult:
        problem = self.check(source)
        if problem:
            raise FormatError(problem)
        sentence = ""

        def fill(folder: Path) -> None:
            nonlocal sentence
            sentence = _fill(source, read_cfg(source.cfg), folder, progress)

        files = write_folder_or_zip(target, fill)
        return ExportResult(Path(target), files, sentence)


def _fill(source: ExportSource, cfg: Cfg, folder: Path, progress: Progress | None) -> str:
    """Writes every file; the sentence on the comparison."""
    if progress is not None:
        progress(0, max(1, len(source.images)), "Writing the model's files")
    write_cfg(folder / "net.cfg", cfg, f"{source.title}: written by Darknet Studio")
    try:
        shutil.copyfile(source.weights, folder / "net.weights")
    except OSError as error:
        raise DiskError(f"can't copy: {reason(error)}", str(source.weights)) from error
    write_names(folder / "obj.names", source.names)
    values = {"classes": str(len(source.names)), "names": "obj.names", "backup": "backup"}
    write_data_file(folder / "obj.data", values)
    write_bytes(folder / "detect_opencv.py", _script(cfg).encode("utf-8"))
    sentence = _write_parity(source, folder, progress)
    write_bytes(folder / "README.txt", _readme(source, cfg, sentence).encode("utf-8", "surrogateescape"))
    return sentence


def _write_parity(source: ExportSource, folder: Path, progress: Progress | None) -> str:
    if not source.images:
        return ""
    from .parity import compare  # needs the native library, which the other files do not

    parity = compare(folder, source.names, source.images, progress)
    write_bytes(folder / "parity.txt", parity.table().encode("utf-8", "surrogateescape"))
    return parity.sentence()


def _script(cfg: Cfg) -> str:
    """The script as it stands in this package, with the two things that differ between models put in."""
    text = Path(opencv_script.__file__).read_text("utf-8")
    text = text.replace("LETTER_BOX = False", f"LETTER_BOX = {_letter_box(cfg)}", 1)
    return text.replace("NMS_POWER = 0.0", f"NMS_POWER = {_nms_power(cfg)}", 1)


def _nms_power(cfg: Cfg) -> float:
    """What the distance of the centres is raised to in the suppression of the last [yolo]; 0 where only the IoU counts."""
    head = cfg.detection_layers[-1]
    return {"greedynms": 0.6, "diounms": head.number("beta_nms", 0.6)}.get(head.text("nms_kind", "default"), 0.0)


def _letter_box(cfg: Cfg) -> bool:
    return bool(cfg.net.integer("letter_box", 0))


def _readme(source: ExportSource, cfg: Cfg, parity: str) -> str:
    facts = "".join(f"{key}: {value}\n" for key, value in source.facts.items())
    power = _nms_power(cfg)
    return _README.format(
        title=source.title,
        width=cfg.net.integer("width", 416),
        height=cfg.net.integer("height", 416),
        classes=len(source.names),
        resize="keeping the picture's shape, the rest grey (letter box)" if _letter_box(cfg) else "stretched",
        nms=f"by IoU less the distance of the centres to the power {power}" if power else "by IoU",
        facts=facts + ("\n" if facts else ""),
        parity=parity,
    )


EXPORTER = DarknetExporter()
