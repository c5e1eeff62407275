"""The exported model folder: complete, readable by ourselves and by OpenCV 4, with proof, and never half written."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from darknet_bridge import Network
from darknet_bridge.errors import CancelledError, FormatError, UnsupportedError
from darknet_bridge.export import ExportSource, get_exporter, list_exporters
from darknet_bridge.formats import cut_weights, read_data_file, read_names
from tests.bridge.test_opencv_agreement import MODELS, confident

NAMES = ("disc", "square", "triangle")
OPENCV_4 = pytest.mark.skipif(not hasattr(cv2.dnn, "readNetFromDarknet"), reason="this OpenCV reads no Darknet files")


def source_of(golden: Path, tmp_path: Path, model: str = "tiny") -> ExportSource:
    cfg, trained = (golden / name for name in MODELS[model])
    weights = confident(cfg, trained, tmp_path / "sure.weights", 2.0)
    images = tuple(sorted((golden / "images").glob("v0*.png"))[:4])
    return ExportSource(cfg, weights, NAMES, images, "Birds & leaves", {"mAP@0.50": "81 %"})


def test_the_registry() -> None:
    assert [exporter.id for exporter in list_exporters()] == ["darknet"]
    with pytest.raises(UnsupportedError, match="known: darknet"):
        get_exporter("coreml")


@OPENCV_4
@pytest.mark.parametrize("model", MODELS)
def test_a_folder_with_proof(model: str, golden: Path, tmp_path: Path) -> None:
    target = tmp_path / "a model"
    said: list[str] = []
    result = get_exporter("darknet").write(source_of(golden, tmp_path, model), target, lambda d, t, text: said.append(text))
    expected = ("README.txt", "detect_opencv.py", "net.cfg", "net.weights", "obj.data", "obj.names", "parity.txt")
    assert result.files == expected and sorted(p.name for p in target.iterdir()) == sorted(expected)
    assert "finds the same boxes" in result.parity, (target / "parity.txt").read_text()
    assert result.parity in (target / "README.txt").read_text() and "mAP@0.50: 81 %" in (target / "README.txt").read_text()
    assert read_names(target / "obj.names") == NAMES
    assert read_data_file(target / "obj.data").values["names"] == "obj.names"
    with Network.load(target / "net.cfg", target / "net.weights", target / "obj.names", "cpu") as network:
        assert network.info.classes == 3
    assert any("Comparing" in text for text in said)


@OPENCV_4
def test_other_sizes_and_letter_boxes_agree_too(golden: Path, tmp_path: Path) -> None:
    """Pictures that are not of the network's size: the script resizes as we do."""
    source = source_of(golden, tmp_path)
    large = tmp_path / "large.png"
    cv2.imwrite(str(large), cv2.resize(cv2.imread(str(source.images[0])), (211, 157), interpolation=cv2.INTER_CUBIC))
    boxed = tmp_path / "boxed.cfg"
    boxed.write_text(source.cfg.read_text().replace("channels=3", "channels=3\nletter_box=1", 1))
    for index, cfg in enumerate((source.cfg, boxed)):
        result = get_exporter("darknet").write(replace(source, cfg=cfg, images=(large,)), tmp_path / f"out{index}")
        assert "finds the same boxes" in result.parity, (tmp_path / f"out{index}" / "parity.txt").read_text()


@OPENCV_4
def test_the_script_runs_on_its_own(golden: Path, tmp_path: Path) -> None:
    source = source_of(golden, tmp_path)
    get_exporter("darknet").write(replace(source, images=()), tmp_path / "model")
    assert not (tmp_path / "model" / "parity.txt").exists()
    command = [sys.executable, "-I", str(tmp_path / "model" / "detect_opencv.py"), str(source.images[0])]
    done = subprocess.run([*command, "--out", str(tmp_path / "drawn")], capture_output=True, text=True, check=True)
    first = done.stdout.splitlines()[0].split(",")
    assert first[1] in NAMES and 0.25 < float(first[2]) <= 1 and len(first) == 7
    assert (tmp_path / "drawn" / f"{source.images[0].stem}.png").stat().st_size > 0


def test_a_zip_holds_one_folder(golden: Path, tmp_path: Path) -> None:
    target = tmp_path / "birds.zip"
    get_exporter("darknet").write(replace(source_of(golden, tmp_path), images=()), target)
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        assert {name.split("/")[0] for name in archive.namelist()} == {"birds"}
        assert archive.read("birds/net.weights") == (tmp_path / "sure.weights").read_bytes()
    with pytest.raises(FormatError, match="there already"):
        get_exporter("darknet").write(source_of(golden, tmp_path), target)


def test_what_cannot_be_exported_is_said_and_nothing_is_left(golden: Path, tmp_path: Path) -> None:
    source = source_of(golden, tmp_path)
    cut_weights(source.weights, tmp_path / "cut.weights", 108 + 4 * 4)
    exporter = get_exporter("darknet")
    assert "not complete" in (exporter.check(replace(source, weights=tmp_path / "cut.weights")) or "")
    assert "2 names" in (exporter.check(replace(source, names=("a", "b"))) or "")
    assert exporter.check(source) is None

    def cancel(done: int, total: int, text: str) -> None:
        raise CancelledError("stopped")

    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(CancelledError):
        exporter.write(source, tmp_path / "model", cancel)
    with pytest.raises(FormatError, match="not complete"):
        exporter.write(replace(source, weights=tmp_path / "cut.weights"), tmp_path / "model")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
