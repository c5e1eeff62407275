"""Which annotation group an experiment has after its dataset was chosen or labels were imported."""

from __future__ import annotations

import pytest

from gui.core import annotate, experiments
from gui.core.datasets import choose_dataset, choose_first_group
from gui.core.workspace import Workspace


@pytest.mark.parametrize("groups", [0, 1, 2])
def test_the_only_group_of_a_dataset_is_chosen_with_it(workspace: Workspace, dataset: int, groups: int) -> None:
    made = [annotate.create_group(workspace, dataset, f"Group {n}", [("bird", "#ff0000")]) for n in range(groups)]
    experiment = experiments.create(workspace, "Birds")
    choose_dataset(workspace, experiment.id, dataset)
    chosen = workspace.store.experiments.get(experiment.id).group_id
    assert chosen == (made[0].id if groups == 1 else None)


def test_imported_labels_are_chosen_where_none_were(workspace: Workspace, dataset: int) -> None:
    experiment = experiments.create(workspace, "Birds")
    choose_dataset(workspace, experiment.id, dataset)
    first, second = (annotate.create_group(workspace, dataset, name, [("bird", "#ff0000")]) for name in ("One", "Two"))
    choose_first_group(workspace, experiment.id, first.id)
    choose_first_group(workspace, experiment.id, second.id)
    assert workspace.store.experiments.get(experiment.id).group_id == first.id
    elsewhere = experiments.create(workspace, "Elsewhere")
    choose_first_group(workspace, elsewhere.id, first.id)
    assert workspace.store.experiments.get(elsewhere.id).group_id is None
