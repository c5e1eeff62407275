"""A Darknet cfg as a PyTorch model, trained with PyTorch's own means: the rival of the speed comparisons on processor and card.

Complete: batch norm with running statistics, mish and leaky, a full YOLO loss (objectness with ignored cells, CIoU, classes).
It learns. The loss has no branch on data and waits for nothing, so that a card is not held up by it.
"""

from __future__ import annotations

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
        return nn.Sequential(nn.ConstantPad2d((0, 1, 0, 1), -float("inf")), nn.MaxPool2d(2, 1))
    return nn.MaxPool2d(size, stride, (size - 1) // 2)


class YoloHead(nn.Module):
    """Raw outputs (n, anchors * (5 + classes), h, w) and truths (n, t, 5: class cx cy w h) -> the summed loss."""

    def __init__(self, section: CfgSection, side_px: int) -> None:
        super().__init__()
        self.register_buffer("anchors", torch.tensor(section.numbers("anchors")).view(-1, 2) / side_px)
        self.register_buffer("mask", torch.tensor(section.integers("mask")))
        self.classes = section.integer("classes", 80)
        self.ignore = section.number("ignore_thresh", 0.7)
        self.scale = section.number("scale_x_y", 1.0)

    def forward(self, raw: Tensor, truths: Tensor) -> Tensor:
        n, _, h, w = raw.shape
        out = raw.float().view(n, len(self.mask), 5 + self.classes, h, w).permute(0, 1, 3, 4, 2)
        boxes = self.decode(out, h, w)
        with torch.no_grad():
            ignored = pair_iou(boxes.reshape(n, -1, 4), truths[..., 1:]).amax(2).view(out.shape[:-1]) > self.ignore
        cell, mine = self.assign(truths, h, w)
        target = torch.zeros_like(out[..., 4]).index_put_(cell, mine, accumulate=True).clamp(max=1)
        objectness = functional.binary_cross_entropy_with_logits(out[..., 4], target, reduction="none")
        loss = (objectness * (~ignored | (target > 0))).sum()
        wanted = functional.one_hot(truths[..., 0].long(), self.classes).float()
        classes = functional.binary_cross_entropy_with_logits(out[cell][..., 5:], wanted, reduction="none").sum(-1)
        place = 1 - ciou(boxes[cell].flatten(0, 1), truths[..., 1:].flatten(0, 1)).view_as(mine)
        return loss + ((classes + place) * mine).sum()

    def decode(self, out: Tensor, h: int, w: int) -> Tensor:
        """(n, anchors, h, w, 4): cx cy w h, relative to the picture."""
        rows = torch.arange(h, device=out.device)[:, None].expand(h, w)
        columns = torch.arange(w, device=out.device)[None, :].expand(h, w)
        places = out[..., :2].sigmoid() * self.scale - (self.scale - 1) / 2
        cx, cy = (places[..., 0] + columns) / w, (places[..., 1] + rows) / h
        size = out[..., 2:4].clamp(max=8).exp() * self.anchors[self.mask].view(1, -1, 1, 1, 2)
        return torch.cat((cx[..., None], cy[..., None], size), -1)

    def assign(self, truths: Tensor, h: int, w: int) -> tuple[tuple[Tensor, Tensor, Tensor, Tensor], Tensor]:
        """The cell of each truth (picture, anchor, row, column), and 1 where an anchor of this head is the most alike."""
        sizes = truths[..., None, 3:]
        common = torch.minimum(sizes, self.anchors).prod(-1)
        best = (common / (sizes.prod(-1) + self.anchors.prod(-1) - common)).argmax(-1)
        among = best[..., None] == self.mask
        picture = torch.arange(len(truths), device=truths.device)[:, None].expand_as(best)
        row, column = (truths[..., 2] * h).long(), (truths[..., 1] * w).long()
        return (picture, among.int().argmax(-1), row, column), among.any(-1).float()


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


def make_truths(model: DarknetModel, pictures: int) -> Tensor:
    """(pictures, t, 5) on the processor."""
    truths = torch.rand(pictures, _TRUTHS, 5) * torch.tensor([80.0, 0.98, 0.98, 0.3, 0.3]) + torch.tensor([0, 0, 0, 0.02, 0.02])
    truths[..., 0] %= model.heads[0].classes  # type: ignore[operator]
    return truths


def total_loss(model: DarknetModel, raw: list[Tensor], truths: Tensor) -> Tensor:
    """Of all heads, a picture's share."""
    return torch.stack([head(x, truths) for head, x in zip(model.heads, raw, strict=True)]).sum() / len(truths)
