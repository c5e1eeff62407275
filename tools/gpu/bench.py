"""How fast is the engine on this machine's card? ./studio gpu-bench; without a card a dry run of every part on the processor.

Parts, most important first: what the card can do; whole training steps, our turns and those of PyTorch eager and torch.compile
following each other on the same net; end to end with the loader on made JPEGs; each layer against the roof. docs/gpu.md says
what each table means. Exit codes: parts.py.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from engine import Setting, last_json, make_net, make_pictures, run, run_program, train
from parts import Failure, Outcome, Part, Table
from rival import Rival, rival_if_there


@dataclass(frozen=True)
class Net:
    """A network as it is measured, and in the dry run."""

    model: str
    side: int
    batch: int = 64

    @property
    def name(self) -> str:
        return f"{self.model}-{self.side}"

    def cfg(self, setting: Setting, folder: Path) -> Path:
        if setting.small:
            return make_net(folder / f"{self.name}.cfg", self.model, 96, 4, narrow=8)
        return make_net(folder / f"{self.name}.cfg", self.model, self.side, self.batch)

    def words(self, setting: Setting, images: int) -> str:
        return f"{self.model}, narrow, 96, batch {images}" if setting.small else f"{self.model} {self.side}, batch {images}"

    def images(self, setting: Setting) -> int:
        return 4 if setting.small else self.batch


NETS = (Net("yolov4", 608), Net("yolov3-tiny", 416), Net("yolov4", 416))


def bench_command(setting: Setting, what: str, cfg: Path, images: int, steps: int, warm_up: int) -> list[str]:
    command = [setting.program("darknet"), "bench", what, str(cfg), "-batch", str(images), "-steps", str(steps)]
    return [*command, "-warmup", str(warm_up), "-precision", setting.precision, *setting.device_options, "-json"]


def fitting(images: int, work: Callable[[int], dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    """Its result with so many images, or with half as many until they fit the memory; and how many they were."""
    while True:
        try:
            return images, work(images)
        except Failure as failure:
            if images < 2 or "memory" not in str(failure):
                raise
            images //= 2


# ---- what the card can do --------------------------------------------------------------------------------------------------


def measure_ceilings(setting: Setting) -> Outcome:
    """By PyTorch's matrix product and copy; the layers' part measures by our own convolutions too and takes the better one."""
    with Rival() as rival:
        peaks = rival.ask(peaks=True)
        if "error" in peaks:
            raise Failure(peaks["error"])
        table = Table(f"ceilings by {rival.words}: {setting.heading}", ["what", "best of ten"])
    table.rows += [["bf16 matrix product", f"{peaks['tflop_per_s']:.2f} TFLOP/s"], ["copy", f"{peaks['gb_per_s']:.0f} GB/s"]]
    (setting.out / "ceilings.json").write_text(json.dumps(peaks), "utf-8")
    return Outcome([table], peaks)


# ---- whole steps -----------------------------------------------------------------------------------------------------------


@dataclass
class Runner:
    """One of those who take turns; seconds of all its steps."""

    name: str
    turn: Callable[[int], dict[str, Any]]  # with so many steps
    seconds: list[float] = field(default_factory=list)
    peak_bytes: int = 0
    note: str = ""  # why it has no more turns

    def take_turn(self, steps: int) -> None:
        if self.note:
            return
        answer = self.turn(steps)
        if "error" in answer:
            self.note = answer["error"]
            return
        self.seconds += answer["seconds"]
        self.peak_bytes = max(self.peak_bytes, answer["peak_bytes"])


def runners(setting: Setting, cfg: Path, images: int, rival: Rival | None) -> tuple[Runner, Runner, Runner]:
    def ours(steps: int) -> dict[str, Any]:
        try:
            return last_json(run(bench_command(setting, "step", cfg, images, steps, 1 if setting.small else 5)))
        except Failure as failure:
            return {"error": str(failure)}

    def theirs(compiled: bool) -> Callable[[int], dict[str, Any]]:
        request = {"cfg": str(cfg), "batch": images, "precision": setting.precision, "compile": compiled, "warm_up": 3}
        return lambda steps: rival.ask(**request, steps=steps) if rival else {"error": "PyTorch is not here"}

    return Runner("ours", ours), Runner("PyTorch eager", theirs(False)), Runner("torch.compile", theirs(True))


def take_turns(those: tuple[Runner, Runner, Runner], steps: int) -> bool:
    """False as soon as one of the first two has too little memory. What may take too long to compile comes late."""
    ours, eager, compiled = those
    for runner in (ours, eager, ours, eager, compiled, ours, compiled):
        runner.take_turn(steps)
        if any("memory" in other.note.lower() for other in (ours, eager)):
            return False
    return True


def measure_steps(net: Net) -> Callable[[Setting], Outcome]:
    def measure(setting: Setting) -> Outcome:
        cfg, images = net.cfg(setting, setting.folder(net.name)), net.images(setting)
        with rival_if_there() as rival:
            those = runners(setting, cfg, images, rival)
            while not take_turns(those, 3 if setting.small else 25) and images > 1:
                images //= 2
                those = runners(setting, cfg, images, rival)
        return steps_outcome(setting, net, images, those)

    return measure


def steps_outcome(setting: Setting, net: Net, images: int, those: tuple[Runner, ...]) -> Outcome:
    title = f"training step of {net.words(setting, images)}, {setting.precision}, turn by turn: {setting.heading}"
    table = Table(title, ["who", "ms, median", "best", "images/s", "against ours", "peak MB"])
    own = median(those[0].seconds) if those[0].seconds else 0.0
    for runner in those:
        if not runner.seconds:
            table.rows.append([runner.name, "-", "-", "-", "-", runner.note[:60]])
            continue
        middle = median(runner.seconds)
        table.rows.append(
            [
                runner.name,
                f"{middle * 1e3:.2f}",
                f"{min(runner.seconds) * 1e3:.2f}",
                f"{images / middle:.0f}",
                f"{middle / own:.2f}x" if own else "-",
                f"{runner.peak_bytes / 1e6:.0f}",
            ]
        )
    values = {runner.name: {"seconds": runner.seconds, "peak_bytes": runner.peak_bytes, "note": runner.note} for runner in those}
    failed = [] if those[0].seconds else [f"{net.name}: no step of ours was measured: {those[0].note}"]
    return Outcome([table], values, failed)


def measure_siblings(net: Net) -> Callable[[Setting], Outcome]:
    """Ours against ours: the pairs of 1x1 convolutions that train as one, and one by one."""

    def measure(setting: Setting) -> Outcome:
        cfg = net.cfg(setting, setting.folder(f"siblings-{net.name}"))

        def step(images: int, way: str, steps: int) -> dict[str, Any]:
            command = bench_command(setting, "step", cfg, images, steps, 1 if setting.small else 5)
            return last_json(run([*command, "-siblings", way]))

        images, _ = fitting(net.images(setting), lambda images: step(images, "apart", 1))
        those = tuple(Runner(f"siblings {way}", partial(step, images, way)) for way in ("merged", "apart"))
        for _ in range(1 if setting.small else 3):
            for runner in those:
                runner.take_turn(3 if setting.small else 25)
        return steps_outcome(setting, net, images, those)

    return measure


# ---- layers ----------------------------------------------------------------------------------------------------------------


def measure_layers(net: Net) -> Callable[[Setting], Outcome]:
    def measure(setting: Setting) -> Outcome:
        cfg = net.cfg(setting, setting.folder(f"layers-{net.name}"))
        ceilings, more = setting.out / "ceilings.json", []
        if ceilings.exists():
            peaks = json.loads(ceilings.read_text("utf-8"))
            more = ["-peak-gbs", str(peaks["gb_per_s"]), "-peak-tflops", str(peaks["tflop_per_s"])]
        steps, warm_up = (3, 1) if setting.small else (10, 3)

        def layers(images: int) -> dict[str, Any]:
            return last_json(run([*bench_command(setting, "layers", cfg, images, steps, warm_up), *more]))

        images, measured = fitting(net.images(setting), layers)
        return layers_outcome(setting, net, images, measured)

    return measure


_FARTHEST = 20  # rows of the table; all layers are in the JSON


def layers_outcome(setting: Setting, net: Net, images: int, measured: dict[str, Any]) -> Outcome:
    passes = [
        (f"{layer['index']} {layer['kind']} {way}", layer["shape"], layer[way], layer["kind"])
        for layer in measured["layers"]
        for way in ("forward", "backward")
        if layer[way]["ms"] > 0
    ]
    passes.append(("update", "", measured["update"], "update"))
    ceilings = f"{measured['gb_per_s']:.0f} GB/s, {measured['tflop_per_s']:.2f} TFLOP/s"
    about = f"{net.words(setting, images)}, {setting.precision}; ceilings {ceilings}: {setting.heading}"
    columns = ["ms", "GB/s", "TFLOP/s", "roof, ms", "of the roof"]
    table = Table(f"layers farthest from the roof, {about}", ["layer", "shape", *columns])
    for name, shape, figures, _ in sorted(passes, key=lambda entry: entry[2]["roof_ms"] - entry[2]["ms"])[:_FARTHEST]:
        table.rows.append([name, shape, *rate_cells(figures)])
    sums: dict[str, dict[str, float]] = {}
    for name, _, figures, kind in passes:
        key = f"{kind} {name.split()[-1]}" if kind != "update" else "update"
        for group in (key, "all"):
            total = sums.setdefault(group, dict.fromkeys(figures, 0.0))
            for unit in figures:
                total[unit] += figures[unit]
    by_kind = Table(f"the same by kind, {about}", ["kind", *columns])
    by_kind.rows += [[kind, *rate_cells(total)] for kind, total in sorted(sums.items(), key=lambda item: item[1]["ms"])]
    return Outcome([table, by_kind], measured)


def rate_cells(figures: dict[str, float]) -> list[str]:
    ms = figures["ms"]
    if ms <= 0:
        return ["-"] * 5
    return [
        f"{ms:.3f}",
        f"{figures['mb'] / ms:.0f}",
        f"{figures['gflop'] / ms:.2f}",
        f"{figures['roof_ms']:.3f}",
        f"{figures['roof_ms'] / ms:.0%}",
    ]


# ---- end to end ------------------------------------------------------------------------------------------------------------


def measure_training(net: Net) -> Callable[[Setting], Outcome]:
    def measure(setting: Setting) -> Outcome:
        folder = setting.folder(f"training-{net.name}")
        count, width, height, steps = (24, 160, 120, 12) if setting.small else (2000, 1280, 800, 100)
        make_pictures(setting, folder, count, 1, width, height)
        cfg = net.cfg(setting, folder)
        together, alone = fitting(
            net.images(setting),
            lambda images: last_json(run(bench_command(setting, "step", cfg, images, 3 if setting.small else 20, 2))),
        )
        options = ["-precision", setting.precision, "-seed", "1", "-steps", str(steps), "-subdivisions", "auto"]
        trained = train(setting, folder / "any.data", cfg, *options)
        step_s = median(alone["seconds"]) * net.images(setting) / together
        passes = max(1, count // net.images(setting))  # until every picture was decoded once
        return training_outcome(setting, net, step_s, trained.seconds, trained.load_seconds, min(passes, steps // 2))

    return measure


def training_outcome(setting: Setting, net: Net, alone: float, seconds: list[float], waited: list[float], first: int) -> Outcome:
    later, waits = seconds[first:], waited[first:]
    about = f"{net.words(setting, net.images(setting))}, {setting.precision}"
    title = f"training of {about}, loader and augmentation included: {setting.heading}"
    table = Table(title, ["what", "ms", "images/s"])
    images = net.images(setting)
    for name, value in (
        ("the step alone", alone),
        ("a training's first step", seconds[0]),
        (f"its steps 2 to {first}, median", median(seconds[1:first] or seconds)),
        ("its later steps, median", median(later)),
    ):
        table.rows.append([name, f"{value * 1e3:.2f}", f"{images / value:.0f}"])
    table.rows.append(["of that waiting for pictures", f"{median(waits) * 1e3:.2f}", ""])
    table.rows.append(["later steps / the step alone", f"{median(later) / alone:.3f}", ""])
    return Outcome([table], {"step_alone_s": alone, "seconds": seconds, "load_seconds": waited})


PARTS = (
    Part("ceilings", "matrix product and copy", measure_ceilings, 5, 60),
    *(
        Part(f"step-{net.name}", f"whole steps of {net.name}, turn by turn with PyTorch", measure_steps(net), 15, 240)
        for net in NETS[:2]
    ),
    Part("training-yolov3-tiny-416", "end to end with the loader, YOLOv3-Tiny", measure_training(NETS[1]), 10, 90),
    *(Part(f"layers-{net.name}", f"each layer of {net.name} against the roof", measure_layers(net), 10, 60) for net in NETS[:2]),
    Part("siblings-yolov4-608", "steps with siblings as one convolution and one by one", measure_siblings(NETS[0]), 10, 60),
    Part("training-yolov4-608", "end to end with the loader, YOLOv4", measure_training(NETS[0]), 15, 120),
    Part("step-yolov4-416", "whole steps of yolov4-416, turn by turn with PyTorch", measure_steps(NETS[2]), 15, 240),
)


if __name__ == "__main__":
    sys.exit(run_program("gpu-bench", __doc__ or "", PARTS, Path(__file__)))
