"""The weights a run starts with: a pretrained file or an earlier run, fitted to the new network and its classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from darknet_bridge import recipes
from darknet_bridge.errors import DarknetError, FormatError, shown
from darknet_bridge.formats import Cfg, coverage, read_cfg, read_names, read_weights_header
from darknet_bridge.formats.weights_layout import check_finite
from darknet_bridge.recipes.pretrained import CATALOGUE
from darknet_bridge.surgery import transplant
from darknet_bridge.training import RunDir

from .errors import UserError
from .records import CheckpointFile, Run, RunClass

COCO_CLASSES = 80
FITTED = "start.weights"


@dataclass(frozen=True, slots=True)
class StartWeights:
    """path: None is from scratch. kept: what was taken over, as a sentence part."""

    path: Path | None
    kept: str


SCRATCH = StartWeights(None, "from scratch, from random weights")


def from_file(path: Path, cfg: Cfg, names: tuple[str, ...], folder: Path) -> StartWeights:
    """A file of the catalogue or any other that fits. Raises UserError saying what it is instead."""
    try:
        header = read_weights_header(path)
        covered = coverage(cfg, header)
        if covered.fits and covered.layers:
            check_finite(path)
            return StartWeights(path, f"loaded layers 0-{covered.layers - 1} of {covered.total_layers} of {shown(path.name)}")
        source = _published(header.file_bytes)
        if source is not None:
            surgery = transplant(source, path, (), cfg, names, folder / FITTED)
            return StartWeights(folder / FITTED, f"{surgery.describe()} (from {shown(path.name)})")
    except FormatError as error:
        raise UserError(f"These weights can't be used: {error}. Choose another file or start from scratch.") from error
    raise UserError(f"{shown(path)} does not fit this model: {covered.describe()}. Choose another file or another model.")


def _published(size: int) -> Cfg | None:
    """The network of a whole published file of this size, which knows the 80 classes of COCO."""
    entry = next((entry for entry in CATALOGUE if entry.size == size and entry.layers is None), None)
    known = {recipe.id for recipe in recipes.list_recipes()}
    return None if entry is None or entry.recipe not in known else recipes.make_cfg(entry.recipe, COCO_CLASSES)


def start_note(run: Run, model: str, classes: tuple[RunClass, ...]) -> str:
    """What a start from this run keeps, before it is done: "crow is known already; owl begins anew." model: that is trained."""
    if run.model != model:
        return "That training is of another model: only layers of the same shape are kept."
    renamed = _renamed(run, classes)
    known = {each.name for each in run.classes} | set(renamed)
    kept, new = ([each.name for each in classes if (each.name in known) is old] for old in (True, False))
    parts = ["What it has learnt to see is kept."]
    if kept:
        parts.append(f"Known already: {', '.join(kept)}.")
    if new:
        parts.append(f"Beginning anew: {', '.join(new)}.")
    return " ".join(parts)


def _renamed(run: Run, classes: tuple[RunClass, ...]) -> dict[str, str]:
    """Name now -> name in the run: a category that was renamed since is still the same."""
    old = {each.category_id: each.name for each in run.classes if each.category_id is not None}
    known, now = {each.name for each in run.classes}, {each.name for each in classes}
    return {
        each.name: old[each.category_id]
        for each in classes
        if each.category_id in old and each.name not in known and old[each.category_id] not in now
    }


def from_run(run: Run, checkpoint: CheckpointFile, classes: tuple[RunClass, ...], cfg: Cfg, folder: Path) -> StartWeights:
    """The backbone and the rows of the classes that both have; a category that was renamed since is still the same."""
    source = RunDir(run.folder)
    renamed = _renamed(run, classes)
    names = tuple(each.name for each in classes)
    try:
        old_cfg, old_names = read_cfg(source.cfg), read_names(source.names)
        surgery = transplant(old_cfg, checkpoint.path, old_names, cfg, names, folder / FITTED, renamed)
    except DarknetError as error:
        raise UserError(f"Training {run.number} can't be the start: {error}.") from error
    return StartWeights(folder / FITTED, f"{surgery.describe()} (from training {run.number}, step {checkpoint.step:,})")
