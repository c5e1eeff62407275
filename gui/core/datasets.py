"""Datasets as the user handles them: names, renaming, deleting with undo, choosing one for an experiment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from darknet_bridge.errors import shown

from . import names
from .errors import UserError
from .records import Dataset
from .scan import PICTURE_SUFFIXES
from .wording import counted
from .workspace import Workspace

KIND = "dataset"
_ROOM_FOR_NUMBER = 6


def checked_name(workspace: Workspace, name: str, but: int | None = None) -> str:
    """As it is stored. Raises UserError with what is wrong. On the store's thread, like everything below but name_problem."""
    return names.checked(name, KIND, [other.name for other in workspace.store.datasets.list() if other.id != but])


def name_problem(name: str, taken: Iterable[str]) -> str | None:
    """The sentence that says what is wrong with a dataset's name, or None."""
    try:
        names.checked(name, KIND, taken)
    except UserError as error:
        return str(error)
    return None


def suggested_name(sources: Sequence[Path], taken: Iterable[str]) -> str:
    """After the first folder, zip or video; numbered where the name is taken."""
    first = sources[0].absolute()
    base = first.name
    if first.is_file():
        base = first.stem if len(sources) == 1 and first.suffix.lower() not in PICTURE_SUFFIXES else first.parent.name
    plain = shown(base).strip()[: names.MAX_LENGTH - _ROOM_FOR_NUMBER].strip()
    return names.free(plain if plain.strip(".") else "Dataset", taken)


def rename_dataset(workspace: Workspace, dataset_id: int, name: str) -> None:
    """Raises UserError for a name that can't be. Can be undone."""
    workspace.require_writing()
    before, new = workspace.store.datasets.get(dataset_id).name, checked_name(workspace, name, dataset_id)
    _rename(workspace, dataset_id, new)
    workspace.undo.push(
        f"Rename the dataset “{before}”",
        lambda: _rename(workspace, dataset_id, before),
        lambda: _rename(workspace, dataset_id, new),
    )


def delete_dataset(workspace: Workspace, dataset_id: int) -> Dataset:
    """Out of the list; images, annotation groups and runs stay in the library, so that it can be undone. Returns what it was."""
    workspace.require_writing()
    dataset = workspace.store.datasets.get(dataset_id)
    _delete(workspace, dataset_id)
    workspace.undo.push(
        f"Delete the dataset “{dataset.name}”",
        lambda: restore_dataset(workspace, dataset_id),
        lambda: _delete(workspace, dataset_id),
    )
    return dataset


def restore_dataset(workspace: Workspace, dataset_id: int) -> None:
    workspace.store.datasets.restore(dataset_id)
    workspace.changes.publish("datasets", f"dataset:{dataset_id}")


def choose_dataset(workspace: Workspace, experiment_id: int, dataset_id: int | None) -> None:
    """For an experiment. The annotation group of the dataset it had goes; the only one of the new dataset comes by itself."""
    workspace.require_writing()
    experiment = workspace.store.experiments.get(experiment_id)
    if experiment.dataset_id != dataset_id:
        groups = [] if dataset_id is None else workspace.store.groups.list(dataset_id)
        only = groups[0].id if len(groups) == 1 else None
        workspace.store.experiments.set_dataset(experiment_id, dataset_id, only)
        workspace.changes.publish("experiments")


def choose_first_group(workspace: Workspace, experiment_id: int, group_id: int) -> None:
    """For an experiment on the dataset of the group that has none chosen yet; otherwise nothing changes."""
    experiment, group = workspace.store.experiments.get(experiment_id), workspace.store.groups.get(group_id)
    if experiment.group_id is None and experiment.dataset_id == group.dataset_id:
        workspace.store.experiments.set_dataset(experiment_id, group.dataset_id, group_id)
        workspace.changes.publish("experiments")


def remove_images(workspace: Workspace, dataset_id: int, ids: Sequence[int]) -> None:
    """Out of the dataset, with what is drawn on them; the files stay where they are. Can be undone."""
    workspace.require_writing()
    datasets, wanted = workspace.store.datasets, list(ids)

    def publish() -> None:
        groups = [f"annotations:{group.id}" for group in workspace.store.groups.list(dataset_id)]
        workspace.changes.publish("datasets", f"dataset:{dataset_id}", *groups)

    def remove() -> None:
        datasets.remove_images(wanted)
        publish()

    def restore() -> None:
        datasets.restore_images(wanted)
        publish()

    remove()
    workspace.undo.push(f"Remove {counted(len(wanted), 'image')}", restore, remove)


def _rename(workspace: Workspace, dataset_id: int, name: str) -> None:
    workspace.store.datasets.rename(dataset_id, name)
    workspace.changes.publish("datasets", f"dataset:{dataset_id}")


def _delete(workspace: Workspace, dataset_id: int) -> None:
    workspace.store.datasets.delete(dataset_id)
    workspace.changes.publish("datasets", f"dataset:{dataset_id}")
