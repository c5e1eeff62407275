"""Two runs side by side: one sentence on what differs in how they were made."""

from __future__ import annotations

from collections.abc import Sequence

from .records import Run, SnapshotImage
from .setup import Setup, steps_of
from .wording import counted

_WORDS = {
    "model": "the model",
    "start": "the start",
    "start_file": "the pretrained file",
    "start_run": "the run it starts from",
    "size": "the network size",
    "batch": "images a step",
    "subdivisions": "subdivisions",
    "learning_rate": "the learning rate",
    "flip": "mirroring",
    "mosaic": "mosaic pictures",
    "random": "many input sizes",
    "anchors": "the anchors",
    "valid_percent": "the share of held-out images",
    "stop_at_map": "the mAP it stops at",
    "stop_without_gain": "the measurements without gain it stops after",
    "seed": "the seed",
    "device": "the device",
    "precision": "the numbers",
}


def differences(first: Run, second: Run, before: Sequence[SnapshotImage] = (), after: Sequence[SnapshotImage] = ()) -> str:
    """ "Training 2 differs from training 1 in steps (5,000 → 6,000) and the network size (320 → 416); 12 images were added." """
    old, new = Setup.from_json(first.options), Setup.from_json(second.options)
    parts = []
    steps = [run.total_steps or steps_of(setup, len(run.classes)) for run, setup in ((first, old), (second, new))]
    if steps[0] != steps[1]:
        parts.append(f"steps ({steps[0]:,} → {steps[1]:,})")
    for name, word in _WORDS.items():
        one, other = getattr(old, name), getattr(new, name)
        if one != other:
            parts.append(f"{word} ({_value(one)} → {_value(other)})")
    parts += _categories(first, second)
    data = _data(before, after)
    if second.parent_id == first.id:
        more = counted(second.total_steps - first.done_steps, "step")
        return f"Training {second.number} continues training {first.number} with the same images for {more} more."
    start = f"Training {second.number}"
    if not parts and not data:
        return f"{start} was made exactly like training {first.number}."
    text = f"{start} differs from training {first.number} in {_listed(parts)}" if parts else start
    return text + (f"{'; ' if parts else ' has other data: '}{data}." if data else ".")


def _categories(first: Run, second: Run) -> list[str]:
    """ "category crow added"; a category that was only renamed is neither added nor taken out."""
    old, new = (
        {each.category_id if each.category_id is not None else each.name: each.name for each in run.classes}
        for run in (first, second)
    )
    if {*old.values()} == {*new.values()}:
        return []
    known = {*old.values()}
    added = [name for key, name in new.items() if key not in old and name not in known]
    gone = [name for key, name in old.items() if key not in new and name not in {*new.values()}]
    renamed = [f"{old[key]} → {name}" for key, name in new.items() if key in old and old[key] != name]
    words = ((added, "added"), (gone, "taken out"), (renamed, "renamed"))
    return [f"{'category' if len(names) == 1 else 'categories'} {', '.join(names)} {what}" for names, what in words if names]


def _data(before: Sequence[SnapshotImage], after: Sequence[SnapshotImage]) -> str:
    """What happened to the images in between, "" when nothing did."""
    old, new = ({image.image_id: image for image in images} for images in (before, after))
    added, gone = len(new.keys() - old.keys()), len(old.keys() - new.keys())
    changed = sum(old[i].boxes != new[i].boxes or old[i].sha256 != new[i].sha256 for i in old.keys() & new.keys())
    counts = ((added, "added"), (gone, "taken out"), (changed, "changed"))
    words = [
        f"{number:,} image{'' if number == 1 else 's'} {'was' if number == 1 else 'were'} {what}"
        for number, what in counts
        if number
    ]
    return ", ".join(words)


def _value(value: object) -> str:
    if value is None or value == "":
        return "automatic"
    if isinstance(value, bool):
        return "on" if value else "off"
    return "own" if isinstance(value, tuple) else str(getattr(value, "value", value))


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
