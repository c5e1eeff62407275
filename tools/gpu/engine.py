"""The engine under test: where its programs are, which device they run on, and how a training is started and read.

Without a card everything runs on the processor, at small sizes, and says so in every heading: a dry run, whose figures say
nothing of a card.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parts import Failure, Part, arguments, chosen, conclude, run_parts, work_as_child
from places import ROOT, card_is_here, package_folders

sys.path.insert(0, str(ROOT))  # the checkout's own package, whatever is installed

from darknet_bridge import recipes
from darknet_bridge.formats.cfg import Cfg, CfgSection, write_cfg

_PROGRAMS = ("darknet", "dk_tests", "dk_bench_pictures")
_LIBRARY = "libdarknet_cuda.so"


@dataclass(frozen=True)
class Setting:
    """What every part is told. out: the folder of results; bin: the programs, the CUDA back end beside them."""

    out: Path
    bin: Path
    device: str  # what -device takes
    device_words: str
    precision: str  # the fast one of the device
    dry: bool
    small: bool

    @property
    def heading(self) -> str:
        """The device, honestly."""
        return "no card: processor, dry run" if self.dry else self.device_words

    @property
    def device_options(self) -> list[str]:
        """Of the program; a dry run shall be done soon, also beside others: one thread waits for nobody."""
        return ["-device", self.device, *(["-threads", "1"] if self.dry else [])]

    def program(self, name: str) -> str:
        return str(self.bin / name)

    def folder(self, name: str) -> Path:
        """A new, empty one."""
        path = self.out / "work" / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path


def find_build(given: Path | None) -> Path:
    """The build tree. Raises Failure with the way to one."""
    trees = [given] if given else [ROOT / "build" / "gpu", ROOT / "build" / "release"]
    for tree in trees:
        if all((tree / name).is_file() for name in _PROGRAMS):
            return tree.resolve()
    raise Failure(f"{', '.join(_PROGRAMS)} are not built in {' or '.join(map(str, trees))}: run ./studio gpu-check")


def gather_programs(build: Path, folder: Path) -> None:
    """Links to the programs in one folder, and to the CUDA back end, which is looked for beside the program that runs."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in _PROGRAMS:
        (folder / name).symlink_to(build / name)
    for library in (build / "backends" / "cuda" / _LIBRARY, build / _LIBRARY):
        if library.is_file():
            (folder / _LIBRARY).symlink_to(library)
            return


def find_cuda_libraries() -> None:
    """Tells the engine where NVIDIA's wheels keep cuDNN and the run-time compiler."""
    if "DARKNET_CUDA_LIBRARIES" in os.environ:
        return
    wanted = ("libcudnn.so.9", "libnvrtc.so.13")
    found = {library.parent for folder in package_folders() for name in wanted for library in folder.glob(f"nvidia/*/lib/{name}")}
    if found:
        os.environ["DARKNET_CUDA_LIBRARIES"] = ":".join(sorted(map(str, found)))


def open_setting(out: Path, build: Path | None, quick: bool, dry_run: bool) -> Setting:
    """Raises Failure where nothing is built, or where a card is here that can't be used."""
    find_cuda_libraries()
    gather_programs(find_build(build), out / "bin")
    done = subprocess.run([str(out / "bin" / "darknet"), "devices", "-json"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"darknet devices: {done.stderr.strip()}")
    devices = json.loads(done.stdout.strip().splitlines()[-1])
    card = next((device for device in devices if device["id"].startswith("cuda")), None)
    cpu = next(device for device in devices if device["id"] == "cpu")
    if card and card["usable"] and not dry_run:
        return Setting(out, out / "bin", card["id"], card["description"], "bf16", dry=False, small=quick)
    if not dry_run and card_is_here():
        raise Failure(f"a card is here, but the engine can't use it: {card['reason'] if card else 'no CUDA back end'}")
    fast = "bf16" if "bf16" in cpu["description"] else "f32"
    return Setting(out, out / "bin", "cpu", cpu["description"], fast, dry=True, small=True)


def load_setting(out: Path) -> Setting:
    values = json.loads((out / "setting.json").read_text("utf-8"))
    return Setting(**{**values, "out": Path(values["out"]), "bin": Path(values["bin"])})


def run_program(name: str, about: str, parts: Sequence[Part], program: Path) -> int:
    """The whole of a check or a measurement, or, as its own child, one part of it. Returns the exit code."""
    args = arguments(about).parse_args()
    begin = time.monotonic()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait shall not take the processor from others
    out: Path = args.out.resolve()
    asked = chosen(parts, args.part or args.only)
    if args.part:
        return work_as_child(asked[0], load_setting(out), out / "parts" / f"{args.part}.json")
    out.mkdir(parents=True, exist_ok=True)
    try:
        setting = open_setting(out, args.build, args.quick, args.dry_run)
    except Failure as failure:
        print(f"{name}: {failure}", file=sys.stderr)
        return 1
    values = {**vars(setting), "out": str(setting.out), "bin": str(setting.bin)}
    (out / "setting.json").write_text(json.dumps(values), "utf-8")
    heading = f"{name}: {setting.heading}"
    print(heading, flush=True)
    lines = run_parts(asked, program.resolve(), ["--out", str(out)], out / "parts", begin + args.limit_s)
    return conclude(lines, heading, out / f"{name}.json", {"device": setting.heading, "dry_run": setting.dry})


def run(command: Sequence[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Its stdout. Raises Failure with the last of its words; everything also goes to this part's log."""
    print("+", *command, flush=True)
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False)
    sys.stderr.write(done.stderr)
    if done.returncode:
        words = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise Failure(f"{Path(command[0]).name} ended with {done.returncode}: {words[-1][:300] if words else 'without a word'}")
    return done.stdout


def last_json(printed: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(printed.strip().splitlines()[-1])
    return result


# ---- networks and pictures -------------------------------------------------------------------------------------------------


def make_net(path: Path, model: str, side: int, batch: int, classes: int = 80, narrow: int = 1, **more: Any) -> Path:
    """The recipe's cfg at one size, a step in one pass; narrow: normalised layers have so many times fewer filters."""
    options = recipes.RecipeOptions(classes, width=side, height=side, batch=batch, subdivisions=1, random=False, **more)
    cfg = recipes.get_recipe(model).build(options)
    write_cfg(path, Cfg(tuple(_narrowed(section, narrow) for section in cfg.sections), cfg.name))
    return path


def _narrowed(section: CfgSection, by: int) -> CfgSection:
    if by == 1 or not section.integer("batch_normalize", 0):
        return section
    return section.with_values({"filters": str(max(8, section.integer("filters", 1) // by))})


def make_pictures(setting: Setting, folder: Path, train: int, valid: int, width: int, height: int) -> Path:
    """A drawn set of three classes; its folder holds obj.data, and any.data for a net of any number of classes."""
    run([setting.program("dk_bench_pictures"), str(folder), str(train), str(valid), str(width), str(height)])
    return folder


# ---- trainings -------------------------------------------------------------------------------------------------------------


@dataclass
class Training:
    """What a training told: losses and seconds of each step, mAP where it was measured."""

    folder: Path
    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    load_seconds: list[float] = field(default_factory=list)
    map: float | None = None
    logs: list[str] = field(default_factory=list)
    wall_s: float = 0.0

    def digest(self, name: str) -> str:
        """Of a weights file in the backup folder."""
        return hashlib.sha256((self.folder / "backup" / name).read_bytes()).hexdigest()


def train_command(setting: Setting, data: Path, cfg: Path, *options: str) -> list[str]:
    return [setting.program("darknet"), "detector", "train", str(data), str(cfg), "-json", *setting.device_options, *options]


def train(setting: Setting, data: Path, cfg: Path, *options: str, env: dict[str, str] | None = None) -> Training:
    """Trains to the end. Raises Failure where the program does."""
    begin = time.monotonic()
    printed = run(train_command(setting, data, cfg, *options), env=env)
    training = Training(data.parent, wall_s=time.monotonic() - begin)
    for line in printed.splitlines():
        event = json.loads(line)
        if event["event"] == "step":
            training.losses.append(event["loss"])
            training.seconds.append(event["seconds"])
            training.load_seconds.append(event["load_seconds"])
        elif event["event"] == "eval":
            training.map = event["map"]
        elif event["event"] == "log":
            training.logs.append(event["text"])
    return training
