"""PyTorch on the same net and the same card: a process that stays, so that our turns and its turns can follow each other.

Started by rival.py with an interpreter that has torch. Reads requests, a JSON object a line, and answers each with one:

  {"cfg": "net.cfg", "batch": 64, "precision": "bf16", "compile": false, "warm_up": 5, "steps": 20}
      -> {"seconds": [...], "loss": 1.2, "peak_bytes": 123}      each step waited for
  {"peaks": true}  -> {"tflop_per_s": ..., "gb_per_s": ...}      the best of ten matrix products, of ten copies

A step is forward, loss, backward and update by SGD with momentum and decay (fused), on pictures that lie on the card;
channels_last, autocast, cuDNN's benchmark mode, TF32 off in f32, as ours. "compile" is torch.compile of the network in its
default mode; the loss is the same eager code. Between turns the card's memory is given back.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "bench"), str(Path(__file__).resolve().parents[2])]

from torch_model import DarknetModel, make_truths, total_loss  # noqa: E402

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def wait() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


class Trained:
    """A network with its optimizer, kept from turn to turn: what was compiled stays."""

    def __init__(self, cfg: str, precision: str, compiled: bool) -> None:
        torch.manual_seed(1)
        self.model = DarknetModel(cfg).to(DEVICE, memory_format=torch.channels_last)
        self.run: Callable[[torch.Tensor], list[torch.Tensor]] = torch.compile(self.model) if compiled else self.model
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-4, momentum=0.9, weight_decay=5e-4, fused=True)
        self.bf16 = precision == "bf16"

    def steps(self, batch: int, count: int) -> tuple[list[float], float]:
        """Seconds of each step, and the last loss."""
        side = self.model.side_px
        pictures = torch.rand(batch, 3, side, side, device=DEVICE).to(memory_format=torch.channels_last)
        truths = make_truths(self.model, batch).to(DEVICE)
        seconds, loss = [], torch.zeros(())
        for _ in range(count):
            wait()
            begin = time.perf_counter()
            self.optimizer.zero_grad(set_to_none=True)
            with torch.autocast(DEVICE, torch.bfloat16, enabled=self.bf16):
                raw = self.run(pictures)
            loss = total_loss(self.model, raw, truths)
            loss.backward()
            self.optimizer.step()
            wait()
            seconds.append(time.perf_counter() - begin)
        self.optimizer.zero_grad(set_to_none=True)
        return seconds, loss.item()


def best(work: Callable[[], object]) -> float:
    """Seconds of the fastest of ten."""
    work()
    seconds = []
    for _ in range(10):
        wait()
        begin = time.perf_counter()
        work()
        wait()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def peaks() -> dict[str, Any]:
    side, floats = (8192, 1 << 29) if DEVICE == "cuda" else (512, 1 << 20)
    a, b = (torch.randn(side, side, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    source = torch.zeros(floats, device=DEVICE)
    target = torch.empty_like(source)
    return {
        "tflop_per_s": 2 * side**3 / best(lambda: a @ b) / 1e12,
        "gb_per_s": 2 * 4 * floats / best(lambda: target.copy_(source)) / 1e9,
    }


def answer(request: dict[str, Any], kept: dict[tuple[Any, ...], Trained]) -> dict[str, Any]:
    if request.get("peaks"):
        return peaks()
    key = (request["cfg"], request["precision"], request["compile"])
    if any(other[0] != request["cfg"] for other in kept):
        kept.clear()
    if key not in kept:
        kept[key] = Trained(*key)
    if DEVICE == "cuda":
        torch.cuda.reset_peak_memory_stats()
    begin = time.perf_counter()
    kept[key].steps(request["batch"], request["warm_up"])
    warm_s = time.perf_counter() - begin
    seconds, loss = kept[key].steps(request["batch"], request["steps"])
    peak = torch.cuda.max_memory_allocated() if DEVICE == "cuda" else 0
    return {"seconds": seconds, "loss": loss, "peak_bytes": peak, "warm_up_s": warm_s}


def main() -> None:
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    kept: dict[tuple[Any, ...], Trained] = {}
    name = torch.cuda.get_device_name() if DEVICE == "cuda" else "cpu"
    print(json.dumps({"torch": torch.__version__, "device": name}), flush=True)
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line), kept)
        except Exception as error:  # out of memory, a compiler that is missing: an answer like any other
            kept.clear()
            reply = {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}
        gc.collect()
        if DEVICE == "cuda":
            torch.cuda.empty_cache()
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
