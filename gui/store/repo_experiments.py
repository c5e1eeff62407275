"""Experiments. Their state follows from their newest run and is stored nowhere."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

from peewee import fn

from ..core.records import Experiment, ExperimentState, Run, RunState
from .codec import Paths, clean, from_json, to_json
from .database import Database
from .repo_base import Repo, now
from .repo_runs import RunRepo
from .tables import Experiment as ExperimentRow
from .tables import Run as RunRow


def state_of(last: Run | None) -> ExperimentState:
    if last is None:
        return ExperimentState.NOT_STARTED
    goes_on = last.state.is_active or last.state is RunState.PAUSED
    return ExperimentState.IN_PROGRESS if goes_on else ExperimentState.COMPLETED


class ExperimentRepo(Repo):
    noun = "experiment"

    def __init__(self, db: Database, paths: Paths, runs: RunRepo) -> None:
        super().__init__(db, paths)
        self._runs = runs

    def list(self, archived: bool = False) -> builtins.list[Experiment]:
        """Newest first: those in use, or the archived ones."""
        return self._found(ExperimentRow.deleted_at.is_null() & (ExperimentRow.archived == archived))

    def get(self, experiment_id: int) -> Experiment:
        """Also a deleted one."""
        found = self._found(ExperimentRow.id == experiment_id)
        if not found:
            raise self._missing()
        return found[0]

    def _found(self, condition: Any) -> builtins.list[Experiment]:
        row = ExperimentRow
        fields = (row.created_at, row.changed_at, row.dataset, row.group, row.step, row.setup, row.notes, row.archived)
        rows = self._db.rows(row.select(row.id, row.name, *fields).where(condition).order_by(row.id.desc()))
        newest = RunRow.select(fn.MAX(RunRow.id)).where(RunRow.deleted_at.is_null()).group_by(RunRow.experiment)
        last = {run.experiment_id: run for run in self._runs.found(RunRow.id.in_(newest))}
        return [self._experiment(values, last.get(values[0])) for values in rows]

    def _experiment(self, values: tuple[Any, ...], last: Run | None) -> Experiment:
        experiment_id, name, created_at, changed_at, dataset_id, group_id, step, setup, notes, archived = values
        return Experiment(
            *(experiment_id, name, created_at, changed_at, state_of(last), dataset_id, group_id, step),
            *(from_json(setup, {}), notes, bool(archived), last),
        )

    def create(self, name: str) -> Experiment:
        return self.get(self._create(name))

    def _create(self, name: str, **values: Any) -> int:
        start: dict[str, Any] = {"dataset": None, "group": None, "step": "dataset", "setup": "{}", "notes": ""}
        with self._db.transaction():
            return self._db.insert(
                ExperimentRow, name=clean(name), created_at=now(), changed_at=now(), archived=False, **(start | values)
            )

    def duplicate(self, experiment_id: int, name: str) -> Experiment:
        """Its choices and notes, without its runs."""
        old = self.get(experiment_id)
        setup, step = to_json(dict(old.setup)), old.step if old.step in ("dataset", "annotation", "setup") else "setup"
        choices = {"dataset": old.dataset_id, "group": old.group_id, "step": step, "setup": setup, "notes": old.notes}
        return self.get(self._create(name, **choices))

    def _change(self, experiment_id: int, **values: Any) -> None:
        self._update(ExperimentRow, experiment_id, changed_at=now(), **values)

    def rename(self, experiment_id: int, name: str) -> None:
        self._change(experiment_id, name=clean(name))

    def set_dataset(self, experiment_id: int, dataset_id: int | None, group_id: int | None) -> None:
        self._change(experiment_id, dataset=dataset_id, group=group_id)

    def set_setup(self, experiment_id: int, setup: Mapping[str, object]) -> None:
        self._change(experiment_id, setup=to_json(dict(setup)))

    def set_step(self, experiment_id: int, step: str) -> None:
        """Where the wizard stands; looking is no change, so changed_at stays."""
        self._update(ExperimentRow, experiment_id, step=step)

    def set_notes(self, experiment_id: int, notes: str) -> None:
        self._change(experiment_id, notes=clean(notes))

    def archive(self, experiment_id: int, archived: bool) -> None:
        self._update(ExperimentRow, experiment_id, archived=archived)

    def delete(self, experiment_id: int) -> None:
        self._update(ExperimentRow, experiment_id, deleted_at=now())

    def restore(self, experiment_id: int) -> None:
        self._update(ExperimentRow, experiment_id, deleted_at=None)
