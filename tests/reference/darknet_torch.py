"""A Darknet network in PyTorch, for reference figures: the cfg sections that the narrow test networks use, `.weights` files,
and the update rule. Written from darknet.md (1.6, 2.1, 3); shares no code with the engine.

Gradients come from autograd; the loss does not: yolo_deltas.py gives Darknet's deltas, which enter backward() as the
gradient of the heads.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor

Options = dict[str, str]


@dataclass
class Section:
    """One section of a cfg."""

    kind: str
    options: Options = field(default_factory=dict)

    def number(self, key: str, default: float) -> float:
        """A numeric option."""
        return float(self.options.get(key, default))

    def integer(self, key: str, default: int) -> int:
        """A whole-number option."""
        return int(self.options.get(key, default))

    def numbers(self, key: str) -> list[float]:
        """A list option."""
        return [float(part) for part in self.options.get(key, "").split(",") if part.strip()]


def read_cfg(path: Path) -> list[Section]:
    """All sections, [net] first."""
    sections: list[Section] = []
    for raw in path.read_text(encoding="ascii").splitlines():
        line = raw.strip()
        if line.startswith("["):
            sections.append(Section(line.strip("[]")))
        elif line and line[0] not in "#;":
            key, value = line.split("=", 1)
            sections[-1].options[key.strip()] = value.strip()
    return sections


@dataclass
class Convolution:
    """Parameters of one convolutional layer; `scales` and the rolling statistics only with batch normalisation."""

    biases: Tensor
    weights: Tensor
    scales: Tensor | None = None
    rolling_mean: Tensor | None = None
    rolling_variance: Tensor | None = None

    def in_file_order(self) -> list[Tensor]:
        """As they lie in a .weights file."""
        tensors = [self.biases, self.scales, self.rolling_mean, self.rolling_variance, self.weights]
        return [tensor for tensor in tensors if tensor is not None]

    def trained(self) -> list[Tensor]:
        """Those that the update changes."""
        return [tensor for tensor in (self.biases, self.scales, self.weights) if tensor is not None]


def normalized(convolution: Convolution, x: Tensor) -> Tensor:
    """Batch normalisation (darknet.md 3.1.3), biased variance; the unbiased one is rolled.

    Not functional.batch_norm: its float sums on the CPU are off by 5e-5 of the result.
    """
    assert convolution.rolling_mean is not None and convolution.rolling_variance is not None
    variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
    count = x.numel() // x.shape[1]
    with torch.no_grad():
        convolution.rolling_mean.lerp_(mean, 0.01)
        convolution.rolling_variance.lerp_(variance * count / (count - 1), 0.01)
    return (x - mean.view(1, -1, 1, 1)) / torch.sqrt(variance.view(1, -1, 1, 1) + 1e-5)


class Network:
    """Sections after [net] with their parameters; layer numbers as in Darknet."""

    def __init__(self, cfg: Path, weights: Path, dtype: torch.dtype) -> None:
        net, *self.layers = read_cfg(cfg)
        self.net = net
        self.dtype = dtype
        self.convolutions: dict[int, Convolution] = {}
        data = np.frombuffer(weights.read_bytes()[20:], dtype="<f4")
        channels: list[int] = []
        offset = 0
        for index, layer in enumerate(self.layers):
            into = channels[-1] if channels else net.integer("channels", 3)
            if layer.kind == "convolutional":
                offset = self._load(index, layer, into, data, offset)
            channels.append(self._channels(index, layer, into, channels))
        if offset != data.size:
            raise ValueError(f"{weights}: {data.size} floats, {cfg} wants {offset}")

    def _channels(self, index: int, layer: Section, into: int, channels: list[int]) -> int:
        if layer.kind == "convolutional":
            return layer.integer("filters", 1)
        if layer.kind == "route":
            return sum(channels[source] for source in self.sources(index))
        return into

    def _load(self, index: int, layer: Section, into: int, data: np.ndarray, offset: int) -> int:
        filters, size = layer.integer("filters", 1), layer.integer("size", 1)
        shapes: list[tuple[int, ...]] = [(filters,)] * (4 if layer.integer("batch_normalize", 0) else 1)
        tensors: list[Tensor] = []
        for shape in [*shapes, (filters, into, size, size)]:
            count = int(np.prod(shape))
            values = data[offset : offset + count].reshape(shape).copy()
            tensors.append(torch.from_numpy(values).to(self.dtype))
            offset += count
        convolution = Convolution(tensors[0], tensors[-1], *tensors[1:-1])
        for tensor in convolution.trained():
            tensor.requires_grad_(True)
        self.convolutions[index] = convolution
        return offset

    def sources(self, index: int) -> list[int]:
        """Layers that a route or shortcut reads, as layer numbers."""
        layer = self.layers[index]
        listed = layer.numbers("layers" if layer.kind == "route" else "from")
        return [int(number) + (index if number < 0 else 0) for number in listed]

    def forward(self, images: Tensor) -> dict[int, Tensor]:
        """Training forward; the input of every [yolo] layer by layer number. Rolling statistics are updated."""
        outputs: list[Tensor] = []
        heads: dict[int, Tensor] = {}
        x = images.to(self.dtype)
        for index, layer in enumerate(self.layers):
            if layer.kind == "yolo":
                heads[index] = x
            else:
                x = self._layer(index, layer, x, outputs)
            outputs.append(x)
        return heads

    def _layer(self, index: int, layer: Section, x: Tensor, outputs: list[Tensor]) -> Tensor:
        if layer.kind == "convolutional":
            return self._convolve(layer, self.convolutions[index], x)
        if layer.kind == "maxpool":
            stride, size = layer.integer("stride", 1), layer.integer("size", 1)
            before = (size - 1) // 2
            after = size - 1 - before
            padded = functional.pad(x, (before, after, before, after), value=-torch.inf)
            return functional.max_pool2d(padded, size, stride)
        if layer.kind == "upsample":
            return functional.interpolate(x, scale_factor=layer.integer("stride", 2), mode="nearest")
        if layer.kind == "route":
            return torch.cat([outputs[source] for source in self.sources(index)], dim=1)
        if layer.kind == "shortcut":
            return x + outputs[self.sources(index)[0]]
        raise ValueError(f"layer {index}: [{layer.kind}] is not among the layers of the test networks")

    @staticmethod
    def _convolve(layer: Section, convolution: Convolution, x: Tensor) -> Tensor:
        padding = layer.integer("size", 1) // 2 if layer.integer("pad", 0) else layer.integer("padding", 0)
        x = functional.conv2d(x, convolution.weights, stride=layer.integer("stride", 1), padding=padding)
        if convolution.scales is not None:
            x = normalized(convolution, x) * convolution.scales.view(1, -1, 1, 1)
        x = x + convolution.biases.view(1, -1, 1, 1)
        activation = layer.options.get("activation", "logistic")
        if activation == "mish":
            return functional.mish(x)
        return functional.leaky_relu(x, 0.1) if activation == "leaky" else x

    def write_gradients(self, path: Path, seen: int) -> None:
        """A .weights file with minus the gradients in the parameters' places; rolling statistics stay themselves."""
        with path.open("wb") as file:
            file.write(struct.pack("<iiiQ", 0, 2, 5, seen))
            for convolution in self.convolutions.values():
                for tensor in convolution.in_file_order():
                    values = tensor if tensor.grad is None else -tensor.grad
                    file.write(values.detach().numpy().astype("<f4").tobytes())


class Update:
    """The update of darknet.md 3.1.6 with the schedule of 2.1 (burn-in with power 4, policy steps)."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.buffers = [[torch.zeros_like(t) for t in c.trained()] for c in network.convolutions.values()]

    def rate(self, iteration: int) -> float:
        """Learning rate of an iteration, counted from 1."""
        net = self.network.net
        rate = net.number("learning_rate", 0.001)
        burn_in = net.integer("burn_in", 0)
        if iteration < burn_in:
            return rate * (iteration / burn_in) ** 4
        for step, scale in zip(net.numbers("steps"), net.numbers("scales"), strict=True):
            rate *= scale if step <= iteration else 1.0
        return rate

    def apply(self, iteration: int, images: int) -> None:
        """One update from the gradients in .grad; `images` is the number of images they were summed over."""
        net = self.network.net
        rate, decay = self.rate(iteration) / images, net.number("decay", 0.0001) * images
        with torch.no_grad():
            for convolution, buffers in zip(self.network.convolutions.values(), self.buffers, strict=True):
                for tensor, buffer in zip(convolution.trained(), buffers, strict=True):
                    assert tensor.grad is not None
                    buffer -= tensor.grad
                    if tensor is convolution.weights:
                        buffer -= decay * tensor
                    tensor += rate * buffer
                    buffer *= net.number("momentum", 0.9)
                    tensor.grad = None
