"""cuDNN has a plan for every convolution of both networks, on described cards (`./studio test --cuda-build`; needs no card)."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from darknet_bridge.formats import write_cfg
from darknet_bridge.recipes import make_cfg

ROOT = Path(__file__).resolve().parents[2]
CARDS = sorted((Path(__file__).parent / "cards").glob("*.json"))
ASKED = [
    ("yolov3-tiny", 416, "16"),
    ("yolov3-tiny", 608, "16"),
    ("yolov4", 416, "16"),
    ("yolov4", 608, "16"),
    ("yolov4", 416, "f32"),
]
FIRST_WITH_BF16 = 800  # compute capability 8.0; before it, 16 bits are f16
SECONDS = 900

build = os.environ.get("DARKNET_CUDA_BUILD", "")
pytestmark = pytest.mark.skipif(not build, reason="run by ./studio test --cuda-build")


def wheels() -> Path:
    found = importlib.util.find_spec("nvidia.cudnn")
    assert found is not None
    assert found.submodule_search_locations
    return Path(next(iter(found.submodule_search_locations))).parent


@pytest.fixture(scope="session")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a libcuda.so.1 without a device in it."""
    folder = tmp_path_factory.mktemp("stub")
    nvcc = subprocess.run(["nvcc", "--dryrun", "-x", "cu", "-"], input="", capture_output=True, text=True, check=False).stderr
    top = next(line.split("=", 1)[1].strip() for line in nvcc.splitlines() if "TOP=" in line)
    engines = wheels() / "cudnn" / "lib" / "libcudnn_engines_runtime_compiled.so.9"
    command = [sys.executable, str(ROOT / "tools" / "cuda" / "stub_libcuda.py"), f"{top}/include/cuda.h", str(engines)]
    source = folder / "stub.c"
    source.write_text(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    subprocess.run(["cc", "-w", "-shared", "-fPIC", "-o", str(folder / "libcuda.so.1"), str(source)], check=True)
    return folder


KIND = re.compile(r"^(?P<kind>[a-z ,]+): (?P<found>\d+) of (?P<layers>\d+) layers", re.MULTILINE)
# Convolutions of the two networks: all, and those with batch norm. The others are heads, whose results are f32 in every network;
# kernels for that are compiled, or the back end's own.
LAYERS = {"yolov3-tiny": (13, 11), "yolov4": (110, 107)}
# Pairs of siblings: each trains as one convolution more, instead of two.
SIBLINGS = {"yolov3-tiny": 0, "yolov4": 5}
# Layers behind a batch-normalised convolution: those of stride 1, whose deltas cuDNN 9.19 fuses with its way back, and all.
THROUGH = {"yolov3-tiny": (4, 4), "yolov4": (62, 67)}
BARE = {"forward", "deltas of the input", "deltas of the weights"}
FUSED = {
    "forward with bias and activation",
    "forward to floats with bias",
    "forward with the sums of batch norm",
    "forward from a view",
    "deltas of the weights added to floats",
    "deltas of the input added",
    "deltas of the input on through batch norm",
    "deltas of the input added, on through batch norm",
}


def plans_of(card: Path, cfg: Path, size: int, precision: str, stub: Path) -> dict[str, tuple[int, int]]:
    """Layers with a plan, of those that could use one, for each kind of graph."""
    program = ROOT / build / "backends" / "cuda" / "dk_cuda_plans"
    folders = f"{wheels()}/cudnn/lib:{wheels()}/cu13/lib"
    done = subprocess.run(
        [str(program), str(card), str(cfg), str(size), "64", precision],
        env=os.environ | {"LD_LIBRARY_PATH": str(stub), "DARKNET_CUDA_LIBRARIES": folders},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    return {match["kind"]: (int(match["found"]), int(match["layers"])) for match in KIND.finditer(done.stdout)}


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
@pytest.mark.parametrize(("model", "size", "precision"), ASKED)
def test_every_convolution_has_its_plans(card: Path, model: str, size: int, precision: str, stub: Path, tmp_path: Path) -> None:
    if precision == "16":
        precision = "bf16" if json.loads(card.read_text())["deviceVer"] >= FIRST_WITH_BF16 else "f16"
    cfg = tmp_path / "net.cfg"
    write_cfg(cfg, make_cfg(model, classes=80))
    kinds = plans_of(card, cfg, size, precision, stub)
    assert kinds.keys() == (BARE if precision == "f32" else BARE | FUSED)
    convolutions, normalised = LAYERS[model]
    trained, siblings = convolutions - SIBLINGS[model], SIBLINGS[model]
    rounded = convolutions if precision == "f32" else normalised
    assert kinds["forward"] == (rounded + siblings, rounded + siblings)
    assert kinds["deltas of the input"] == (trained - 1, trained - 1)
    if precision == "bf16":
        assert kinds["forward with the sums of batch norm"] == (normalised - siblings, normalised - siblings)
        assert kinds["forward to floats with bias"] == (convolutions - normalised, convolutions - normalised)
    for kind, (found, layers) in kinds.items():
        if precision == "f16" and kind in FUSED:
            continue  # Turing: whatever cuDNN has
        assert (found, layers) == (THROUGH[model] if "on through" in kind else (layers, layers)), kinds
