"""What every recipe shares: the options, the [net] section, the schedule, a builder for layers, and the registry.

A recipe describes its architecture in a few lines of code; written for 80 classes and upstream's schedule it equals
the reference cfg of that name in every key and value (tests/bridge/test_recipes.py). What N classes change:
darknet.md 9.4. The schedule is the guide's: 5,000 steps, or 1,000 a class when that is more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TypeVar

from ..errors import FormatError, UnsupportedError
from ..formats.cfg import Cfg, CfgSection, make_section
from ..formats.names import MAX_CLASSES

MAX_SIDE = 8192
MAX_STEPS = 100_000_000

Anchor = tuple[float, float]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RecipeOptions:
    """What a user may choose; None takes the recipe's own value.

    width, height: input size in pixels, multiples of 32. batch: images per step; subdivisions: parts it is computed in.
    max_batches: steps (default recommended_steps); burn_in: warm-up steps; steps: where the rate falls to a tenth.
    flip=False for classes that differ by left and right. anchors: (w, h) in pixels of the input, as many as the recipe
    has, by rising area. max_boxes: most objects in one picture (upstream: 200). stopbackward: yolov4-custom only,
    steps before the backbone is trained, 0 = from the first step on.
    """

    classes: int
    width: int | None = None
    height: int | None = None
    batch: int | None = None
    subdivisions: int | None = None
    max_batches: int | None = None
    burn_in: int | None = None
    steps: tuple[int, ...] | None = None
    learning_rate: float | None = None
    flip: bool | None = None
    random: bool | None = None
    mosaic: bool | None = None
    anchors: tuple[Anchor, ...] | None = None
    max_boxes: int | None = None
    stopbackward: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """RecipeOptions with every choice made, as the layers of a recipe see them."""

    classes: int
    max_batches: int
    random: bool
    anchors: tuple[Anchor, ...]
    max_boxes: int | None
    stopbackward: int

    @property
    def head_filters(self) -> int:
        """Filters of the convolution before a [yolo] with three masks."""
        return 3 * (self.classes + 5)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One model. layers builds the sections behind [net]; pretrained names files of the catalogue, best first."""

    id: str
    label: str
    width: int
    height: int
    batch: int
    subdivisions: int
    momentum: float
    learning_rate: float
    mosaic: bool
    anchors: tuple[Anchor, ...]
    stopbackward: int
    pretrained: tuple[str, ...]
    layers: Callable[[Plan], list[CfgSection]]

    def build(self, options: RecipeOptions) -> Cfg:
        """The cfg. Raises FormatError with the option's name for a value that can't be."""
        plan = self._plan(options)
        return Cfg((self._net(options, plan), *self.layers(plan)), f"{self.id}.cfg")

    def _plan(self, options: RecipeOptions) -> Plan:
        classes = _whole("classes", options.classes, 1, MAX_CLASSES)
        max_batches = _whole("max_batches", _or(options.max_batches, recommended_steps(classes)), 1, MAX_STEPS)
        anchors = _or(options.anchors, self.anchors)
        if len(anchors) != len(self.anchors):
            raise FormatError(f"anchors: {len(anchors)} given; {self.id} has {len(self.anchors)}")
        if not all(0 < side <= MAX_SIDE for anchor in anchors for side in anchor):
            raise FormatError(f"anchors: sides are pixels above 0, at most {MAX_SIDE}")
        if options.stopbackward is not None and not self.stopbackward:
            raise FormatError(f"stopbackward: {self.id} trains every layer from the first step")
        # Over a short run the backbone keeps the same share of frozen steps as in the guide's 5,000.
        frozen = min(self.stopbackward, max_batches * self.stopbackward // 5000)
        max_boxes = None if options.max_boxes is None else _whole("max_boxes", options.max_boxes, 1, 100_000)
        stopbackward = _whole("stopbackward", _or(options.stopbackward, frozen), 0, MAX_STEPS)
        return Plan(classes, max_batches, _or(options.random, True), anchors, max_boxes, stopbackward)

    def _default_subdivisions(self, batch: int) -> int:
        """The fewest parts of the batch that are no larger than the recipe's own."""
        part = max(1, self.batch // self.subdivisions)
        return next(parts for parts in range(1, batch + 1) if batch % parts == 0 and batch // parts <= part)

    def _net(self, options: RecipeOptions, plan: Plan) -> CfgSection:
        batch = _whole("batch", _or(options.batch, self.batch), 1, 65_536)
        subdivisions = _whole("subdivisions", _or(options.subdivisions, self._default_subdivisions(batch)), 1, batch)
        if batch % subdivisions:
            raise FormatError(f"subdivisions={subdivisions} does not divide batch={batch}")
        steps = _or(options.steps, _default_steps(plan.max_batches))
        if list(steps) != sorted(set(steps)) or (steps and steps[0] < 1):
            raise FormatError(f"steps={','.join(map(str, steps))}: expected rising whole numbers from 1")
        schedule: list[tuple[str, object]] = [("policy", "steps"), ("steps", steps), ("scales", ",".join([".1"] * len(steps)))]
        values: list[tuple[str, object]] = [
            ("batch", batch),
            ("subdivisions", subdivisions),
            ("width", _side("width", _or(options.width, self.width))),
            ("height", _side("height", _or(options.height, self.height))),
            ("channels", 3),
            ("momentum", self.momentum),
            ("decay", 0.0005),
            ("angle", 0),
            ("saturation", 1.5),
            ("exposure", 1.5),
            ("hue", ".1"),
            ("flip", 0 if options.flip is False else None),
            ("learning_rate", _rate(_or(options.learning_rate, self.learning_rate))),
            ("burn_in", _whole("burn_in", _or(options.burn_in, default_burn_in(plan.max_batches)), 0, MAX_STEPS)),
            ("max_batches", plan.max_batches),
            *(schedule if steps else [("policy", "constant")]),
            ("mosaic", 1 if _or(options.mosaic, self.mosaic) else None),
        ]
        return make_section("net", values)


class LayerBuilder:
    """Collects layers in file order; `last` is the index of the newest one, for routes to absolute layers."""

    def __init__(self) -> None:
        self.sections: list[CfgSection] = []

    @property
    def last(self) -> int:
        return len(self.sections) - 1

    def add(self, kind: str, *values: tuple[str, object]) -> None:
        self.sections.append(make_section(kind, values))

    def conv(self, filters: int, size: int, activation: str, stride: int = 1, stopbackward: int = 0) -> None:
        """A batch-normalised convolution that keeps the size (stride 1) or halves it (stride 2)."""
        self.add(
            "convolutional",
            ("batch_normalize", 1),
            ("filters", filters),
            ("size", size),
            ("stride", stride),
            ("pad", 1),
            ("activation", activation),
            ("stopbackward", stopbackward or None),
        )

    def maxpool(self, size: int, stride: int) -> None:
        self.add("maxpool", ("size", size), ("stride", stride))

    def route(self, *layers: int) -> None:
        self.add("route", ("layers", layers))

    def shortcut(self, source: int) -> None:
        self.add("shortcut", ("from", source), ("activation", "linear"))

    def upsample(self) -> None:
        self.add("upsample", ("stride", 2))

    def head(self, plan: Plan, mask: tuple[int, int, int], *more: tuple[str, object]) -> None:
        """The linear 1x1 convolution and the [yolo] behind it; more: what the model says beyond the common keys."""
        self.add(
            "convolutional", ("size", 1), ("stride", 1), ("pad", 1), ("filters", plan.head_filters), ("activation", "linear")
        )
        self.add(
            "yolo",
            ("mask", mask),
            ("anchors", [side for anchor in plan.anchors for side in anchor]),
            ("classes", plan.classes),
            ("num", len(plan.anchors)),
            ("jitter", ".3"),
            ("ignore_thresh", ".7"),
            ("truth_thresh", 1),
            *more,
            ("max", plan.max_boxes),
        )


def recommended_steps(classes: int) -> int:
    """The guide's rule: 5,000 steps, or 1,000 a class when that is more."""
    return max(5000, 1000 * classes)


def default_burn_in(max_batches: int) -> int:
    """Upstream's 1,000 warm-up steps, but never more than a tenth of the run."""
    return min(1000, max_batches // 10)


_REGISTRY: dict[str, Recipe] = {}


def register(recipe: Recipe) -> None:
    """Adds a recipe under its id; an id stands for one recipe."""
    if recipe.id in _REGISTRY:
        raise ValueError(f"recipe {recipe.id!r} is registered already")
    _REGISTRY[recipe.id] = recipe


def list_recipes() -> tuple[Recipe, ...]:
    return tuple(_REGISTRY.values())


def get_recipe(recipe_id: str) -> Recipe:
    """Raises UnsupportedError naming the known ones."""
    recipe = _REGISTRY.get(recipe_id)
    if recipe is None:
        raise UnsupportedError(f"no recipe '{recipe_id}'; known: {', '.join(_REGISTRY)}")
    return recipe


def make_cfg(recipe_id: str, classes: int, **options: object) -> Cfg:
    """The cfg of a recipe; options are the fields of RecipeOptions."""
    known = {field.name for field in fields(RecipeOptions)}
    unknown = sorted(set(options) - known)
    if unknown:
        raise FormatError(f"recipe option '{unknown[0]}' is not known; known: {', '.join(sorted(known))}")
    return get_recipe(recipe_id).build(RecipeOptions(classes, **options))  # type: ignore[arg-type]


def _or(value: _T | None, default: _T) -> _T:
    return default if value is None else value


def _whole(name: str, value: object, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise FormatError(f"{name}={value}: expected a whole number from {low} to {high}")
    return value


def _side(name: str, value: object) -> int:
    side = _whole(name, value, 32, MAX_SIDE)
    if side % 32:
        raise FormatError(f"{name}={side}: expected a multiple of 32, e.g. {max(32, round(side / 32) * 32)}")
    return side


def _rate(value: float) -> float:
    if not 1e-9 <= value <= 10:
        raise FormatError(f"learning_rate={value}: expected 0.000000001 to 10")
    return float(value)


def _default_steps(max_batches: int) -> tuple[int, ...]:
    """80 % and 90 % of the run; fewer where a very short run has no room for two."""
    return tuple(sorted({step for step in (max_batches * 8 // 10, max_batches * 9 // 10) if step > 0}))
