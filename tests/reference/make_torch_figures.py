"""Train the narrow networks of tests/golden/{tiny,v4} for ten iterations in PyTorch and write what the tests compare with.

    python tests/reference/make_torch_figures.py tests/golden

writes, per network, torch_gradients.weights (a .weights file that holds minus the gradients of iteration 1 in place of biases,
scales and weights, and the rolling statistics after it) and torch.txt (losses, rates, norms). The figures are those of a run
in double; torch.txt also says how far a run in float ends from it. Needs torch 2.13, numpy, Pillow: no dependency of the tests.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from darknet_torch import Network, Update
from PIL import Image as Picture
from yolo_deltas import Array, Head, deltas

ITERATIONS = 10
IMAGES = ("g0", "g1")


@dataclass
class Run:
    """What one training leaves."""

    losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    gradients: dict[str, Array] = field(default_factory=dict)


def read_images(folder: Path) -> tuple[torch.Tensor, list[Array]]:
    """The batch as RGB / 255, and each image's truths (x, y, w, h, class)."""
    pictures, truths = [], []
    for name in IMAGES:
        pixels = np.asarray(Picture.open(folder / f"{name}.png").convert("RGB"), dtype=np.float64)
        pictures.append(np.moveaxis(pixels, 2, 0) / 255)
        label, *box = np.loadtxt(folder / f"{name}.txt", ndmin=2).T
        truths.append(np.stack([*box, label], axis=1))
    return torch.from_numpy(np.stack(pictures)), truths


def tensor_names(network: Network) -> dict[str, torch.Tensor]:
    """Trained tensors by name, in the order of a .weights file."""
    named = {}
    for index, convolution in network.convolutions.items():
        for name in ("biases", "scales", "weights"):
            tensor = getattr(convolution, name)
            if tensor is not None:
                named[f"{index}.{name}"] = tensor
    return named


def train(folder: Path, dtype: torch.dtype, gradient_file: Path | None = None) -> Run:
    """Ten iterations from init.weights; the first one's gradients also go to the file."""
    network = Network(folder / "net.cfg", folder / "init.weights", dtype)
    update, run = Update(network), Run()
    images, truths = read_images(folder.parent / "images")
    for iteration in range(1, ITERATIONS + 1):
        heads = network.forward(images)
        costs, gradients = [], []
        for index, raw in heads.items():
            head = Head.of(network.layers[index], network.net)
            delta, cost = deltas(head, raw.detach().double().numpy(), truths)
            costs.append(cost)
            gradients.append(torch.from_numpy(-delta).to(dtype))
        torch.autograd.backward(list(heads.values()), gradients)
        run.losses.append(float(np.mean(costs)) / len(truths))
        run.rates.append(update.rate(iteration))
        if iteration == 1:
            tensors = tensor_names(network).items()
            run.gradients = {name: -t.grad.double().numpy() for name, t in tensors if t.grad is not None}
            if gradient_file:
                network.write_gradients(gradient_file, len(truths))
        update.apply(iteration, len(truths))
        trained = tensor_names(network).values()
        run.norms.append(float(sum(t.detach().double().square().sum() for t in trained)) ** 0.5)
    return run


def make(folder: Path) -> None:
    """Write the figures of one network."""
    run = train(folder, torch.float64, folder / "torch_gradients.weights")
    single = train(folder, torch.float32)
    lines = [f"# torch {torch.__version__}; iteration number loss rate norm_of_parameters, the last two in float: loss norm"]
    for number, values in enumerate(zip(run.losses, run.rates, run.norms, single.losses, single.norms, strict=True), 1):
        lines.append(f"iteration {number} " + " ".join(f"{value:.10g}" for value in values))
    lines.append("# tensor layer.name norm_of_gradient relative_error_of_gradient_in_float")
    for name, exact in run.gradients.items():
        error = np.linalg.norm(single.gradients[name] - exact) / np.linalg.norm(exact)
        lines.append(f"tensor {name} {np.linalg.norm(exact):.10g} {error:.3g}")
    (folder / "torch.txt").write_text("\n".join(lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for network_name in ("tiny", "v4"):
        make(Path(sys.argv[1]) / network_name)
