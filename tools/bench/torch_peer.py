"""The rival in the speed comparison: the same cfg as a PyTorch model, trained and run with PyTorch's own means.

Run by run.py with the interpreter of an environment that has torch; prints one JSON object. The model (torch_model.py) is
complete; weight decay and momentum by the fused optimizer, channels_last, bf16 by autocast. It is not tuned beyond what
PyTorch's guide advises. Data loading is left out, on both sides.

  torch_peer.py step NET.cfg --batch 8 --precision bf16 --steps 5      seconds of each training step
  torch_peer.py detect NET.cfg --steps 20                              seconds of each forward pass, batch 1, BN folded
  torch_peer.py peaks                                                  what this machine can do: GFLOP/s and GB/s
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch_model import DarknetModel, make_truths, total_loss


def timed(count: int, warm_up: int, work: Callable[[], object]) -> list[float]:
    for _ in range(warm_up):
        work()
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def bench_step(args: argparse.Namespace) -> dict[str, Any]:
    model = DarknetModel(args.cfg).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9, weight_decay=5e-4, fused=True)
    pictures = torch.rand(args.batch, 3, model.side_px, model.side_px).to(memory_format=torch.channels_last)
    truths = make_truths(model, args.batch)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bf16"):
            raw = model(pictures)
        loss = total_loss(model, raw, truths)
        loss.backward()
        optimizer.step()
        return loss.item()

    return {"seconds": timed(args.steps, 2, step), "loss": step(), "batch": args.batch, "precision": args.precision}


def bench_detect(args: argparse.Namespace) -> dict[str, Any]:
    model = DarknetModel(args.cfg).eval()
    model.fold_batch_norm()
    model = model.to(memory_format=torch.channels_last)
    picture = torch.rand(1, 3, model.side_px, model.side_px).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        return {"seconds": timed(args.steps, 3, lambda: model(picture))}


def cpu_flags() -> set[str]:
    """What /proc/cpuinfo says; without bf16 instructions PyTorch emulates them, a hundred times slower."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return set(line.split())
    return set()


def bench_peaks(_: argparse.Namespace) -> dict[str, Any]:
    """The best of a few matrix products and convolutions, and of a copy that fits no cache."""
    result: dict[str, Any] = {}
    with torch.inference_mode():
        kinds = {"f32": torch.float32} | ({"bf16": torch.bfloat16} if "avx512_bf16" in cpu_flags() else {})
        for name, kind in kinds.items():
            a, b = torch.rand(2048, 2048).to(kind), torch.rand(2048, 2048).to(kind)
            products = [2 * 2048**3 / s for s in timed(6, 2, lambda a=a, b=b: a @ b)]
            x = torch.rand(4, 256, 52, 52).to(kind).to(memory_format=torch.channels_last)
            conv = nn.Conv2d(256, 256, 3, padding=1, bias=False).to(kind).to(memory_format=torch.channels_last)
            convolutions = [2 * 4 * 52 * 52 * 256 * 256 * 9 / s for s in timed(6, 2, lambda x=x, conv=conv: conv(x))]
            result[f"gflops_{name}"] = max(products + convolutions) / 1e9
        source = torch.ones(64 << 20)
        target = torch.empty_like(source)
        copies = timed(6, 2, lambda: target.copy_(source))
        result["gb_per_s"] = max(2 * source.numel() * 4 / s for s in copies) / 1e9
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("step", "detect", "peaks"))
    parser.add_argument("cfg", nargs="?")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    work = {"step": bench_step, "detect": bench_detect, "peaks": bench_peaks}[args.what]
    print(json.dumps({"what": args.what, "cfg": args.cfg, "torch": torch.__version__, "threads": args.threads, **work(args)}))


if __name__ == "__main__":
    main()
