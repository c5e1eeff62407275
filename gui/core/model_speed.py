"""What the model cards say of the time a training takes here. Only what was measured on this computer is said."""

from __future__ import annotations

from collections.abc import Mapping

from .review import duration
from .setup import MODELS

_AS_FAST = 1.15


def speed_texts(seconds: Mapping[str, float], steps: int) -> dict[str, str]:
    """recipe -> what its card says, for the recipes that were measured. seconds: of a training of `steps` steps."""
    texts = {recipe: f"About {duration(value)} here for {steps:,} steps." for recipe, value in seconds.items()}
    titles = {model.recipe: model.title for model in MODELS}
    known = sorted((value, recipe) for recipe, value in seconds.items() if recipe in titles)
    if len(known) == 2 and known[0][0] > 0:
        (quick_s, quick), (slow_s, slow) = known
        texts[quick] += f" {_times(slow_s / quick_s)} to train on this computer as {titles[slow]} at these choices."
    return texts


def _times(ratio: float) -> str:
    if ratio < _AS_FAST:
        return "About as fast"
    return f"About {ratio:.1f}".removesuffix(".0") + " times as fast" if ratio < 9.5 else f"About {ratio:.0f} times as fast"
