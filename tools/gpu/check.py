"""Is the engine right on this machine's card? ./studio gpu-check; without a card a dry run of every part on the processor.

Parts, most important first: every operation and whole networks against figures of other origin, a training stopped and resumed,
two trainings alike, too little memory, NVIDIA's compute-sanitizer on a narrow net, and 300 steps in bf16 beside f32.
docs/gpu.md says what each table means. Exit codes: parts.py.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

from engine import Setting, Training, make_net, make_pictures, run, run_program, train, train_command
from parts import Failure, Outcome, Part, Skip, Table

# ---- operations and networks, by the native tests --------------------------------------------------------------------------


def native_tests(setting: Setting, suites: str, figures: Path | None = None) -> Outcome:
    """Some of dk_tests, which take in every device that can be used. suites: doctest's option."""
    report = setting.out / "work" / "tests.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    outcome = Outcome()
    try:
        run(
            [setting.program("dk_tests"), suites, "-r=junit", f"-o={report}"],
            env={"DK_FIGURES": str(figures)} if figures else None,
        )
    except Failure as failure:
        outcome.wrong.append(str(failure))
    if not report.exists():
        return outcome
    table = Table(f"native tests on every device: {setting.heading}", ["file", "tests", "failed", "seconds"])
    files: dict[str, list[float]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        faults = [*case.iter("failure"), *case.iter("error")]
        outcome.wrong += [
            f"{case.get('name')}: {(fault.get('message') or fault.text or '').strip()[:200]}" for fault in faults[:3]
        ]
        sums = files.setdefault(Path(case.get("classname", "")).stem, [0, 0, 0])
        for i, value in enumerate((1, bool(faults), float(case.get("time", 0)))):
            sums[i] += value
    table.rows = [[name, f"{sums[0]:.0f}", f"{sums[1]:.0f}", f"{sums[2]:.1f}"] for name, sums in sorted(files.items())]
    if not table.rows:
        outcome.wrong.append(f"dk_tests {suites}: no test was run")
    outcome.tables.append(table)
    return outcome


_EMULATED = "CUDA kernels on the processor"


def check_operations(setting: Setting) -> Outcome:
    figures = setting.folder("operations") / "figures.tsv"
    some, all_but_golden = "-ts=backend*,padding*,stopwatch", "-tse=golden*,torch figures*"
    outcome = native_tests(setting, some if setting.dry else all_but_golden, figures)
    worst: dict[str, dict[str, dict[str, tuple[float, float]]]] = {}  # device, operation, type: error, allowed
    for line in figures.read_text("utf-8").splitlines() if figures.exists() else ():
        device, kind, operation, *limits = line.split("\t")
        types = worst.setdefault(device, {}).setdefault(kind_of(operation), {})
        types[kind] = max(types.get(kind, (0.0, 0.0)), (float(limits[0]), float(limits[1])))
    for device, operations in worst.items():
        if not same_device(device, setting.device_words) and not device.startswith(_EMULATED):
            continue
        title = f"largest relative error against the reference, {device}: {setting.heading}"
        table = Table(title, ["operation", "f32", "allowed", "bf16", "allowed"])
        for operation, types in sorted(operations.items()):
            table.rows.append([operation, *(f"{x:.1e}" for kind in ("f32", "bf16") for x in types.get(kind, (0.0, 0.0)))])
        outcome.tables.append(table)
    if not any(same_device(device, setting.device_words) for device in worst):
        outcome.wrong.append(f"{setting.device_words} took no part, only {'; '.join(sorted(worst)) or 'nothing'}")
    outcome.values["worst"] = worst
    return outcome


def same_device(one: str, other: str) -> bool:
    """Their words may differ in the number of threads."""
    return one.split(",")[:2] == other.split(",")[:2]


_DETAIL = re.compile(
    r"\s(\S*[\d+].*|linear|leaky|logistic|relu6?|mish|swish|hard_mish|tanh|elu|selu|gelu|loggy|ramp|relie|hardtan|of|with)$"
)


def kind_of(operation: str) -> str:
    """ "conv forward +bias 3x3 16>32" and "conv forward mish" -> "conv forward"."""
    while (shorter := _DETAIL.sub("", operation)) != operation:
        operation = shorter
    return operation


def check_golden(setting: Setting) -> Outcome:
    return native_tests(setting, "-ts=golden*,torch figures*")


# ---- trainings -------------------------------------------------------------------------------------------------------------


def small_training(setting: Setting, name: str, batch: int = 8, steps: int = 20) -> tuple[Path, Path]:
    """A narrow net and its pictures in a new folder: data and cfg."""
    folder = setting.folder(name)
    side = 96 if setting.small else 224
    make_pictures(setting, folder, 24 if setting.small else 200, 8, side, side)
    cfg = make_net(folder / "net.cfg", "yolov3-tiny", side, batch, 3, narrow=8, max_batches=steps, burn_in=4)
    return folder / "obj.data", cfg


_WEIGHTS = "net_final.weights"


def check_equal(
    setting: Setting, table: Table, steps: str, train_both: Callable[[str, list[str]], list[str]], wrong: str
) -> Outcome:
    """Two deterministic trainings in each type must give the same bits. train_both(type, options): the weights' SHA-256."""
    outcome = Outcome([table])
    for kind in dict.fromkeys(("f32", setting.precision)):
        one, other = train_both(kind, ["-precision", kind, "-seed", "7", "-deterministic"])
        table.rows.append([kind, steps, one[:12], other[:12], "yes" if one == other else "NO"])
        if one != other:
            outcome.wrong.append(f"{kind}: {wrong}")
    return outcome


def check_resume(setting: Setting) -> Outcome:
    """Half the steps, then the other half after a new start, give the weights of one go."""
    half = 4 if setting.small else 10
    title = f"resumed trainings, deterministic, SHA-256 of the weights: {setting.heading}"

    def both(kind: str, options: list[str]) -> list[str]:
        data, cfg = small_training(setting, f"resume-{kind}-once")
        once = train(setting, data, cfg, *options, "-steps", str(2 * half)).digest(_WEIGHTS)
        data, cfg = small_training(setting, f"resume-{kind}-twice")
        train(setting, data, cfg, *options, "-steps", str(half))
        return [once, train(setting, data, cfg, *options, "-steps", str(2 * half), "-resume").digest(_WEIGHTS)]

    table = Table(title, ["type", "steps", "in one go", "in two", "equal"])
    return check_equal(setting, table, f"{half} + {half}", both, f"{half} + {half} steps differ from {2 * half} in one go")


def check_repeat(setting: Setting) -> Outcome:
    """The same command twice gives the same bits, when it is asked to."""
    steps = str(4 if setting.small else 20)
    title = f"the same training twice, SHA-256 of the weights: {setting.heading}"

    def both(kind: str, options: list[str]) -> list[str]:
        places = [small_training(setting, f"repeat-{kind}-{turn}") for turn in ("first", "second")]
        return [train(setting, *place, *options, "-steps", steps).digest(_WEIGHTS) for place in places]

    table = Table(title, ["type", "steps", "first", "second", "equal"])
    return check_equal(setting, table, steps, both, "two runs of -deterministic differ")


def curve_of(setting: Setting, kind: str, steps: int) -> Training:
    folder = setting.folder(f"curve-{kind}")
    side, batch, narrow = (96, 8, 8) if setting.small else (416, 64, 1)
    make_pictures(setting, folder, 48 if setting.small else 640, 16 if setting.small else 64, side, side)
    cfg = make_net(folder / "net.cfg", "yolov3-tiny", side, batch, 3, narrow, max_batches=steps, burn_in=max(2, steps // 10))
    return train(setting, folder / "obj.data", cfg, "-precision", kind, "-seed", "7", "-map")


LOSS_TOLERANCE = 0.10  # of the mean of the last sixth; runs that differ only in rounding scatter by some percent
MAP_TOLERANCE = 0.10


def check_curves(setting: Setting) -> Outcome:
    """The same training in both types: the loss falls alike, and the model is as good."""
    if setting.precision == "f32":
        raise Skip("this processor has no bf16")
    steps = 24 if setting.small else 300
    curves = {kind: curve_of(setting, kind, steps) for kind in ("f32", "bf16")}
    table = Table(f"{steps} steps of YOLOv3-Tiny, mean loss: {setting.heading}", ["steps", "f32", "bf16", "difference"])
    sixth = steps // 6
    for first in range(0, steps, sixth):
        means = [fmean(curve.losses[first : first + sixth]) for curve in curves.values()]
        table.rows.append(
            [f"{first + 1} to {first + sixth}", *(f"{mean:.3f}" for mean in means), f"{means[1] / means[0] - 1:+.1%}"]
        )
    scores = [curve.map if curve.map is not None else -1.0 for curve in curves.values()]
    table.rows.append(["mAP@0.50", *(f"{score:.3f}" for score in scores), f"{scores[1] - scores[0]:+.3f}"])
    outcome = Outcome([table], {kind: {"losses": curve.losses, "map": curve.map} for kind, curve in curves.items()})
    if abs(means[1] / means[0] - 1) > LOSS_TOLERANCE:
        outcome.wrong.append(f"the last {sixth} losses differ by {means[1] / means[0] - 1:+.1%}, allowed {LOSS_TOLERANCE:.0%}")
    if abs(scores[1] - scores[0]) > MAP_TOLERANCE:
        outcome.wrong.append(f"mAP differs by {scores[1] - scores[0]:+.3f}, allowed {MAP_TOLERANCE}")
    first_mean = fmean(curves["bf16"].losses[:sixth])
    if not setting.small and means[1] > 0.7 * first_mean:
        outcome.wrong.append(f"the loss only went from {first_mean:.2f} to {means[1]:.2f}: nothing was learned")
    return outcome


# ---- memory ----------------------------------------------------------------------------------------------------------------


_FAIL_AT = "DARKNET_FAIL_ALLOC_AT"  # the engine lets the allocation of this number fail
_OUT_OF_MEMORY = 12  # exit code, docs/protocol.md


def check_memory(setting: Setting) -> Outcome:
    """The plan against what was taken; memory that is refused: the training goes on with less of it, or ends with a sentence."""
    data, cfg = small_training(setting, "memory")
    options = ["-precision", setting.precision, "-steps", "2"]
    outcome = Outcome()
    _check_plan(setting, train(setting, data, cfg, *options), outcome)
    _check_refused(setting, train_command(setting, data, cfg, *options), outcome)
    if not setting.dry:
        _check_more_than_there_is(setting, data, outcome)
    return outcome


def _check_plan(setting: Setting, training: Training, outcome: Outcome) -> None:
    table = Table(f"memory: {setting.heading}", ["memory of", "MB planned", "MB at the peak", "peak / planned"])
    outcome.tables.append(table)

    def compare(whose: str, planned: int, peak: int) -> None:
        table.rows.append([whose, str(planned), str(peak), f"{peak / max(planned, 1):.2f}"])

    peak, planned = _logged(training, r"memory: (\d+) MB at the peak, (\d+) MB planned")
    compare("the computer", planned, peak)
    if setting.dry:
        return
    peak, planned, apart = _logged(
        training, r"memory of the card: (\d+) MB at the peak, (\d+) MB planned, and (\d+) MB for its libraries"
    )
    compare("the card, without libraries", planned, peak)
    # The back end counts its own; what the host's process holds is known to the system only.
    if not 0.9 * planned <= peak <= planned + 1:
        outcome.wrong.append(f"{planned} MB of the card were planned, {peak} MB were taken")
    (taken,) = _logged(training, r"memory of the card: (-?\d+) MB were taken by its libraries")
    compare("the card, its libraries", apart, taken)
    if taken > apart:
        outcome.wrong.append(f"{apart} MB were set aside for the card's libraries, they took {taken} MB")


def _logged(training: Training, pattern: str) -> list[int]:
    for line in training.logs:
        found = re.search(pattern, line)
        if found:
            return [int(number) for number in found.groups()]
    raise Failure(f"the training never said {pattern}")


# What a training says when it goes on with less memory, and when it can't.
_WENT_ON = r"the training goes on with \d+|the card keeps no decoded images"
_GAVE_UP = r"no memory|out of memory|ran out"


def _check_refused(setting: Setting, command: list[str], outcome: Outcome) -> None:
    """One allocation after the other fails, until there are no more."""
    table = Table(f"allocations that fail: {setting.heading}", ["the one that fails", "exit code", "what was said"])
    outcome.tables.append(table)
    number, smaller, went_on = 1, 0, True
    while went_on and number < 10_000:
        done = subprocess.run(command, env={**os.environ, _FAIL_AT: str(number)}, capture_output=True, text=True, check=False)
        words = [line for line in done.stderr.splitlines() if re.search(f"{_WENT_ON}|{_GAVE_UP}", line)]
        table.rows.append([str(number), str(done.returncode), (words[-1] if words else "there was none")[:110]])
        if done.returncode not in (0, _OUT_OF_MEMORY) or (done.returncode and not words):
            said = done.stderr.strip()[-200:] or "without a word"
            outcome.wrong.append(f"allocation {number}: ended with {done.returncode}, {said}")
        smaller += done.returncode == 0 and bool(words)
        went_on = bool(words) or done.returncode != 0
        number += max(1, number // 2)
    if smaller == 0:
        outcome.wrong.append("no training that memory was refused to went on with less of it")


def _check_more_than_there_is(setting: Setting, data: Path, outcome: Outcome) -> None:
    """A training that is told of more memory than the card has finds out, and goes on with fewer images at a time."""
    side, batch = (96, 64) if setting.small else (608, 512)
    cfg = make_net(data.parent / "large.cfg", "yolov4", side, batch, 3, max_batches=1, burn_in=1)
    training = train(
        setting, data, cfg, "-precision", setting.precision, "-steps", "1", "-subdivisions", "auto", "-memory", "1000000"
    )
    words = [line for line in training.logs if re.search(_WENT_ON, line)]
    table = Table(f"told of 1,000,000 MB: {setting.heading}", ["YOLOv4", "what was said"])
    table.rows = [[f"{side}x{side}, {batch} images", line[:110]] for line in words]
    outcome.tables.append(table)
    if not words and not setting.small:
        outcome.wrong.append(
            f"YOLOv4 {side}x{side}, {batch} images at a time: the card can't have had the memory, but nobody said so"
        )


# ---- NVIDIA's sanitizer ----------------------------------------------------------------------------------------------------


def sanitizer(tool: str) -> Part:
    def check(setting: Setting) -> Outcome:
        program = shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path="/usr/local/cuda/bin")
        if program is None:
            raise Skip("compute-sanitizer is not here")
        data, cfg = small_training(setting, tool, batch=2)
        command = train_command(setting, data, cfg, "-precision", setting.precision, "-steps", "2")
        begin = time.monotonic()
        log = data.parent / "sanitizer.log"
        run([program, "--tool", tool, "--log-file", str(log), *command])
        return sanitizer_outcome(setting, tool, log.read_text("utf-8", "replace"), time.monotonic() - begin)

    return Part(tool, f"compute-sanitizer's {tool} on a narrow net's training", check, 20, 120)


def sanitizer_outcome(setting: Setting, tool: str, log: str, seconds: float) -> Outcome:
    """What it says of our kernels; what it says of cuDNN's own is shown, not judged, but for accesses out of bounds."""
    reports = re.split(r"\n(?========== (?:Invalid|Uninitialized|Error|Warning|Program hit|Race))", log)[1:]
    ours = [report for report in reports if "dk::" in report or "dk4cuda" in report]
    judged = reports if tool == "memcheck" else ours
    finished = re.search(r"(ERROR|RACECHECK) SUMMARY: .*", log)
    table = Table(f"compute-sanitizer, {tool}: {setting.heading}", ["what it saw", "reports"])
    table.rows += [["in our kernels", str(len(ours))], ["elsewhere (cuDNN, the driver)", str(len(reports) - len(ours))]]
    outcome = Outcome([table], {"seconds": seconds, "reports": [report[:1500] for report in reports[:20]]})
    if judged:
        outcome.wrong.append(f"{len(judged)} reports, the first: {' '.join(judged[0].split())[:250]}")
    elif finished is None:
        outcome.wrong.append(f"it did not come to its summary: {log.strip()[-200:]}")
    return outcome


PARTS = (
    Part("operations", "every operation against the reference, f32 and bf16", check_operations, 10, 120),
    Part("golden", "whole networks against golden figures and PyTorch's", check_golden, 10, 120),
    Part("resume", "a training in two halves against one in one go", check_resume, 10, 90),
    Part("repeat", "the same training twice", check_repeat, 10, 90),
    Part("memory", "memory: planned, taken, refused", check_memory, 10, 120),
    sanitizer("memcheck"),
    Part("curves", "300 steps of bf16 beside f32", check_curves, 10, 150),
    sanitizer("racecheck"),
    sanitizer("initcheck"),
)


if __name__ == "__main__":
    sys.exit(run_program("gpu-check", __doc__ or "", PARTS, Path(__file__)))
