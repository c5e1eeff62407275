"""Recipes against the reference cfgs and the published file sizes; their options; what other parsers accept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from darknet_bridge import recipes
from darknet_bridge.errors import FormatError, UnsupportedError
from darknet_bridge.formats import format_cfg, layer_floats, parse_cfg, read_cfg
from darknet_bridge.formats.cfg import CfgSection, portability_problems

from .test_weights import FULL_BYTES, PARTIAL_BYTES

IDS = [recipe.id for recipe in recipes.list_recipes()]
UPSTREAM = {"yolov3-tiny": 500_200, "yolov4-custom": 500_500, "yolov4": 500_500}


def values(section: CfgSection) -> dict[str, object]:
    """Numbers as numbers, so that `.7` and `0.7` are equal; everything else as text."""
    found: dict[str, object] = {}
    for key, value in section.values().items():
        try:
            found[key] = tuple(float(part) for part in value.split(","))
        except ValueError:
            found[key] = value
    return found


@pytest.mark.parametrize("recipe_id", IDS)
def test_equal_to_the_reference_in_every_key(recipe_id: str, reference_cfgs: Path) -> None:
    written = parse_cfg(format_cfg(recipes.make_cfg(recipe_id, 80, max_batches=UPSTREAM[recipe_id], steps=(400_000, 450_000))))
    reference = read_cfg(reference_cfgs / f"{recipe_id}.cfg")
    net = values(reference.net)
    if recipe_id == "yolov3-tiny":  # its own values are for testing; the training ones stand in its comments
        net |= {"batch": (64.0,), "subdivisions": (2.0,)}
    assert values(written.net) == net
    assert [s.kind for s in written.layers] == [s.kind for s in reference.layers]
    for index, (ours, theirs) in enumerate(zip(written.layers, reference.layers, strict=True)):
        assert values(ours) == values(theirs), f"layer {index}"


@pytest.mark.parametrize("recipe_id", ["yolov3-tiny", "yolov4-custom"])
@pytest.mark.parametrize("classes", [1, 2, 3, 20, 50, 80])
def test_only_what_classes_change(recipe_id: str, classes: int) -> None:
    cfg = recipes.make_cfg(recipe_id, classes)
    counts = layer_floats(cfg)
    assert 20 + 4 * sum(counts) == FULL_BYTES[recipe_id][classes]
    for layers, size in PARTIAL_BYTES[recipe_id].items():
        assert 20 + 4 * sum(counts[:layers]) == size, "pretrained files fit any number of classes"
    many = recipes.make_cfg(recipe_id, 80)
    changed = {
        (index, key)
        for index, (a, b) in enumerate(zip(cfg.layers, many.layers, strict=True))
        for key in a.values()
        if a.values()[key] != b.values()[key]
    }
    heads = [i for i, section in enumerate(cfg.layers) if section.kind == "yolo"]
    expected = {(i, "classes") for i in heads} | {(i - 1, "filters") for i in heads}
    assert changed == (expected if classes != 80 else set())
    assert all(cfg.layers[i - 1].integer("filters", 0) == 3 * (classes + 5) for i in heads)


@pytest.mark.parametrize("recipe_id", IDS)
def test_the_strict_parser_takes_it(recipe_id: str) -> None:
    """hank-ai's rules (darknet.md 1.5): no duplicates, no exponents, comments on lines of their own, number characters."""
    cfg = recipes.make_cfg(recipe_id, 3, learning_rate=0.000001, flip=False, mosaic=True, max_boxes=500)
    assert portability_problems(cfg) == []
    text = format_cfg(cfg, "made by a test")
    assert not re.search(r"^[^#\n]+#", text, re.M)
    words = {"leaky", "mish", "linear", "steps", "ciou", "greedynms"}
    for section in parse_cfg(text).sections:
        for entry in section.entries:
            assert entry.value in words or re.fullmatch(r"[-.,0-9]+", entry.value), entry


def test_schedule_follows_the_guide() -> None:
    assert [recipes.recommended_steps(n) for n in (1, 5, 6, 50)] == [5000, 5000, 6000, 50_000]
    net = recipes.make_cfg("yolov3-tiny", 6).net
    assert (net.integer("max_batches", 0), net.integers("steps"), net.integer("burn_in", 0)) == (6000, (4800, 5400), 600)
    short = recipes.make_cfg("yolov3-tiny", 2, max_batches=300).net
    assert (short.integers("steps"), short.integer("burn_in", 0)) == ((240, 270), 30)
    assert recipes.make_cfg("yolov3-tiny", 20).net.integer("burn_in", 0) == 1000
    one = recipes.make_cfg("yolov3-tiny", 1, max_batches=1).net
    assert one.text("policy") == "constant" and one.entry("steps") is None


def test_options_reach_the_file() -> None:
    cfg = recipes.make_cfg(
        "yolov3-tiny", 2, width=320, height=352, batch=32, subdivisions=4, learning_rate=0.002, burn_in=7, flip=False,
        random=False, mosaic=True, anchors=((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11.5, 12)), max_boxes=90,
    )  # fmt: skip
    net = values(cfg.net)
    expected = {
        "width": 320,
        "height": 352,
        "batch": 32,
        "subdivisions": 4,
        "learning_rate": 0.002,
        "burn_in": 7,
        "flip": 0,
        "mosaic": 1,
    }
    assert {key: net[key] for key in expected} == {key: (float(value),) for key, value in expected.items()}
    for yolo in cfg.detection_layers:
        assert yolo.text("anchors") == "1,2,3,4,5,6,7,8,9,10,11.5,12"
        assert (yolo.integer("random", 1), yolo.integer("max", 0)) == (0, 90)
    plain = recipes.make_cfg("yolov4-custom", 2, mosaic=False, random=False)
    assert plain.net.entry("mosaic") is None
    assert [yolo.text("random") for yolo in plain.detection_layers] == ["", "", "0"]


def test_the_backbone_rests_for_the_same_share_of_a_short_run() -> None:
    def frozen(**options: object) -> str:
        return recipes.make_cfg("yolov4-custom", 2, **options).layers[104].text("stopbackward")

    assert frozen() == "800"
    assert frozen(max_batches=500) == "80"
    assert frozen(stopbackward=0) == ""
    assert frozen(max_batches=3) == ""
    with pytest.raises(FormatError, match="stopbackward"):
        recipes.make_cfg("yolov3-tiny", 2, stopbackward=5)


def test_batch_is_split_into_parts_no_larger_than_the_recipes() -> None:
    def parts(recipe_id: str, batch: int) -> int:
        return recipes.make_cfg(recipe_id, 2, batch=batch).net.integer("subdivisions", 0)

    assert [parts("yolov4-custom", n) for n in (64, 24, 7, 1)] == [16, 6, 7, 1]
    assert [parts("yolov3-tiny", n) for n in (64, 32, 48)] == [2, 1, 2]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"classes": 0}, "classes"),
        ({"classes": 10_001}, "classes"),
        ({"width": 400}, "multiple of 32"),
        ({"height": 0}, "height"),
        ({"width": 8224}, "width"),
        ({"batch": 10, "subdivisions": 3}, "does not divide"),
        ({"batch": 4, "subdivisions": 8}, "subdivisions"),
        ({"max_batches": 0}, "max_batches"),
        ({"max_batches": 10.5}, "max_batches"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"steps": (5, 4)}, "rising"),
        ({"anchors": ((1, 2),)}, "anchors"),
        ({"anchors": ((1, 2),) * 5 + ((0, 3),)}, "anchors"),
        ({"max_boxes": 0}, "max_boxes"),
        ({"colour": 1}, "known"),
    ],
)
def test_options_that_can_not_be(options: dict[str, object], word: str) -> None:
    with pytest.raises(FormatError, match=word):
        recipes.make_cfg("yolov3-tiny", **({"classes": 2} | options))  # type: ignore[arg-type]


def test_registry() -> None:
    assert IDS == ["yolov3-tiny", "yolov4-custom", "yolov4"]
    with pytest.raises(UnsupportedError, match="yolov3-tiny"):
        recipes.get_recipe("yolov9")
    with pytest.raises(ValueError, match="registered already"):
        recipes.register(recipes.get_recipe("yolov4"))


def test_anchor_texts_and_scaling() -> None:
    anchors = recipes.parse_anchors(" 10,14,  23,27.5\n")
    assert anchors == ((10, 14), (23, 27.5))
    assert recipes.parse_anchors(recipes.format_anchors(anchors)) == anchors
    assert recipes.rescale_anchors(anchors, (416, 416), (208, 832)) == ((5, 28), (12, 55))
    assert recipes.rescale_anchors(((1, 1),), (608, 608), (32, 32)) == ((1, 1),)
    for text in ("", "1", "1,2,x", "0,1", "-1,2"):
        with pytest.raises(FormatError):
            recipes.parse_anchors(text)


@pytest.mark.parametrize("recipe_id", ["yolov3-tiny", "yolov4"])
def test_the_native_tests_run_the_networks_of_the_recipes(recipe_id: str) -> None:
    kept = Path(__file__).parents[1] / "native" / "nets" / f"{recipe_id}.cfg"
    assert kept.read_text() == format_cfg(recipes.make_cfg(recipe_id, classes=80))
