"""Detection through the native library: golden boxes, inputs of every kind, and everything that can be wrong."""

from __future__ import annotations

import gc
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from darknet_bridge import Detection, Detector, Network, list_devices, recipes
from darknet_bridge.detection import NormBox, iou
from darknet_bridge.errors import DeviceError, FormatError, LibraryError
from darknet_bridge.formats import coverage, cut_weights, layer_floats, read_cfg, read_weights_header, write_cfg
from darknet_bridge.images import read_image
from darknet_bridge.network import inspect

TOLERANCE = 2e-5


@pytest.fixture(scope="module")
def golden() -> Path:
    return Path(__file__).resolve().parents[1] / "golden"


@pytest.fixture(scope="module")
def network(golden: Path) -> Iterator[Network]:
    with Network.load(golden / "tiny" / "net.cfg", golden / "tiny" / "trained.weights", golden / "obj.names") as loaded:
        yield loaded


def expected(golden: Path, key: str, threshold: float) -> list[tuple[int, float, NormBox]]:
    """Upstream's detections of an image (after greedynms .45), best score first."""
    objects = json.loads((golden / "tiny" / "detections_trained.json").read_text())[key][0]["objects"]
    found = []
    for item in objects:
        place = item["relative_coordinates"]
        box = NormBox(place["center_x"], place["center_y"], place["width"], place["height"])
        found.append((item["class_id"], item["confidence"], box))
    return sorted((item for item in found if item[1] > threshold), key=lambda item: -item[1])


def assert_equal(found: list[Detection], wanted: list[tuple[int, float, NormBox]]) -> None:
    assert len(found) == len(wanted)
    for detection, (class_id, score, box) in zip(found, wanted, strict=True):
        assert detection.class_id == class_id
        assert detection.score == pytest.approx(score, abs=TOLERANCE)
        assert detection.box.corners == pytest.approx(box.corners, abs=TOLERANCE)


def test_boxes_equal_upstreams(network: Network, golden: Path) -> None:
    for name in ("v00", "odd"):
        wanted = expected(golden, name, 0.25)
        assert wanted
        found = network.detect(golden / "images" / f"{name}.png")
        assert_equal(found, wanted)
        assert [d.name for d in found] == [network.names[class_id] for class_id, *_ in wanted]


def test_low_thresholds_and_letter_box(network: Network, golden: Path) -> None:
    image = golden / "images" / "odd.png"
    assert_equal(network.detect(image, threshold=0.005), expected(golden, "odd", 0.005))
    assert_equal(network.detect(image, 0.25, letter_box=True), expected(golden, "odd_letterbox", 0.25))
    assert network.detect(image, threshold=1.0) == []


def test_nms_0_keeps_all(network: Network, golden: Path) -> None:
    image = golden / "images" / "v00.png"
    every = network.detect(image, 0.005, nms=0)
    kept = network.detect(image, 0.005, nms=0.45)
    assert len(every) > len(kept)
    assert all(detection in every for detection in kept)
    assert [d.score for d in every] == sorted((d.score for d in every), reverse=True)


def test_paths_arrays_and_lists_agree(network: Network, golden: Path) -> None:
    paths = [golden / "images" / f"{name}.png" for name in ("v00", "odd", "v01")]
    arrays = [cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR) for path in paths]
    one_by_one = [network.detect(path) for path in paths]
    assert network.detect(paths) == one_by_one
    assert network.detect(arrays) == one_by_one
    assert network.detect((str(paths[0]), arrays[1], paths[2])) == one_by_one
    assert network.detect([]) == []
    assert network.detect(np.dstack([arrays[0], np.zeros(arrays[0].shape[:2], np.uint8)])) == one_by_one[0], "alpha is ignored"
    wide = np.zeros((arrays[0].shape[0], arrays[0].shape[1] + 9, 3), np.uint8)
    wide[:, 4:-5] = arrays[0]
    assert network.detect(wide[:, 4:-5]) == one_by_one[0], "a view into a larger array"
    grey = cv2.cvtColor(arrays[0], cv2.COLOR_BGR2GRAY)
    assert network.detect(grey, 0.005) == network.detect(np.dstack([grey] * 3), 0.005)


def test_sizes_of_the_images_come_along(network: Network, golden: Path) -> None:
    image = golden / "images" / "odd.png"
    (found,) = network.detect_images([image])
    height, width = read_image(image).shape[:2]
    assert (found.width_px, found.height_px) == (width, height)
    assert list(found) == network.detect(image)
    assert found[0] == next(iter(found)) and len(found[:1]) == 1


def test_batches_find_the_same(network: Network, golden: Path) -> None:
    images = [golden / "images" / f"v0{i}.png" for i in range(7)]
    one = network.detect(images)
    files = (golden / "tiny" / "net.cfg", golden / "tiny" / "trained.weights")
    with Network.load(*files, names=["a", "b", "c"], batch=4, threads=1) as batched:
        for ours, theirs in zip(batched.detect(images), one, strict=True):
            assert_equal(ours, [(d.class_id, d.score, d.box) for d in theirs])
        assert batched.info.batch == 4


def test_bf16_finds_the_same_or_is_refused_by_name(network: Network, golden: Path) -> None:
    images = [golden / "images" / f"v0{i}.png" for i in range(7)]
    one = network.detect(images)
    files = (golden / "tiny" / "net.cfg", golden / "tiny" / "trained.weights")
    try:
        half = Network.load(*files, precision="bf16")
    except DeviceError as error:  # a processor without bf16 instructions
        assert "bf16" in str(error)
        return
    with half:
        for ours, theirs in zip(half.detect(images), one, strict=True):
            for detection in theirs:
                if detection.score > 0.4:
                    assert any(d.class_id == detection.class_id and iou(d.box, detection.box) > 0.8 for d in ours)


def test_other_formats_and_orientation(network: Network, golden: Path, tmp_path: Path) -> None:
    image = read_image(golden / "images" / "v00.png")
    wanted = network.detect(golden / "images" / "v00.png")
    for suffix in (".bmp", ".tiff", ".ppm"):
        path = tmp_path / f"x{suffix}"
        path.write_bytes(cv2.imencode(suffix, image)[1].tobytes())
        assert network.detect(path) == wanted
    from PIL import Image as PilImage

    exif = PilImage.Exif()
    exif[0x0112] = 6
    turned = tmp_path / "turned.png"
    PilImage.fromarray(np.ascontiguousarray(np.rot90(image)[:, :, ::-1])).save(turned, exif=exif)
    assert network.detect(turned) == wanted, "stored on its side, shown upright"


def test_odd_file_names(network: Network, golden: Path, tmp_path: Path) -> None:
    for name in (b"bad\xff.png", b"line\nbreak.png", b"$(x) y.png", b"-rf.png"):
        path = tmp_path / os.fsdecode(name)
        shutil.copyfile(golden / "images" / "v00.png", path)
        assert network.detect(path)


def test_information(network: Network) -> None:
    info = network.info
    assert (info.width, info.height, info.channels, info.classes, info.layers) == (96, 96, 3, 3, 22)
    assert (info.device, info.precision, info.batch) == ("cpu", "f32", 1)
    assert info.memory_bytes > 100_000 and info.bflops > 0


def test_threads_share_a_network(network: Network, golden: Path) -> None:
    paths = [golden / "images" / f"v0{i}.png" for i in range(4)]
    wanted = [network.detect(path) for path in paths]
    results: dict[int, Any] = {}

    def work(index: int) -> None:
        results[index] = [network.detect(path) for path in paths]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == dict.fromkeys(range(4), wanted)


def test_closing(golden: Path) -> None:
    files = (golden / "tiny" / "net.cfg", golden / "tiny" / "trained.weights")
    loaded = Network.load(*files)
    loaded.close()
    loaded.close()
    with pytest.raises(FormatError, match="closed"):
        loaded.detect(golden / "images" / "v00.png")
    for _ in range(20):
        Network.load(*files)
    gc.collect()


def test_wrong_files_name_themselves(golden: Path, tmp_path: Path) -> None:
    cfg, weights = golden / "tiny" / "net.cfg", golden / "tiny" / "trained.weights"
    with pytest.raises(FormatError, match=r"none\.cfg"):
        Network.load(tmp_path / "none.cfg", weights)
    with pytest.raises(FormatError, match=r"none\.weights"):
        Network.load(cfg, tmp_path / "none.weights")
    with pytest.raises(FormatError, match=r"mini_infer\.weights"):
        Network.load(cfg, golden / "mini_infer.weights")
    (tmp_path / "bad.cfg").write_text("[net]\nwidth=96\nheight=96\nchannels=3\n[convolutionl]\n")
    with pytest.raises(FormatError, match=r"bad\.cfg:5"):
        Network.load(tmp_path / "bad.cfg", weights)
    with pytest.raises(FormatError, match="2 names, but the network has 3"):
        Network.load(cfg, weights, ["a", "b"])
    with pytest.raises(FormatError, match="precision"):
        Network.load(cfg, weights, precision="f8")
    with pytest.raises(DeviceError, match="can't compute in f16"):
        Network.load(cfg, weights, device="cpu", precision="f16")
    with pytest.raises(FormatError, match="batch"):
        Network.load(cfg, weights, batch=0)
    with pytest.raises(FormatError, match="zero byte"):
        Network.load(cfg, "a\0b")
    with pytest.raises(DeviceError):
        Network.load(cfg, weights, device="toaster")


def test_start_weights_are_no_finished_model(golden: Path, tmp_path: Path) -> None:
    cfg = golden / "tiny" / "net.cfg"
    floats = sum(layer_floats(read_cfg(cfg))[:8])
    cut_weights(golden / "tiny" / "trained.weights", tmp_path / "part", floats)
    assert coverage(read_cfg(cfg), read_weights_header(tmp_path / "part")).fits
    with pytest.raises(FormatError, match="start weights"):
        Network.load(cfg, tmp_path / "part")


def test_wrong_images_name_themselves(network: Network, golden: Path, tmp_path: Path) -> None:
    good = golden / "images" / "v00.png"
    with pytest.raises(FormatError, match=r"none\.png"):
        network.detect([good, tmp_path / "none.png"])
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(FormatError, match=r"text\.jpg"):
        network.detect(tmp_path / "text.jpg")
    jpeg = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))[1].tobytes()
    (tmp_path / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    with pytest.raises(FormatError, match=r"cut\.jpg"):
        network.detect(tmp_path / "cut.jpg")
    for wrong in (3, None, np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 2), np.uint8)):
        with pytest.raises(FormatError):
            network.detect(wrong)
    for options in ({"threshold": -0.1}, {"threshold": float("nan")}, {"nms": 1.5}):
        with pytest.raises(FormatError, match="expected 0 to 1"):
            network.detect(good, **options)


def test_recipes_load_in_the_engine(tmp_path: Path) -> None:
    """Our cfgs are read by our own engine without a warning, and both sides count the same parameters."""
    for recipe in recipes.list_recipes():
        cfg = recipe.build(recipes.RecipeOptions(classes=3, width=96, height=64))
        write_cfg(tmp_path / "net.cfg", cfg)
        described = inspect(tmp_path / "net.cfg")
        assert described["parameters"] == sum(layer_floats(cfg))
        assert len(described["layers"]) == len(cfg.layers)


def test_inspect_tells_whether_weights_fit(golden: Path) -> None:
    described = inspect(golden / "tiny" / "net.cfg", golden / "tiny" / "trained.weights")
    assert described["weights"]
    with pytest.raises(FormatError, match=r"none\.cfg"):
        inspect("none.cfg")


def test_devices() -> None:
    devices = list_devices()
    (cpu,) = [device for device in devices if device.id == "cpu"]
    assert cpu.usable and cpu.reason == "" and cpu.memory_bytes >= cpu.free_bytes > 0
    assert all(device.usable or device.reason for device in devices)


def test_darknetpys_call_shape(golden: Path, tmp_path: Path, network: Network) -> None:
    shutil.copyfile(golden / "obj.names", tmp_path / "obj.names")
    (tmp_path / "obj.data").write_text("classes = 3\nnames = obj.names\n")
    detector = Detector(str(tmp_path / "obj.data"), str(golden / "tiny" / "net.cfg"), str(golden / "tiny" / "trained.weights"))
    image = golden / "images" / "v00.png"
    height, width = read_image(image).shape[:2]
    results = detector.detect(str(image), 0.25, 0.5, 0.45)
    wanted = network.detect(image)
    assert len(results) == len(wanted) > 0
    for result, detection in zip(results, wanted, strict=True):
        assert set(result) == {"class", "prob", "left", "top", "right", "bottom"}
        assert (result["class"], result["prob"]) == (detection.name, detection.score)
        edges = [result[name] for name in ("left", "top", "right", "bottom")]
        assert all(isinstance(edge, int) for edge in edges)
        box = detection.box.to_pixels(width, height)
        assert edges == pytest.approx([box.left, box.top, box.right, box.bottom], abs=0.51)
    detector.close()


def test_a_library_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from darknet_bridge import _lib

    monkeypatch.setattr(_lib, "_loaded", None)
    monkeypatch.setenv("DARKNET_BRIDGE_NATIVE", str(tmp_path))
    with pytest.raises(LibraryError, match="not built"):
        list_devices()
    (tmp_path / "libdarknet_bridge.so").write_bytes(b"no library")
    with pytest.raises(LibraryError, match="can't be loaded"):
        list_devices()
