"""Which model suggests boxes, what it finds, and what becomes of the suggestions: with a network whose finds are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from darknet_bridge import Detection, NormBox
from darknet_bridge.errors import CancelledError
from gui.core import annotate, experiments, suggest
from gui.core.box_geometry import Bounds, Rect
from gui.core.editing import EditSession
from gui.core.records import CheckpointFile, RunState
from gui.core.suggest import Model, Offer, Suggester, find_model
from gui.core.workspace import Workspace

from .suggest_case import LARGE, SMALL, trained, write_model

WIDTH, HEIGHT = 400, 300


@dataclass
class Case:
    """A group with the categories Crow and Gull, and the experiment that uses it."""

    workspace: Workspace
    dataset: int
    group: int
    experiment: int
    crow: int
    gull: int

    def train(self, *names: str, step: int = 100) -> int:
        ids = {"Crow": self.crow, "Gull": self.gull}
        return trained(self.workspace, self.experiment, [(ids.get(name), name) for name in names], step).id

    def model(self) -> Model:
        found = find_model(self.workspace, self.group)
        assert found is not None
        return found


@pytest.fixture
def case(workspace: Workspace, dataset: int) -> Case:
    group = annotate.create_group(workspace, dataset, "Annotations", [("Crow", ""), ("Gull", "")]).id
    crow, gull = (each.id for each in workspace.store.categories.list(group))
    experiment = experiments.create(workspace, "Bird finder").id
    workspace.store.experiments.set_dataset(experiment, dataset, group)
    return Case(workspace, dataset, group, experiment, crow, gull)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "bird.png"
    path.write_bytes(cv2.imencode(".png", np.full((HEIGHT, WIDTH, 3), 90, np.uint8))[1].tobytes())
    return path


# ---- the model


def test_the_newest_training_with_weights_is_offered_at_once(case: Case) -> None:
    assert find_model(case.workspace, case.group) is None
    case.train("Crow", "Gull")
    newer = case.train("Crow", "Gull", step=500)
    assert case.model().title == "Training 2 of “Bird finder”, step 500"
    weights = case.model().weights
    weights.unlink()
    assert case.model().title == "Training 1 of “Bird finder”, step 100"
    write_model(case.model().cfg, weights, 2)
    case.workspace.store.runs.set_state(newer, RunState.RUNNING)
    assert case.model().run_id == newer  # also while it is at work
    case.workspace.store.runs.delete(newer)
    assert case.model().step == 100


def test_of_a_training_the_best_checkpoint_is_used_unless_another_was_selected(case: Case) -> None:
    run, runs = case.train("Crow", "Gull", step=500), case.workspace.store.runs
    folder = case.model().weights.parent
    for step, kind in ((300, "best"), (200, "numbered")):
        write_model(case.model().cfg, folder / f"{kind}.weights", 2)
        runs.add_checkpoint(run, CheckpointFile(step, folder / f"{kind}.weights", kind))
    runs.set_best(run, 0.8, 300)
    assert case.model().weights.name == "best.weights"
    runs.select(run, 200)
    assert case.model().weights.name == "numbered.weights"


def test_classes_are_matched_by_category_whatever_it_is_called_and_wherever_it_stands_now(case: Case) -> None:
    case.train("Gull", "Crow", "Owl")
    annotate.rename_category(case.workspace, case.gull, "Crow of the sea")
    annotate.reorder_categories(case.workspace, case.group, [case.gull, case.crow])
    assert case.model().categories == {0: case.gull, 1: case.crow}
    owl = annotate.add_category(case.workspace, case.group, "owl").id
    assert case.model().categories == {0: case.gull, 1: case.crow, 2: owl}


def test_a_training_on_another_group_of_the_dataset_helps_where_this_one_has_none(case: Case) -> None:
    other = annotate.create_group(case.workspace, case.dataset, "Second", [("gull", ""), ("Heron", "")]).id
    gull = next(each.id for each in case.workspace.store.categories.list(other) if each.name == "gull")
    case.train("Crow", "Gull")
    found = find_model(case.workspace, other)
    assert found is not None and found.categories == {1: gull}
    elsewhere = case.workspace.store.datasets.create(
        "Cats", case.workspace.store.datasets.get(case.dataset).storage, Path("/c")
    ).id
    third = annotate.create_group(case.workspace, elsewhere, "Third", [("Gull", "")]).id
    assert find_model(case.workspace, third) is None
    own = trained(case.workspace, case.experiment, [(gull, "gull")], 50).id
    case.train("Crow", "Gull", step=900)
    found = find_model(case.workspace, other)
    assert found is not None and found.run_id == own  # its own, though another is newer


# ---- finding


def test_the_network_finds_what_its_weights_say_and_is_kept_between_images(case: Case, picture: Path) -> None:
    case.train("Gull", "Crow")
    model, suggester = case.model(), Suggester()
    found = suggester.find(model, picture)
    assert [each.score for each in found] == pytest.approx([LARGE[3], LARGE[3], SMALL[3], SMALL[3]], abs=1e-3)
    assert sorted(round(each.box.cx, 3) for each in found) == [0.25, 0.25, 0.75, 0.75]
    model.weights.unlink()
    assert len(suggester.find(model, picture)) == 4
    suggester.close()
    with pytest.raises(CancelledError):
        suggester.find(model, picture)


def test_a_checkpoint_written_again_is_read_again(case: Case, picture: Path) -> None:
    run = case.train("Gull", "Crow")
    suggester, before = Suggester(), case.model()
    suggester.find(before, picture)
    write_model(before.cfg, before.weights, 2, [(0.25, 0.5, 1, 0.7)])
    assert case.model().run_id == run and case.model().stamp != before.stamp
    assert [(each.class_id, round(each.score, 2)) for each in suggester.find(case.model(), picture)] == [(1, 0.7)] * 2
    suggester.close()


# ---- deciding


def offer(case: Case, *found: tuple[int, float, tuple[float, float, float, float]]) -> Offer:
    """found: class number (0 is Crow, 1 Gull), score, edges in pixels."""
    model = Model(1, 1, Path("cfg"), Path("weights"), 0, {0: case.crow, 1: case.gull}, "")
    bounds = Bounds(WIDTH, HEIGHT)
    boxes = [
        Detection(index, "", score, NormBox.from_corners(left / WIDTH, top / HEIGHT, right / WIDTH, bottom / HEIGHT))
        for index, score, (left, top, right, bottom) in found
    ]
    return Offer.of(model, boxes, bounds)


def scores(made: Offer, session: EditSession, threshold: float = 0.25) -> list[float]:
    return [each.score for each in made.visible(session, lambda category_id: category_id, threshold)]


def test_what_is_marked_already_is_not_suggested(case: Case) -> None:
    session = EditSession(WIDTH, HEIGHT)
    session.draw(100, 100, 200, 200, case.crow)
    # Overlap with the drawn box: 71 of 100, 69 of 100, all of it but another category, nothing.
    made = offer(
        case,
        (0, 0.9, (100, 100, 200, 171)),
        (0, 0.8, (100, 100, 200, 169)),
        (1, 0.7, (100, 100, 200, 200)),
        (0, 0.6, (250, 100, 350, 200)),
    )
    assert scores(made, session) == [0.8, 0.7, 0.6]
    session.undo()
    assert scores(made, session) == [0.9, 0.8, 0.7, 0.6]


def test_the_threshold_decides_at_once_and_never_below_the_least(case: Case) -> None:
    made, session = offer(case, (0, 0.9, (0, 0, 50, 50)), (1, 0.3, (90, 90, 120, 120))), EditSession(WIDTH, HEIGHT)
    assert [scores(made, session, least) for least in (0.05, 0.31, 0.95)] == [[0.9, 0.3], [0.9], []]


def test_boxes_are_cut_at_the_edge_and_unknown_classes_left_out(case: Case) -> None:
    made = offer(case, (0, 0.9, (-50, 250, 60, 400)), (7, 0.8, (0, 0, 50, 50)), (0, 0.7, (-90, -90, -10, -10)))
    assert [each.rect for each in made.suggestions] == [Rect(pytest.approx(0), pytest.approx(250), pytest.approx(60), HEIGHT)]


def test_accepting_all_is_one_step_of_undo_and_leaves_own_boxes_alone(case: Case) -> None:
    session = EditSession(WIDTH, HEIGHT)
    own = session.draw(10, 10, 40, 40, case.gull)
    made = offer(case, (0, 0.9, (100, 100, 200, 200)), (1, 0.8, (250, 100, 350, 200)))
    shown = made.visible(session, lambda category_id: category_id, 0.25)
    made.accept(session, shown)
    assert session.boxes[0] == own and [box.category_id for box in session.boxes] == [case.gull, case.crow, case.gull]
    assert scores(made, session) == [] and not session.selection
    session.select([session.boxes[1].key])
    session.nudge(90, 0)  # moved away from where it was suggested: it is not suggested again
    assert scores(made, session) == []
    session.undo()
    session.undo()
    made.undone(session)
    assert session.boxes == (own,) and scores(made, session) == [0.9, 0.8]
    session.redo()
    made.undone(session)
    assert len(session.boxes) == 3 and scores(made, session) == []


def test_rejected_hidden_and_deleted_ones_are_not_shown_and_the_mark_goes_on(case: Case) -> None:
    session = EditSession(WIDTH, HEIGHT)
    made = offer(case, *((index, score, (x, 0, x + 40, 40)) for index, score, x in ((0, 0.9, 0), (1, 0.8, 50), (0, 0.7, 100))))

    def marked(by: int = 0) -> int | None:
        made.mark(made.visible(session, lambda category_id: category_id, 0.25), by)
        return made.marked

    assert [marked(), marked(1), marked(1), marked(1), marked(-1), marked(-1)] == [0, 1, 2, 0, 2, 1]
    made.reject([1])
    assert marked() == 2 and scores(made, session) == [0.9, 0.7]
    assert made.visible(session, {case.gull: case.gull}.get, 0.25) == []
    assert {each.category_id for each in made.visible(session, lambda _id: case.gull, 0.25)} == {case.gull}
    session.hidden_categories = frozenset({case.crow})
    assert scores(made, session) == [] and marked() is None


# ---- what is remembered


def test_the_threshold_is_remembered_for_each_group(case: Case) -> None:
    assert suggest.threshold_of(case.workspace, case.group) == 0.25
    suggest.remember_threshold(case.workspace, case.group, 0.6)
    assert suggest.threshold_of(case.workspace, case.group) == 0.6
    assert suggest.threshold_of(case.workspace, case.group + 1) == 0.25
    case.workspace.settings.set(f"suggest:{case.group}", 7)
    assert suggest.threshold_of(case.workspace, case.group) == 0.95
