"""Measures the engine against PyTorch and against what the machine can do: ./studio bench.

Everything that is compared is taken in one run, turn by turn: our program, then the peer, round after round, so that
whatever else the machine does hits both. Figures are medians over all rounds. Writes results.json and table.md (the table of
docs/benchmarks.md) into the output folder. PyTorch is installed on first use into .cache/torch-venv; without it (--no-torch)
only our side is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import venv
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import cv2

from darknet_bridge import recipes
from darknet_bridge.formats import write_bytes, write_cfg
from darknet_bridge.program import find_program
from darknet_bridge.samples import render_picture

ROOT = Path(__file__).resolve().parents[2]
TORCH = "torch==2.13.0"
TORCH_VENV = ROOT / ".cache" / "torch-venv"
MODELS = {"yolov3-tiny": 8, "yolov4": 2}  # mini-batch of a training step


@dataclass
class Case:
    """One thing measured on both sides; seconds of every repetition."""

    what: str  # step, detect
    model: str
    batch: int
    precision: str
    steps: int
    image: Path | None = None  # detection from a file's bytes to boxes; the peer has no such case
    gflop: float = 0.0
    ours: list[float] = field(default_factory=list)
    peer: list[float] = field(default_factory=list)
    note: str = ""

    def ours_command(self, cfg: Path, threads: int) -> list[str]:
        command = [str(find_program()), "bench", self.what, str(cfg), "-batch", str(self.batch), "-steps", str(self.steps)]
        command += ["-image", str(self.image)] if self.image else []
        return [*command, "-precision", self.precision, "-threads", str(threads), "-json"]

    def peer_command(self, cfg: Path, threads: int) -> list[str]:
        command = [str(TORCH_VENV / "bin" / "python"), str(ROOT / "tools" / "bench" / "torch_peer.py"), self.what, str(cfg)]
        command += ["--batch", str(self.batch), "--steps", str(self.steps)]
        return [*command, "--precision", self.precision, "--threads", str(threads)]


def run_json(command: list[str]) -> dict[str, Any]:
    """The last line of a program's output, as JSON. Raises RuntimeError with its complaint."""
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    if done.returncode:
        complaint = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise RuntimeError(complaint[-1] if complaint else f"{command[0]} ended with {done.returncode}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def ensure_torch() -> None:
    python = TORCH_VENV / "bin" / "python"
    if python.exists() and subprocess.run([str(python), "-c", "import torch, numpy"], check=False).returncode == 0:
        return
    print(f"installing {TORCH} into {TORCH_VENV}", flush=True)
    venv.create(TORCH_VENV, with_pip=True, clear=True)
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "numpy", TORCH], check=True)


def machine() -> dict[str, Any]:
    info = Path("/proc/cpuinfo").read_text()
    name = re.search(r"model name\s*: (.*)", info)
    family = re.search(r"cpu family\s*: (\d+)\n.*?model\s*: (\d+)\n", info, re.DOTALL)
    wanted = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    flags = set((re.search(r"flags\s*: (.*)", info) or [""])[0].split())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": (name[1] if name else platform.processor()) + (f" (family {family[1]}, model {family[2]})" if family else ""),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1e9),
        "features": [flag for flag in wanted if flag in flags],
        "load_before": os.getloadavg()[0],
    }


def make_cases(folder: Path, steps: int, models: Iterable[str], precisions: Iterable[str]) -> list[Case]:
    """Writes the cfgs, 80 classes at 416, and a picture, and lists what is measured."""
    photo = folder / "640x480.jpg"
    write_bytes(photo, cv2.imencode(".jpg", render_picture(640, 1)[0][:480])[1].tobytes())
    cases = []
    for model in models:
        options = recipes.RecipeOptions(classes=80, width=416, height=416)
        write_cfg(folder / f"{model}.cfg", recipes.get_recipe(model).build(options))
        cases += [Case("step", model, MODELS[model], precision, steps) for precision in precisions]
        cases += [Case("detect", model, 1, "f32", 4 * steps), Case("detect", model, 1, "f32", 4 * steps, photo)]
    return cases


def measure(cases: list[Case], folder: Path, rounds: int, threads: int, with_torch: bool) -> None:
    for turn in range(rounds):
        for case in cases:
            cfg = folder / f"{case.model}.cfg"
            print(f"round {turn + 1}/{rounds}: {case.what} {case.model} {case.precision}", flush=True)
            try:
                result = run_json(case.ours_command(cfg, threads))
                case.ours += result["seconds"]
                case.gflop = float(result["gflop"])
                if with_torch and case.image is None:
                    case.peer += run_json(case.peer_command(cfg, threads))["seconds"]
            except RuntimeError as error:
                case.note = str(error)
                print(f"  {error}", flush=True)


def table(cases: list[Case], peaks: dict[str, float]) -> str:
    """Markdown: medians in ms, the ratio, and the share of the measured peak arithmetic."""
    lines = [
        "| what | batch | precision | ours, ms | PyTorch, ms | ratio | GFLOP/s | of the peak |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case in cases:
        if not case.ours:
            lines.append(f"| {case.what} {case.model} | {case.batch} | {case.precision} | - | | | | {case.note} |")
            continue
        ours = median(case.ours)
        peer = f"{median(case.peer) * 1e3:.1f} | {median(case.peer) / ours:.2f}x" if case.peer else " | "
        speed = case.gflop / ours
        peak = peaks.get(f"gflops_{case.precision}")
        share = f"{speed / peak:.0%}" if peak else ""
        what = (
            "training step"
            if case.what == "step"
            else "detection, 640x480 JPEG to boxes"
            if case.image
            else "detection, network only"
        )
        cells = f"{what}, {case.model} | {case.batch} | {case.precision} | {ours * 1e3:.1f} | {peer} | {speed:.0f} | {share}"
        lines.append(f"| {cells} |")
    return "\n".join(lines) + "\n"


def native_benches() -> dict[str, str]:
    """What the micro-benchmarks of native/bench print."""
    printed = {}
    for program in (ROOT / "build" / "release" / f"dk_bench_{name}" for name in ("loader", "ops")):
        if os.access(program, os.X_OK):
            print(program.name, flush=True)
            done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
            printed[program.name] = done.stdout if done.returncode == 0 else f"failed: {done.stderr[-300:]}"
    return printed


def report(cases: list[Case], about: dict[str, Any], peaks: dict[str, float], micro: dict[str, str]) -> str:
    text = f"{about['cpu']}, {about['cores']} cores, {about['memory_gb']} GB, {', '.join(about['features'])}; "
    text += f"load before: {about['load_before']:.2f}; {about['threads']} threads.\n"
    if peaks:
        text += f"Measured peaks: {peaks['gflops_f32']:.0f} GFLOP/s f32, "
        text += f"{peaks['gflops_bf16']:.0f} bf16, " if "gflops_bf16" in peaks else "no bf16 instructions, "
        text += f"copy {peaks['gb_per_s']:.0f} GB/s; PyTorch {peaks['torch']}.\n"
    text += "\n" + table(cases, peaks)
    for name, printed in micro.items():
        text += f"\n`{name}`:\n\n```\n{printed.rstrip()}\n```\n"
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5, help="repetitions in each round (detection: four times as many)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--model", choices=tuple(MODELS), action="append", help="only this one (may be repeated)")
    parser.add_argument("--no-torch", action="store_true", help="measure only our side")
    parser.add_argument("--no-micro", action="store_true", help="leave out the micro-benchmarks of native/bench")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    about = {**machine(), "threads": args.threads}
    peaks: dict[str, Any] = {}
    if not args.no_torch:
        ensure_torch()
        peaks = run_json(
            [str(TORCH_VENV / "bin" / "python"), str(ROOT / "tools/bench/torch_peer.py"), "peaks", "--threads", str(args.threads)]
        )
    precisions = ("f32", "bf16") if "avx512_bf16" in about["features"] else ("f32",)
    cases = make_cases(args.out, args.steps, args.model or MODELS, precisions)
    measure(cases, args.out, args.rounds, args.threads, not args.no_torch)
    micro = {} if args.no_micro else native_benches()
    text = report(cases, about, peaks, micro)
    (args.out / "table.md").write_text(text)
    results = {
        "machine": about,
        "peaks": peaks,
        "cases": [{**vars(case), "image": str(case.image or "")} for case in cases],
        "micro": micro,
    }
    (args.out / "results.json").write_text(json.dumps(results, indent=1))
    print("\n" + text + f"\nalso in {args.out}")
    return 1 if any(case.note for case in cases) else 0


if __name__ == "__main__":
    sys.exit(main())
