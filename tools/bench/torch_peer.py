"""The rival in the speed comparison: the same cfg as a PyTorch model, trained and run with PyTorch's own means.

Run by run.py with the interpreter of an environment that has torch; prints one JSON object. The model is complete: batch
norm with running statistics, mish and leaky, a full YOLO loss (objectness with ignored cells, CIoU, classes), weight decay and
momentum by the fused optimizer, channels_last, bf16 by autocast. It learns; it is not tuned beyond what PyTorch's guide advises.
Data loading is left out, on both sides.

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
from torch import Tensor, nn
from torch.nn import functional

from darknet_bridge.formats import read_cfg
from darknet_bridge.formats.cfg import CfgSection

_TRUTHS = 8  # objects in each picture


def activation(kind: str) -> list[nn.Module]:
    known: dict[str, list[nn.Module]] = {
        "linear": [],
        "leaky": [nn.LeakyReLU(0.1, inplace=True)],
        "mish": [nn.Mish(inplace=True)],
    }
    return known[kind]


def convolutional(section: CfgSection, channels: int) -> nn.Sequential:
    size, stride, filters = (section.integer(key, 1) for key in ("size", "stride", "filters"))
    normalized = bool(section.integer("batch_normalize", 0))
    padding = size // 2 if section.integer("pad", 0) else section.integer("padding", 0)
    layers: list[nn.Module] = [nn.Conv2d(channels, filters, size, stride, padding, bias=not normalized)]
    if normalized:
        layers.append(nn.BatchNorm2d(filters, eps=1e-5, momentum=0.01))
    return nn.Sequential(*layers, *activation(section.text("activation", "logistic")))


def maxpool(section: CfgSection) -> nn.Module:
    size, stride = section.integer("size", 2), section.integer("stride", 1)
    if size == 2 and stride == 1:  # keeps the size: one row and column more on the far side
        return nn.Sequential(nn.ReplicationPad2d((0, 1, 0, 1)), nn.MaxPool2d(2, 1))
    return nn.MaxPool2d(size, stride, (size - 1) // 2)


class YoloHead(nn.Module):
    """Raw outputs (n, anchors * (5 + classes), h, w) and truths (n, t, 5: class cx cy w h) -> the summed loss."""

    def __init__(self, section: CfgSection, side_px: int) -> None:
        super().__init__()
        values = torch.tensor(section.numbers("anchors")).view(-1, 2) / side_px
        self.mask = torch.tensor(section.integers("mask"))
        self.classes = section.integer("classes", 80)
        self.ignore = section.number("ignore_thresh", 0.7)
        self.scale = section.number("scale_x_y", 1.0)
        self.register_buffer("anchors", values)

    def forward(self, raw: Tensor, truths: Tensor) -> Tensor:
        n, _, h, w = raw.shape
        out = raw.float().view(n, len(self.mask), 5 + self.classes, h, w).permute(0, 1, 3, 4, 2)
        boxes = self.decode(out, h, w)
        with torch.no_grad():
            ignored = pair_iou(boxes.reshape(n, -1, 4), truths[..., 1:]).amax(2).view(out.shape[:-1]) > self.ignore
        picture, anchor, row, column, truth = self.assign(truths, h, w)
        target = torch.zeros_like(out[..., 4])
        target[picture, anchor, row, column] = 1
        objectness = functional.binary_cross_entropy_with_logits(out[..., 4], target, reduction="none")
        loss = objectness[~ignored | (target > 0)].sum()
        mine = out[picture, anchor, row, column]
        wanted = functional.one_hot(truth[:, 0].long(), self.classes).float()
        loss = loss + functional.binary_cross_entropy_with_logits(mine[:, 5:], wanted, reduction="sum")
        return loss + (1 - ciou(boxes[picture, anchor, row, column], truth[:, 1:])).sum()

    def decode(self, out: Tensor, h: int, w: int) -> Tensor:
        """(n, anchors, h, w, 4): cx cy w h, relative to the picture."""
        rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        corner = torch.stack((columns, rows), -1)
        centre = (out[..., :2].sigmoid() * self.scale - (self.scale - 1) / 2 + corner) / torch.tensor([w, h])
        size = out[..., 2:4].clamp(max=8).exp() * self.anchors[self.mask].view(1, -1, 1, 1, 2)
        return torch.cat((centre, size), -1)

    def assign(self, truths: Tensor, h: int, w: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Which cell and anchor of this head answers for which truth: the anchor of most alike shape."""
        sizes = truths[..., None, 3:]
        common = torch.minimum(sizes, self.anchors).prod(-1)
        best = (common / (sizes.prod(-1) + self.anchors.prod(-1) - common)).argmax(-1)
        picture, index, anchor = (best[..., None] == self.mask).nonzero(as_tuple=True)
        truth = truths[picture, index]
        return picture, anchor, (truth[:, 2] * h).long(), (truth[:, 1] * w).long(), truth


def pair_iou(a: Tensor, b: Tensor) -> Tensor:
    """(n, i, 4), (n, j, 4) -> (n, i, j)."""
    a_low, a_high = (a[..., None, :2] - a[..., None, 2:] / 2), (a[..., None, :2] + a[..., None, 2:] / 2)
    b_low, b_high = (b[:, None, :, :2] - b[:, None, :, 2:] / 2), (b[:, None, :, :2] + b[:, None, :, 2:] / 2)
    common = (torch.minimum(a_high, b_high) - torch.maximum(a_low, b_low)).clamp(min=0).prod(-1)
    return common / (a[..., None, 2:].prod(-1) + b[:, None, :, 2:].prod(-1) - common)


def ciou(a: Tensor, b: Tensor) -> Tensor:
    """Complete IoU of boxes (k, 4) with (k, 4)."""
    a_low, a_high, b_low, b_high = (
        a[:, :2] - a[:, 2:] / 2,
        a[:, :2] + a[:, 2:] / 2,
        b[:, :2] - b[:, 2:] / 2,
        b[:, :2] + b[:, 2:] / 2,
    )
    common = (torch.minimum(a_high, b_high) - torch.maximum(a_low, b_low)).clamp(min=0).prod(1)
    iou = common / (a[:, 2:].prod(1) + b[:, 2:].prod(1) - common + 1e-9)
    around = (torch.maximum(a_high, b_high) - torch.minimum(a_low, b_low)).square().sum(1) + 1e-9
    apart = (a[:, :2] - b[:, :2]).square().sum(1) / around
    turn = 4 / torch.pi**2 * (torch.atan(a[:, 2] / a[:, 3]) - torch.atan(b[:, 2] / b[:, 3])).square()
    return iou - apart - turn * (turn / (1 - iou + turn + 1e-9)).detach()


class DarknetModel(nn.Module):
    """The layers of a cfg. forward gives the raw outputs of the heads, in order."""

    def __init__(self, cfg_path: str) -> None:
        super().__init__()
        cfg = read_cfg(cfg_path)
        self.side_px = cfg.net.integer("width", 416)
        self.sections = cfg.layers
        self.heads = nn.ModuleList(YoloHead(section, self.side_px) for section in cfg.detection_layers)
        self.steps = nn.ModuleList()
        self.sources: list[list[int]] = []
        channels: list[int] = []
        for index, section in enumerate(self.sections):
            self._add(index, section, channels)

    def _add(self, index: int, section: CfgSection, channels: list[int]) -> None:
        before = channels[-1] if channels else 3
        sources = [at if at >= 0 else index + at for at in section.integers("layers" if section.kind == "route" else "from")]
        step: nn.Module = nn.Identity()
        out = before
        if section.kind == "convolutional":
            step, out = convolutional(section, before), section.integer("filters", 1)
        elif section.kind == "maxpool":
            step = maxpool(section)
        elif section.kind == "upsample":
            step = nn.Upsample(scale_factor=section.integer("stride", 2))
        elif section.kind == "route":
            out = sum(channels[at] for at in sources)
        elif section.kind not in ("shortcut", "yolo"):
            raise SystemExit(f"[{section.kind}] is not in the peer")
        channels.append(out)
        self.sources.append(sources)
        self.steps.append(step)

    def forward(self, x: Tensor) -> list[Tensor]:
        outputs: list[Tensor] = []
        raw: list[Tensor] = []
        for section, step, sources in zip(self.sections, self.steps, self.sources, strict=True):
            if section.kind == "route":
                x = torch.cat([outputs[at] for at in sources], 1) if len(sources) > 1 else outputs[sources[0]]
            elif section.kind == "shortcut":
                x = x + outputs[sources[0]]
            elif section.kind == "yolo":
                raw.append(x)
            else:
                x = step(x)
            outputs.append(x)
        return raw

    def fold_batch_norm(self) -> None:
        for step in self.steps:
            if isinstance(step, nn.Sequential) and len(step) > 1 and isinstance(step[1], nn.BatchNorm2d):
                step[0] = torch.nn.utils.fuse_conv_bn_eval(step[0], step[1])
                step[1] = nn.Identity()


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
    truths = torch.rand(args.batch, _TRUTHS, 5) * torch.tensor([80.0, 0.98, 0.98, 0.3, 0.3]) + torch.tensor([0, 0, 0, 0.02, 0.02])
    truths[..., 0] %= model.heads[0].classes  # type: ignore[operator]

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bf16"):
            raw = model(pictures)
        loss = torch.stack([head(x, truths) for head, x in zip(model.heads, raw, strict=True)]).sum() / args.batch
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
