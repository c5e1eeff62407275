"""More steps for a training that ended: a run of its own that goes on from the exact state, on one continuous curve.

The child gets its own schedule: where the learning rate had already fallen it rises to a tenth of the start's, because at a
hundredth nearly nothing would change any more, and falls again at the end; the sentence about it is shown before and kept.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace

from darknet_bridge.errors import DiskError, reason
from darknet_bridge.formats import Cfg, read_cfg, read_data_file, write_cfg, write_data_file
from darknet_bridge.formats.cfg import format_value
from darknet_bridge.training import RunDir

from .errors import UserError
from .prepare_run import SAMPLES, Progress, fill_or_forget, read_ready, write_ready
from .records import CheckpointFile, NewRun, Run
from .setup import Setup, save_every
from .workspace import Workspace

_STATES = ("net.state", "net.previous.state")
_FALL = 0.1


@dataclass(frozen=True, slots=True)
class Schedule:
    """steps, scales: as [net] has them, in steps of the whole curve. text: what it means for the learning rate."""

    steps: tuple[int, ...]
    scales: tuple[float, ...]
    text: str


def continued_schedule(cfg: Cfg, done: int, total: int) -> Schedule:
    """Keeps what happened up to step `done`; the rate never changes without being in the text."""
    net = cfg.net
    base = net.number("learning_rate", 0.001)
    past = [(s, f) for s, f in zip(net.integers("steps"), net.numbers("scales"), strict=False) if s <= done]
    rate = base
    for _step, scale in past:
        rate *= scale
    points = list(past)
    text = f"The learning rate goes on at {_rate(rate)}"
    if rate < base * 0.05:
        points.append((done + 1, base * _FALL / rate))
        text = f"The learning rate rises from {_rate(rate)} to {_rate(base * _FALL)} at step {done + 1:,}"
        rate = base * _FALL
    for share in (0.8, 0.9) if rate >= base * 0.5 else (0.8,):
        step = done + int((total - done) * share)
        if step > max(done + 1, points[-1][0] if points else 0):
            points.append((step, _FALL))
            rate *= _FALL
            text += f" and falls to {_rate(rate)} at step {step:,}"
    return Schedule(tuple(step for step, _ in points), tuple(scale for _, scale in points), text + ".")


def _rate(value: float) -> str:
    return f"{value:.7f}".rstrip("0")


def continued_cfg(cfg: Cfg, done: int, total: int) -> tuple[Cfg, str]:
    """(the cfg up to step `total`, the sentence about the learning rate)."""
    schedule = continued_schedule(cfg, done, total)
    changes: dict[str, str | None] = {"max_batches": str(total)}
    if schedule.steps:
        scales = [format_value(float(scale)) for scale in schedule.scales]
        changes |= {"policy": "steps", "steps": format_value(schedule.steps), "scales": ",".join(scales)}
    return replace(cfg, sections=(cfg.net.with_values(changes), *cfg.layers)), schedule.text


def why_not(run: Run) -> str | None:
    """Why no more steps can be added to this run; None when they can."""
    if run.state.is_active:
        return "This training has not ended yet."
    if run.state.can_resume and run.done_steps < run.total_steps:
        return None if _has_state(run) else "Nothing was kept to go on from: it ended before its first checkpoint."
    if not _has_state(run):
        return "The state of this training is not in its folder any more; start another training from its checkpoint instead."
    return None


def _has_state(run: Run) -> bool:
    return any((RunDir(run.folder).backup / name).is_file() for name in _STATES)


def continue_run(workspace: Workspace, run_id: int, more: int, progress: Progress) -> Run:
    """Queues `more` steps behind where the run ended. In a background thread. Raises UserError, CancelledError."""
    workspace.require_writing()
    parent = workspace.run_store(lambda: workspace.store.runs.get(run_id))
    problem = why_not(parent)
    if problem:
        raise UserError(problem)
    if more < 1:
        raise UserError("Give at least 1 step more.")
    total = parent.done_steps + more
    cfg, text = continued_cfg(read_cfg(RunDir(parent.folder).cfg), parent.done_steps, total)
    new = NewRun(
        parent.experiment_id,
        parent.model,
        total,
        first_step=parent.done_steps,
        parent_id=parent.id,
        kept=f"continues training {parent.number} at step {parent.done_steps:,}. {text}",
        options=_options(parent, total),
        classes=parent.classes,
    )
    child = workspace.run_store(lambda: workspace.store.runs.add(new, workspace.run_folder))
    fill_or_forget(workspace, child, lambda: _fill(workspace, parent, child, cfg, progress))
    return workspace.run_store(lambda: workspace.store.runs.get(child.id))


def _options(parent: Run, total: int) -> dict[str, object]:
    """The parent's choices. A mAP that it has reached must not end the steps that somebody asks for now."""
    wanted = Setup.from_json(parent.options).stop_at_map
    reached = wanted is not None and 100 * (parent.best_map or 0.0) >= wanted
    return {**parent.options, "steps": total} | ({"stop_at_map": None} if reached else {})


def _fill(workspace: Workspace, parent: Run, child: Run, cfg: Cfg, progress: Progress) -> None:
    progress(0, 1, "Copying the state")
    source, target = RunDir(parent.folder), RunDir(child.folder)
    try:
        _copy(source, target)
    except OSError as error:
        raise DiskError(f"can't copy the training: {reason(error)}", str(target.folder)) from error
    write_cfg(target.cfg, cfg)
    every = save_every(child.total_steps - child.first_step)
    write_data_file(target.data, dict(read_data_file(source.data).values) | {"saveweights": str(every)})
    ready = read_ready(parent.folder) or {}
    parts = ready.get("samples")
    setup = Setup.from_json(child.options)
    parted = ready.get("subdivisions")
    if isinstance(parted, int):  # more than were chosen, where the memory did not suffice
        setup = replace(setup, subdivisions=parted)
    workspace.run_store(lambda: _take_over(workspace, parent, child))
    write_ready(target.folder, None, child.total_steps, setup, parts if isinstance(parts, dict) else {})


def _copy(source: RunDir, target: RunDir) -> None:
    """Lists, labels, links and the state; of the weights only the best ones, which may stay the best."""
    shutil.copytree(source.folder / "JPEGImages", target.folder / "JPEGImages", symlinks=True)
    shutil.copytree(source.folder / "labels", target.folder / "labels")
    target.backup.mkdir()
    for name in (source.train_list.name, source.valid_list.name, source.names.name, SAMPLES):
        if (source.folder / name).exists():
            shutil.copyfile(source.folder / name, target.folder / name)
    for name in (*_STATES, source.best_weights.name):
        if (source.backup / name).exists():
            shutil.copyfile(source.backup / name, target.backup / name)


def _take_over(workspace: Workspace, parent: Run, child: Run) -> None:
    runs = workspace.store.runs
    runs.set_counts(child.id, parent.images_train, parent.images_valid)
    runs.save_snapshot(child.id, runs.snapshot(parent.id))
    best = RunDir(child.folder).best_weights
    if parent.best_map is not None and parent.best_step is not None and best.is_file():
        runs.set_best(child.id, parent.best_map, parent.best_step)
        runs.add_checkpoint(child.id, CheckpointFile(parent.best_step, best, "best", parent.best_map))


def lineage(workspace: Workspace, run_id: int) -> list[Run]:
    """The run with those it continues, the first one first; a deleted one still has its part. On the store's thread."""
    found = [workspace.store.runs.get(run_id)]
    while found[0].parent_id is not None and found[0].parent_id not in {each.id for each in found}:
        found.insert(0, workspace.store.runs.get(found[0].parent_id))
    return found
