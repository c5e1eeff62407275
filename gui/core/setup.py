"""The choices of the Setup step: what there is to choose, what is chosen unless somebody says otherwise, and what is wrong.

Values only: nothing is read or written here but the pretrained file's head. What becomes of the choices: prepare_run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import Enum
from pathlib import Path
from typing import Any

from darknet_bridge import recipes
from darknet_bridge.devices import Device
from darknet_bridge.errors import FormatError
from darknet_bridge.formats import Cfg
from darknet_bridge.recipes.base import MAX_STEPS

from .device_words import PRECISIONS, device_names
from .errors import UserError
from .wording import counted

YOLOV4, TINY = "yolov4-custom", "yolov3-tiny"
LOW_STEPS = 10
SIDE_STEP = 32
SMALLEST_SIDE, LARGEST_SIDE = 64, 1216
CPU_SIDE, CPU_BATCH = 320, 16  # what a processor can train in hours instead of weeks
CHECKPOINTS = 10
SHOWINGS = 100
STOP_AT_MAP, STOP_WITHOUT_GAIN = 75.0, 5  # what the switches offer; both are off unless somebody turns them on
MOST_WITHOUT_GAIN = 1000


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model as it is offered. recipe: of darknet_bridge.recipes."""

    recipe: str
    title: str
    text: str


MODELS = (
    ModelCard(YOLOV4, "YOLOv4", "Best balance of speed and accuracy. Wants a graphics card to train on."),
    ModelCard(TINY, "YOLOv3-Tiny", "Light and real-time, also on small devices. Quicker to train, less accurate."),
)


def model_title(recipe: str) -> str:
    """As its card says it: "YOLOv3-Tiny"."""
    return next((model.title for model in MODELS if model.recipe == recipe), recipe)


class Start(str, Enum):
    """What the training begins with."""

    PRETRAINED = "pretrained"
    RUN = "run"
    SCRATCH = "scratch"


@dataclass(frozen=True, slots=True)
class Setup:
    """None leaves the choice to the program. size: side of the network's input in pixels. subdivisions None: as memory allows.

    anchors: (w, h) pairs in pixels of the input. random: many input sizes while training. stop_at_map: in percent, ends the
    training once mAP on the held-out images is as good; stop_without_gain: ends it after so many measurements without a better
    one. Both None: it goes on to its last step. device: id of a darknet_bridge Device; precision: one of PRECISIONS.
    """

    model: str = TINY
    start: Start = Start.SCRATCH
    start_file: str = ""
    start_run: int | None = None
    steps: int | None = None
    size: int | None = None
    batch: int | None = None
    subdivisions: int | None = None
    learning_rate: float | None = None
    flip: bool = True
    mosaic: bool | None = None
    random: bool | None = None
    anchors: tuple[tuple[float, float], ...] | None = None
    valid_percent: int = 10
    seed: int = 1
    stop_at_map: float | None = None
    stop_without_gain: int | None = None
    device: str | None = None
    precision: str | None = None

    def to_json(self) -> dict[str, object]:
        values = asdict(self)
        values["start"] = self.start.value
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, object], otherwise: Setup | None = None) -> Setup:
        """Unknown keys and values that make no sense are left out: an older app must be able to read a newer library."""
        setup = otherwise or cls()
        for field in fields(cls):
            if field.name not in values:
                continue
            try:
                change: dict[str, Any] = {field.name: _parsed(field.name, values[field.name])}
                setup = checked(replace(setup, **change))
            except (UserError, TypeError, ValueError):
                continue
        return setup


def _parsed(name: str, value: object) -> object:
    if name == "start":
        return Start(value)
    if name == "anchors" and isinstance(value, (list, tuple)):
        return tuple((float(w), float(h)) for w, h in value)
    return value


def recommended(devices: Sequence[Device]) -> tuple[str, str]:
    """(model, why) for this computer."""
    card = next((device for device in devices if device.usable and device.id != "cpu"), None)
    if card is not None:
        return YOLOV4, f"Recommended: this computer trains on {card.description}."
    return TINY, "Recommended on this computer: it has no graphics card to train on, and YOLOv4 is a large network."


def on_this_computer(setup: Setup, devices: Sequence[Device]) -> Setup:
    """Without a device that is not here any more: a library may have come from another computer."""
    return setup if setup.device is None or setup.device in device_names(devices) else replace(setup, device=None)


def default_setup(devices: Sequence[Device]) -> Setup:
    model, _why = recommended(devices)
    return Setup(model) if model == YOLOV4 else Setup(model, size=CPU_SIDE, batch=CPU_BATCH)


def default_steps(classes: int) -> int:
    """The guide's rule."""
    return recipes.recommended_steps(max(classes, 1))


def thorough_steps(classes: int, images: int) -> int:
    """Darknet's own rule, for those with time."""
    return max(6000, 2000 * classes, images)


def steps_of(setup: Setup, classes: int) -> int:
    return default_steps(classes) if setup.steps is None else setup.steps


def steps_hint(steps: int, classes: int) -> str:
    """What to know about this number of steps; "" when there is nothing."""
    wanted = default_steps(classes)
    if steps < wanted:
        what = "category" if classes == 1 else "categories"
        return f"Fewer than the {wanted:,} steps that are recommended for {classes} {what}: the model may stay weak."
    if steps > 2 * wanted:
        return "More steps help until the model learns the pictures by heart; the best checkpoint by mAP is kept in any case."
    return ""


def parse_whole(text: str, what: str, low: int, high: int) -> int:
    """A whole number as typed, with or without separators. Raises UserError with what is expected."""
    plain = text.strip().replace(",", "").replace("\u202f", "").replace(" ", "")
    if not (plain.isascii() and plain.isdigit()) or len(plain) > 12 or not low <= int(plain) <= high:
        raise UserError(f"{what}: “{text.strip()[:40]}” is no whole number from {low:,} to {high:,}.")
    return int(plain)


def parse_steps(text: str) -> int:
    return parse_whole(text, "Steps", LOW_STEPS, MAX_STEPS)


def parse_size(text: str) -> int:
    side = parse_whole(text, "Network size", SMALLEST_SIDE, LARGEST_SIDE)
    if side % SIDE_STEP:
        near = max(SMALLEST_SIDE, round(side / SIDE_STEP) * SIDE_STEP)
        raise UserError(f"Network size: {side} is no multiple of {SIDE_STEP}; {near} is the nearest one.")
    return side


def checked(setup: Setup) -> Setup:
    """The setup itself. Raises UserError with the first thing that is wrong."""
    if setup.model not in {recipe.id for recipe in recipes.list_recipes()}:
        raise UserError(f"The model “{setup.model}” is not known here. Choose one of the cards.")
    if setup.steps is not None:
        parse_steps(str(setup.steps))
    if setup.size is not None:
        parse_size(str(setup.size))
    if setup.batch is not None:
        parse_whole(str(setup.batch), "Images a step", 2, 1024)
    batch = setup.batch or recipes.get_recipe(setup.model).batch
    if setup.subdivisions is not None:
        parse_whole(str(setup.subdivisions), "Subdivisions", 1, batch)
        if batch % setup.subdivisions:
            raise UserError(f"Subdivisions: {setup.subdivisions} does not divide the {batch} images of a step.")
    if setup.learning_rate is not None and not 1e-7 <= setup.learning_rate <= 1:
        raise UserError(f"Learning rate: {setup.learning_rate:g} is not between 0.0000001 and 1; 0.001 is usual.")
    if not 0 <= setup.valid_percent <= 50:
        raise UserError(f"Held-out images: {setup.valid_percent} % is not between 0 and 50; 10 is usual.")
    if setup.precision is not None and setup.precision not in PRECISIONS:
        raise UserError(f"Numbers: “{setup.precision}” is none of {', '.join(PRECISIONS)}.")
    _check_stops(setup)
    if setup.anchors is not None and len(setup.anchors) != len(recipes.get_recipe(setup.model).anchors):
        return replace(setup, anchors=None)  # made for the other model
    return setup


def _check_stops(setup: Setup) -> None:
    if setup.stop_at_map is not None and not 1 <= setup.stop_at_map <= 100:
        raise UserError(f"Stop at mAP: {setup.stop_at_map:g} % is not between 1 and 100; {STOP_AT_MAP:g} is good.")
    if setup.stop_without_gain is not None:
        parse_whole(str(setup.stop_without_gain), "Measurements without gain", 1, MOST_WITHOUT_GAIN)


def stop_problem(setup: Setup) -> str | None:
    """Why the training can't end by itself at a mAP; None when it can or need not."""
    if setup.valid_percent == 0 and (setup.stop_at_map is not None or setup.stop_without_gain is not None):
        return "To end by itself the training needs held-out images to measure mAP on: hold out 10 %, or turn that off."
    return None


def stops_text(setup: Setup) -> str:
    """When the training ends before its last step: "at 75 % mAP, or after 5 measurements without gain"; "" for never."""
    parts = []
    if setup.stop_at_map is not None:
        parts.append(f"at {setup.stop_at_map:g} % mAP")
    if setup.stop_without_gain is not None:
        parts.append(f"after {counted(setup.stop_without_gain, 'measurement')} without gain")
    return ", or ".join(parts)


def for_measuring(setup: Setup) -> Setup:
    """The same without what changes nothing about the cost of a step."""
    return replace(setup, steps=None, stop_at_map=None, stop_without_gain=None)


def side_of(setup: Setup) -> int:
    """The network's input in pixels."""
    return setup.size or recipes.get_recipe(setup.model).width


def build_cfg(setup: Setup, classes: int) -> Cfg:
    """Raises UserError for values that can't be."""
    side = side_of(checked(setup))
    options = recipes.RecipeOptions(
        classes=classes,
        width=side,
        height=side,
        batch=setup.batch,
        subdivisions=setup.subdivisions,
        max_batches=steps_of(setup, classes),
        learning_rate=setup.learning_rate,
        flip=None if setup.flip else False,
        mosaic=setup.mosaic,
        random=setup.random,
        anchors=setup.anchors,
    )
    try:
        return recipes.get_recipe(setup.model).build(options)
    except FormatError as error:
        raise UserError(f"These choices do not go together: {error}.") from error


def save_every(steps: int) -> int:
    """Steps between two checkpoints that are kept."""
    return max(1, -(-steps // CHECKPOINTS))


def sample_every(steps: int) -> int:
    """Steps between two looks at the sample images. A look costs about as much as a step or two of a small network."""
    return max(1, steps // SHOWINGS, min(10, steps // 12))


def start_problem(setup: Setup) -> str | None:
    """Why the start weights can't be used, as far as that can be told without reading them; None when they can."""
    if setup.start is Start.PRETRAINED and not setup.start_file:
        return "Choose the file with pretrained weights, or another start."
    if setup.start is Start.PRETRAINED and not Path(setup.start_file).is_file():
        return f"The pretrained file {setup.start_file} is not there any more. Choose it again."
    if setup.start is Start.RUN and setup.start_run is None:
        return "Choose the earlier training to start from, or another start."
    return None


SCRATCH_WARNING = (
    "Training from scratch: the network knows nothing yet, so it needs far more pictures and steps than one that starts from "
    "pretrained weights. If you have such a file (for YOLOv3-Tiny yolov3-tiny.conv.15, for YOLOv4 yolov4.conv.137), choose it."
)
