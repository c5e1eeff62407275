"""The step Annotation: groups, the dialog for a new one, the summary and its warnings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from darknet_bridge import NormBox
from gui.core.records import Box

from .drive import button, texts, type_text
from .editor_bench import make_library


@pytest.fixture
def shown(open_app: Callable[..., Any], turn: Callable[..., None], tmp_path: Path) -> Any:
    """(app, experiment, group, images) with the step on the screen."""
    experiment_id, group_id, ids = make_library(tmp_path)
    app = open_app(tmp_path / "library")
    app.router.show("annotation", experiment_id=experiment_id)
    turn(lambda: app.router.current.loaded is not None)
    return app, experiment_id, group_id, ids


def boxes(count: int) -> list[Box]:
    return [Box(1, NormBox(0.5, 0.5, 0.2, 0.2))] * count


def test_summary_follows_submissions_and_warns_below_25(shown: Any, turn: Callable[..., None]) -> None:
    app, _experiment, group_id, ids = shown
    screen, store = app.router.current, app.workspace.store
    assert "Submit at least one image" in (screen.next_reason() or "")

    def submit(image_id: int, count: int) -> None:
        app.tasks.run_store(lambda: store.annotations.submit_many(group_id, {image_id: boxes(count)}))
        app.workspace.changes.publish(f"annotations:{group_id}")

    submit(ids[0], 24)
    turn(lambda: "1 / 8" in texts(screen))
    assert {"7 / 8", "24"} <= set(texts(screen)) and "24 of 25 in 1 image" in texts(screen)
    assert screen.next_reason() is None
    submit(ids[1], 1)
    turn(lambda: "25 in 2 images" in texts(screen))
    submit(ids[2], 0)
    turn(lambda: "3 / 8" in texts(screen))


def test_a_new_group_needs_a_category_and_opens_the_editor(shown: Any, turn: Callable[..., None]) -> None:
    app, experiment_id, group_id, _ids = shown
    screen = app.router.current
    screen.new_button.invoke()
    turn(lambda: "Create initial categories" in texts(app.root))
    start = button(app.root, "Start Annotating")
    assert start.instate(["disabled"])
    assert any("at least one category" in text for text in texts(app.root))
    field = app.root.focus_get()
    type_text(field, "Big crow")
    field.event_generate("<Return>")
    turn()
    assert start.instate(["!disabled"])
    for name in ("big crow", "  ", "a,b"):
        field.delete(0, "end")
        field.insert(0, name)
        field.event_generate("<Return>")
        turn()
        assert app.router.current is screen
    field.delete(0, "end")
    type_text(field, "Gull")
    field.event_generate("<Return>")
    start.invoke()
    turn(lambda: app.router.current_id == "editor" and app.router.current.session is not None)
    assert [category.name for category in app.router.current.visit.categories] == ["Big crow", "Gull"]
    assert app.router.current.group_id != group_id
    experiment = app.tasks.run_store(lambda: app.workspace.store.experiments.get(experiment_id))
    assert experiment.group_id == app.router.current.group_id


def test_groups_do_not_share_boxes_and_can_be_chosen(shown: Any, turn: Callable[..., None]) -> None:
    from gui.core import annotate

    app, _experiment, group_id, ids = shown
    screen, workspace = app.router.current, app.workspace
    dataset_id = screen.dataset_id
    other = app.tasks.run_store(lambda: annotate.create_group(workspace, dataset_id, "Second", [("Owl", "")]))
    app.tasks.run_store(lambda: workspace.store.annotations.submit_many(group_id, {ids[0]: boxes(3)}))
    workspace.changes.publish("groups")
    turn(lambda: "Second" in texts(screen))
    assert any(text.startswith("0 of 8 files") for text in texts(screen))
    screen.choose_group(other.id)
    turn(lambda: screen.loaded.experiment.group_id == other.id)
    assert "0 / 8" in texts(screen)
    screen.edit_button.invoke()
    turn(lambda: app.router.current_id == "editor" and app.router.current.session is not None)
    assert app.router.current.session.boxes == ()
    assert app.tasks.run_store(lambda: workspace.store.annotations.get(other.id, ids[0])).revision == 0


def test_a_deleted_group_comes_back(shown: Any, turn: Callable[..., None]) -> None:
    app, _experiment, _group_id, _ids = shown
    screen = app.router.current
    screen._ask_delete(screen.loaded.groups[0])
    turn(lambda: "Delete this group?" in texts(app.root))
    button(app.root, "Delete").invoke()
    turn(lambda: not screen.loaded.groups)
    assert screen.edit_button.instate(["disabled"]) and "Create an annotation group" in (screen.next_reason() or "")
    app.undo()
    turn(lambda: screen.loaded.groups)


def test_a_dataset_is_needed_first(open_app: Callable[..., Any], turn: Callable[..., None], tmp_path: Path) -> None:
    from gui.core import experiments

    app = open_app(tmp_path / "library")
    made = app.tasks.run_store(lambda: experiments.create(app.workspace, "Empty"))
    app.router.show("annotation", experiment_id=made.id)
    turn(lambda: app.router.current.loaded is not None)
    assert "Choose a dataset" in (app.router.current.next_reason() or "")
    assert app.router.current.new_button.instate(["disabled"])


def test_labels_become_a_group(shown: Any, turn: Callable[..., None], tmp_path: Path) -> None:
    app, _experiment, _group_id, _ids = shown
    labels = tmp_path / "labels"
    labels.mkdir()
    (labels / "bird_00.txt").write_text("0 0.5 0.5 0.2 0.2\n1 0.2 0.2 0.1 0.1\n", "utf-8")
    (labels / "obj.names").write_text("heron\nstork\n", "utf-8")
    screen = app.router.current
    screen.imports.read(screen.dataset_id, labels)
    turn(lambda: "Import labels" in texts(app.root), "the mapping is shown")
    button(app.root, "Import").invoke()
    turn(lambda: len(screen.loaded.groups) == 2 and len(screen.loaded.categories) == 2)
    assert [category.name for category in screen.loaded.categories] == ["heron", "stork"]
    assert screen.loaded.summary.submitted == 1 and screen.loaded.summary.boxes == 2
