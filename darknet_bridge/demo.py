"""The whole way on a small scale: ./studio demo, or python -m darknet_bridge.demo.

Renders a labelled picture set, trains YOLOv3-Tiny on it from scratch, evaluates, looks for the objects in pictures that were
not trained on, and leaves a folder that other programs reading Darknet's files can use. Training is an ordinary run of the
public program through darknet_bridge.training; nothing here knows more than a user could.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from . import recipes
from .detection import Detection, iou
from .errors import CancelledError, DarknetError, FormatError, shown
from .formats import Label, label_path, read_labels, write_bytes
from .images import read_image
from .samples import NAMES, SampleSet, render_samples
from .training import Done, Eval, Hello, Log, RunDir, RunImage, Step, TrainingProcess, TrainOptions, create_run

if TYPE_CHECKING:
    from .network import Network

_SIDE_PX = 160
_BATCH = 4
_STEPS = 1500
_THRESHOLD = 0.25
_MATCH_IOU = 0.5
_COLOURS = ((60, 60, 250), (60, 200, 60), (250, 140, 40))  # BGR, one a class


class ProgressBar:
    """One line that grows on a terminal; elsewhere a line at each tenth."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._terminal = sys.stdout.isatty()
        self._tenth = -1

    def show(self, done: int, total: int, more: str = "") -> None:
        share = done / max(total, 1)
        if self._terminal:
            filled = round(24 * share)
            bar = "#" * filled + "-" * (24 - filled)
            print(f"\r{self._what} [{bar}] {done}/{total} {more}\033[K", end="\n" if done >= total else "", flush=True)
        elif int(share * 10) > self._tenth:
            self._tenth = int(share * 10)
            print(f"{self._what} {done}/{total} {more}".rstrip(), flush=True)


def make_run(folder: Path, pictures: SampleSet, steps: int) -> RunDir:
    """The run's folder, with a cfg for the three classes and anchors fitted to their labels."""
    options = recipes.RecipeOptions(
        classes=len(NAMES),
        width=_SIDE_PX,
        height=_SIDE_PX,
        batch=_BATCH,
        subdivisions=1,
        max_batches=steps,
        burn_in=min(60, steps // 5),
        steps=(steps * 6 // 10, steps * 85 // 100),
        learning_rate=0.001,
        random=False,
        anchors=recipes.calc_anchors(pictures.data, 6, _SIDE_PX, _SIDE_PX),
    )
    train, valid = ([RunImage(path) for path in part] for part in (pictures.train, pictures.valid))
    return create_run(folder, recipes.get_recipe("yolov3-tiny").build(options), NAMES, train, valid).run


def train(run: RunDir, options: TrainOptions) -> tuple[Done, Eval | None]:
    """Trains with a progress bar; the end of the run and its best evaluation. Ctrl-C stops it with a checkpoint."""
    process = TrainingProcess.start(run, options)
    bar = ProgressBar("training")
    best: Eval | None = None
    total = 0
    try:
        for event in process.follow():
            if isinstance(event, Hello):
                total = event.max_batches
                print(
                    f"device {event.device}, {event.precision}, {event.threads} threads, {event.images_train} pictures, "
                    f"{event.memory_bytes / 2**20:.0f} MB planned"
                )
            elif isinstance(event, Step):
                left = "" if event.eta_seconds is None else f", {_clock(event.eta_seconds)} left"
                bar.show(event.iteration, total, f"loss {event.avg_loss:.2f}, {event.seconds:.2f} s a step{left}")
            elif isinstance(event, Eval) and event.is_best:
                best = event
            elif isinstance(event, Log) and event.level != "info":
                print(f"\n{event.level}: {event.text}")
    except KeyboardInterrupt:
        print("\nstopping; a checkpoint is being written")
        process.stop()
        raise CancelledError(f"stopped; what was trained so far is in {shown(run.backup)}") from None
    process.wait()
    return process.result(), best


def count_found(found: Sequence[Detection], wanted: Sequence[Label]) -> tuple[int, int]:
    """(right, wrong) detections: right is of the object's class and overlaps it with an IoU of at least 0.5.

    Each object counts once, for the most certain detection of it.
    """
    left = list(wanted)
    right = 0
    for detection in sorted(found, key=lambda one: -one.score):
        fits = [label for label in left if label.class_id == detection.class_id and iou(label.box, detection.box) >= _MATCH_IOU]
        if fits:
            left.remove(max(fits, key=lambda label: iou(label.box, detection.box)))
            right += 1
    return right, len(found) - right


def draw(picture: NDArray[np.uint8], found: Sequence[Detection]) -> NDArray[np.uint8]:
    """A copy of the picture with the boxes, names and scores on it."""
    canvas = picture.copy()
    height, width = canvas.shape[:2]
    for detection in found:
        box = detection.box.clipped().to_pixels(width, height)
        colour = _COLOURS[detection.class_id % len(_COLOURS)]
        left, top = int(box.left), int(box.top)
        cv2.rectangle(canvas, (left, top), (int(box.right), int(box.bottom)), colour, 2)
        text = f"{detection.name} {detection.score:.0%}"
        (text_width, text_height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)
        top = max(top, text_height + below + 2)
        left = min(left, width - text_width - 4)
        cv2.rectangle(canvas, (left, top - text_height - below - 2), (left + text_width + 4, top), colour, -1)
        cv2.putText(canvas, text, (left + 2, top - below), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return canvas


def look(network: Network, paths: Sequence[Path], sheet: Path) -> tuple[int, int, int]:
    """Detects in all pictures, writes the first six with their boxes; (right, wrong, objects in all)."""
    pictures = [read_image(path) for path in paths]
    results = [network.detect(picture, threshold=_THRESHOLD) for picture in pictures]
    right = wrong = objects = 0
    for path, found in zip(paths, results, strict=True):
        wanted = read_labels(label_path(str(path)), len(NAMES))
        ok, extra = count_found(found, wanted)
        right, wrong, objects = right + ok, wrong + extra, objects + len(wanted)
    tiles = [draw(picture, found) for picture, found in zip(pictures[:6], results[:6], strict=True)]
    rows = [np.hstack(tiles[at : at + 3]) for at in range(0, len(tiles) - len(tiles) % 3, 3)] or [np.hstack(tiles)]
    write_bytes(sheet, cv2.imencode(".jpg", np.vstack(rows), (cv2.IMWRITE_JPEG_QUALITY, 90))[1].tobytes())
    return right, wrong, objects


def prepare_folder(folder: Path) -> None:
    """Empties what an earlier demo left. Raises FormatError for a folder with anything else in it."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "pictures" / "obj.data").exists():
            raise FormatError("the folder holds something that no demo wrote; choose another with --folder", str(folder))
        run = folder / "model"
        if (run / "events.jsonl").exists() and TrainingProcess.attach(run).is_alive():
            raise FormatError("a training is at work in this folder", str(run))
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)


def run_demo(folder: Path, pictures: int, steps: int, options: TrainOptions) -> None:
    """The five acts, each announced. Raises DarknetError."""
    from .network import Network  # needs the native library, which --help does not

    started = time.monotonic()
    prepare_folder(folder)
    bar = ProgressBar("drawing pictures")
    sample = render_samples(folder / "pictures", pictures, max(pictures // 5, 1), progress=bar.show)
    run = make_run(folder / "model", sample, steps)
    print(f"training YOLOv3-Tiny at {_SIDE_PX}x{_SIDE_PX} from scratch for {steps} steps of {_BATCH} pictures")
    done, best = train(run, options)
    if best is not None:
        print(f"mAP@0.50 on {len(sample.valid)} held-out pictures: {best.map:.1%}")
        for result in best.classes:
            print(f"  {result.name:<10} AP {result.ap:6.1%}   right {result.tp}, wrong {result.fp}, of {result.truths}")
    weights = run.folder / (done.weights or run.final_weights)
    sheet = folder / "found.jpg"
    with Network.load(run.cfg, weights, run.names) as network:
        right, wrong, objects = look(network, sample.valid, sheet)
    print(f"found {right} of {objects} objects, {wrong} wrong boxes, at a threshold of {_THRESHOLD:.0%}")
    print(f"the found boxes: {shown(sheet)}")
    print(f"the model:       {shown(run.folder)}  (net.cfg, obj.names, {shown(weights.relative_to(run.folder))})")
    print(f"took {_clock(time.monotonic() - started)}")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="demo", description="Train a small detector on drawn pictures and look at it.")
    parser.add_argument("--folder", type=Path, default=Path("runs") / "demo", help="where pictures and model go (runs/demo)")
    parser.add_argument("--pictures", type=int, default=320, help="how many to train on (320)")
    parser.add_argument("--steps", type=int, default=_STEPS, help=f"weight updates ({_STEPS})")
    parser.add_argument("--seed", type=int, default=1, help="of the training (1)")
    parser.add_argument("--threads", type=int, help="compute threads (one for each core)")
    parser.add_argument("--precision", choices=("auto", "f32", "bf16", "f16"), help="of the arithmetic (auto)")
    args = parser.parse_args(arguments)
    if args.pictures < 1 or args.steps < 10:
        parser.error("at least 1 picture and 10 steps")
    options = TrainOptions(seed=args.seed, threads=args.threads, precision=args.precision)
    try:
        run_demo(args.folder.absolute(), args.pictures, args.steps, options)
    except DarknetError as error:
        print(f"demo: {error}", file=sys.stderr)
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
