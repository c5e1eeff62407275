"""A library with a labelled set and a network narrow enough to be trained within a test."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from darknet_bridge import recipes
from darknet_bridge.formats import label_path, read_labels
from darknet_bridge.recipes.base import LayerBuilder, Plan
from darknet_bridge.samples import NAMES, render_samples
from gui.core.records import Box, Run, Storage
from gui.core.scan import examine
from gui.core.setup import Setup
from gui.core.workspace import Workspace

NARROW = "narrow"
QUICK = Setup(NARROW, steps=12, size=64, batch=4, random=False)
ENDLESS = replace(QUICK, steps=100_000)  # not over before it is stopped, however long a test is kept from that


def _layers(plan: Plan) -> list[recipes.base.CfgSection]:  # type: ignore[name-defined]
    net = LayerBuilder()
    for filters in (4, 8, 8, 8):
        net.conv(filters, 3, "leaky")
        net.maxpool(2, 2)
    net.conv(16, 3, "leaky")
    net.head(plan, (3, 4, 5), ("random", int(plan.random)))
    net.route(-4)
    net.conv(8, 1, "leaky")
    net.head(plan, (0, 1, 2), ("random", int(plan.random)))
    return net.sections


if NARROW not in {recipe.id for recipe in recipes.list_recipes()}:
    recipes.register(replace(recipes.get_recipe("yolov3-tiny"), id=NARROW, label="narrow", layers=_layers, pretrained=()))


def nothing(done: int, total: int, text: str) -> None:
    """Progress that nobody looks at."""


def labelled(workspace: Workspace, folder: Path, count: int = 16) -> int:
    """An experiment with `count` small submitted pictures of three categories."""
    made = render_samples(folder, count - 2, 2, size_px=96)
    paths = [*made.train, *made.valid]
    store = workspace.store
    dataset = store.datasets.create("Forest", Storage.REFERENCE, folder).id
    ids = store.datasets.add_images(dataset, [examine(path, str(path.relative_to(folder))) for path in paths])
    group = store.groups.create(dataset, "Labels").id
    categories = [store.categories.add(group, name, "#ff0000").id for name in NAMES]
    labels = {image: read_labels(label_path(str(path))) for image, path in zip(ids, paths, strict=True)}
    store.annotations.submit_many(group, {i: [Box(categories[x.class_id], x.box) for x in found] for i, found in labels.items()})
    experiment = store.experiments.create("Forest floor").id
    store.experiments.set_dataset(experiment, dataset, group)
    return experiment


def wait_for(workspace: Workspace, run_id: int, wanted: Callable[[Run], bool], seconds: float = 120) -> Run:
    """Until the run is as wanted."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        run = workspace.run_store(lambda: workspace.store.runs.get(run_id))
        if wanted(run):
            return run
        time.sleep(0.05)
    raise AssertionError(f"still {run}")
