"""Runs: their rows and what they were given. What they produced is in repo_run_results, of which this is a part."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from peewee import fn

from darknet_bridge import NormBox

from ..core.records import NewRun, Part, Run, RunClass, RunState, SnapshotImage
from .codec import clean, from_json, name_bytes, name_text, to_json
from .repo_base import now
from .repo_run_results import RunResults
from .tables import Experiment as ExperimentRow
from .tables import Run as RunRow
from .tables import Snapshot

COLUMNS = (
    *("experiment", "number", "state", "model", "folder", "created_at", "total_steps", "first_step", "done_steps", "parent"),
    *("started_at", "ended_at", "seconds", "best_map", "best_step", "selected_step", "reason", "start_weights", "kept"),
    *("options", "classes", "images_train", "images_valid", "notes", "tags"),
)
ACTIVE = tuple(state.value for state in RunState if state.is_active)
ENDED = (RunState.STOPPED, RunState.FINISHED, RunState.FAILED, RunState.PAUSED)


class RunRepo(RunResults):
    noun = "run"

    def add(self, new: NewRun, folder_of: Callable[[int], Path]) -> Run:
        """Queues a run. folder_of names its folder from its id; the folder is not made here."""
        with self._db.transaction():
            if self._db.is_postgres:
                # Two users must not give the same number.
                self._db.rows(ExperimentRow.select(ExperimentRow.id).where(ExperimentRow.id == new.experiment_id).for_update())
            last = self._db.one(RunRow.select(fn.MAX(RunRow.number)).where(RunRow.experiment == new.experiment_id))
            (run_id,) = self._db.new_ids(RunRow)
            self._db.run(
                RunRow.insert(
                    id=run_id,
                    experiment=new.experiment_id,
                    number=(last[0] if last and last[0] else 0) + 1,
                    state=RunState.QUEUED.value,
                    model=new.model,
                    folder=self._paths.to_bytes(folder_of(run_id)),
                    created_at=now(),
                    total_steps=new.total_steps,
                    first_step=new.first_step,
                    done_steps=new.first_step,
                    parent=new.parent_id,
                    seconds=0.0,
                    reason="",
                    start_weights=name_bytes(new.start_weights),
                    kept=clean(new.kept),
                    options=to_json(dict(new.options)),
                    classes=to_json([(each.index, each.category_id, clean(each.name)) for each in new.classes]),
                    images_train=0,
                    images_valid=0,
                    notes="",
                    tags="[]",
                )
            )
        return self.get(run_id)

    def get(self, run_id: int) -> Run:
        """Also a deleted one."""
        found = self.found(RunRow.id == run_id)
        if not found:
            raise self._missing()
        return found[0]

    def list(self, experiment_id: int | None = None) -> builtins.list[Run]:
        """Oldest first, of one experiment or of all."""
        condition = RunRow.deleted_at.is_null()
        return self.found(condition if experiment_id is None else condition & (RunRow.experiment == experiment_id))

    def active(self) -> builtins.list[Run]:
        """Those queued or running, in the order of the queue."""
        return self.found(RunRow.deleted_at.is_null() & RunRow.state.in_(ACTIVE))

    def deleted(self) -> builtins.list[Run]:
        """Those in no list any more, oldest first."""
        return self.found(RunRow.deleted_at.is_null(False))

    def found(self, condition: Any) -> builtins.list[Run]:
        """For repositories: the runs that meet a peewee condition."""
        fields = [getattr(RunRow, column) for column in COLUMNS]
        return [self._run(row) for row in self._db.rows(RunRow.select(RunRow.id, *fields).where(condition).order_by(RunRow.id))]

    def _run(self, row: tuple[Any, ...]) -> Run:
        value = dict(zip(("id", *COLUMNS), row, strict=True))
        value["experiment_id"] = value.pop("experiment")
        value["parent_id"] = value.pop("parent")
        value["state"] = RunState(value["state"])
        value["folder"] = self._paths.to_path(value["folder"])
        value["start_weights"] = name_text(value["start_weights"])
        value["options"] = from_json(value["options"], {})
        value["classes"] = tuple(RunClass(*each) for each in from_json(value["classes"], []))
        value["tags"] = tuple(from_json(value["tags"], []))
        return Run(**value)

    def set_state(self, run_id: int, state: RunState, reason: str = "") -> None:
        """Also notes the time where the run ends; one that goes on again has no end."""
        self._update(RunRow, run_id, state=state.value, reason=clean(reason), ended_at=now() if state in ENDED else None)

    def set_started(self, run_id: int, started_at: float | None = None) -> None:
        """Running now. A resumed run keeps the time of its first start."""
        first = fn.COALESCE(RunRow.started_at, now() if started_at is None else started_at)
        self._update(RunRow, run_id, state=RunState.RUNNING.value, started_at=first, ended_at=None, reason="")

    def set_progress(self, run_id: int, done_steps: int, seconds: float) -> None:
        self._update(RunRow, run_id, done_steps=done_steps, seconds=seconds)

    def set_counts(self, run_id: int, train: int, valid: int) -> None:
        self._update(RunRow, run_id, images_train=train, images_valid=valid)

    def set_kept(self, run_id: int, kept: str) -> None:
        """What was taken over from the start weights; known only after they were read."""
        self._update(RunRow, run_id, kept=clean(kept))

    def set_best(self, run_id: int, best_map: float | None, step: int | None) -> None:
        self._update(RunRow, run_id, best_map=best_map, best_step=step)

    def select(self, run_id: int, step: int | None) -> None:
        self._update(RunRow, run_id, selected_step=step)

    def set_notes(self, run_id: int, notes: str) -> None:
        self._update(RunRow, run_id, notes=clean(notes))

    def set_tags(self, run_id: int, tags: Sequence[str]) -> None:
        self._update(RunRow, run_id, tags=to_json([clean(tag) for tag in tags]))

    def delete(self, run_id: int) -> None:
        self._update(RunRow, run_id, deleted_at=now())

    def restore(self, run_id: int) -> None:
        self._update(RunRow, run_id, deleted_at=None)

    def save_snapshot(self, run_id: int, images: Sequence[SnapshotImage]) -> None:
        """What the run is given; replaces an earlier one."""
        with self._db.transaction():
            self._db.run(Snapshot.delete().where(Snapshot.run == run_id))
            rows = [
                (run_id, image.image_id, image.sha256, image.part.value, to_json([_numbers(*box) for box in image.boxes]))
                for image in images
            ]
            self._db.insert_many(Snapshot, ("run_id", "image_id", "sha256", "part", "boxes"), rows)

    def snapshot(self, run_id: int) -> builtins.list[SnapshotImage]:
        query = Snapshot.select(Snapshot.image_id, Snapshot.sha256, Snapshot.part, Snapshot.boxes)
        return [
            SnapshotImage(image_id, sha256, Part(part), tuple((box[0], NormBox(*box[1:])) for box in from_json(boxes, [])))
            for image_id, sha256, part, boxes in self._db.rows(query.where(Snapshot.run == run_id).order_by(Snapshot.image_id))
        ]


def _numbers(index: int, box: NormBox) -> tuple[int, float, float, float, float]:
    return index, box.cx, box.cy, box.w, box.h
