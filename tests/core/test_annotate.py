"""Annotation groups, categories, Submit, Reset and drafts as the guide has them (R21-R41)."""

from __future__ import annotations

import pytest

from darknet_bridge import NormBox
from gui.core import annotate, limits
from gui.core.errors import ConflictError, UserError
from gui.core.records import AnnotationGroup, Box, ImageEntry, ImageState
from gui.core.workspace import Workspace

from .conftest import Heard


@pytest.fixture
def group(workspace: Workspace, dataset: int) -> AnnotationGroup:
    return annotate.create_group(workspace, dataset, "First", [("Crow", ""), ("Gull", "#00ff00")])


def category_names(workspace: Workspace, group: AnnotationGroup) -> list[str]:
    return [each.name for each in workspace.store.categories.list(group.id)]


def images(workspace: Workspace, group: AnnotationGroup) -> list[int]:
    return [entry.image_id for entry in workspace.store.annotations.entries(group.id)]


def draw(category_id: int, count: int = 1) -> list[Box]:
    return [Box(category_id, NormBox(0.1 + number / 100, 0.5, 0.1, 0.1)) for number in range(count)]


def test_groups(workspace: Workspace, dataset: int, heard: Heard) -> None:
    assert annotate.suggested_group_name(workspace, dataset) == "Annotations"
    with pytest.raises(UserError, match="at least one category"):
        annotate.create_group(workspace, dataset, "First", [])
    with pytest.raises(UserError, match="already a category “Crow”"):
        annotate.create_group(workspace, dataset, "First", [("Crow", ""), ("crow ", "")])
    assert workspace.store.groups.list(dataset) == []
    made = annotate.create_group(workspace, dataset, "First", [("Crow", ""), ("Gull", "")])
    assert heard.take() == {"groups", "datasets", f"dataset:{dataset}"}
    assert made.categories == 2
    assert [each.colour for each in workspace.store.categories.list(made.id)] == list(annotate.COLOURS[:2])
    with pytest.raises(UserError, match="already an annotation group"):
        annotate.create_group(workspace, dataset, "first", [("Crow", "")])
    annotate.rename_group(workspace, made.id, "Better")
    assert "“Better” with 0 boxes on 0 submitted images" in annotate.delete_group_question(workspace, made.id)
    annotate.delete_group(workspace, made.id)
    assert workspace.store.groups.list(dataset) == []
    assert (workspace.undo.undo(), workspace.undo.undo()) == ("Delete “Better”", "Rename “First”")
    assert [each.name for each in workspace.store.groups.list(dataset)] == ["First"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("", "a name"), ("  ", "a name"), ("CROW", "already a category “Crow”"), ("a,b", "a comma"), ("a\nb", "single line")],
)
def test_category_names_that_are_refused(workspace: Workspace, group: AnnotationGroup, name: str, said: str) -> None:
    gull = workspace.store.categories.list(group.id)[1].id
    with pytest.raises(UserError, match=said):
        annotate.add_category(workspace, group.id, name)
    with pytest.raises(UserError, match=said):
        annotate.rename_category(workspace, gull, name)
    assert category_names(workspace, group) == ["Crow", "Gull"]


def test_a_category_added_later_gets_the_next_number(workspace: Workspace, group: AnnotationGroup, heard: Heard) -> None:
    heard.take()
    before = annotate.class_mapping(workspace, group.id)
    made = annotate.add_category(workspace, group.id, "Tern")
    assert heard.take() == {f"categories:{group.id}", f"group:{group.id}"}
    after = annotate.class_mapping(workspace, group.id)
    assert after[:2] == before
    assert (after[2].index, after[2].category_id, after[2].name) == (2, made.id, "Tern")
    assert made.colour not in {each.colour for each in workspace.store.categories.list(group.id)[:2]}


def test_more_categories_than_recommended_are_asked_about(workspace: Workspace, group: AnnotationGroup) -> None:
    for number in range(48):
        assert annotate.category_limit_question(workspace, group.id) == ""
        annotate.add_category(workspace, group.id, f"Bird {number}")
    question = annotate.category_limit_question(workspace, group.id)
    assert "51 categories; up to 50 are recommended" in question
    annotate.add_category(workspace, group.id, "Bird 51")
    colours = [each.colour for each in workspace.store.categories.list(group.id)]
    assert len(set(colours)) == 51
    limits.save(workspace, limits.Limits(categories=60))
    assert annotate.category_limit_question(workspace, group.id) == ""


def test_renaming_recolouring_and_sorting_can_be_undone(workspace: Workspace, group: AnnotationGroup) -> None:
    crow, gull = workspace.store.categories.list(group.id)
    annotate.rename_category(workspace, crow.id, "Rook")
    annotate.recolour_category(workspace, crow.id, "#111111")
    annotate.reorder_categories(workspace, group.id, [gull.id, crow.id])
    assert category_names(workspace, group) == ["Gull", "Rook"]
    assert annotate.class_mapping(workspace, group.id)[0].category_id == gull.id
    assert [workspace.undo.undo() for _ in range(3)][-1] == "Rename the category “Crow”"
    assert workspace.store.categories.list(group.id) == [crow, gull]


def test_deleting_a_category(workspace: Workspace, group: AnnotationGroup, heard: Heard) -> None:
    crow, gull = (each.id for each in workspace.store.categories.list(group.id))
    first, second, third = images(workspace, group)
    annotate.submit(workspace, group.id, first, draw(crow, 30) + draw(gull, 2), 0)
    annotate.submit(workspace, group.id, second, draw(crow, 7), 0)
    annotate.save_draft(workspace, group.id, third, draw(crow, 1))
    question = annotate.delete_category_question(workspace, crow)
    assert "“Crow” deletes 37 boxes in 2 images and 1 box not submitted yet" in question
    before = workspace.store.annotations.submitted(group.id)
    heard.take()
    annotate.delete_category(workspace, crow)
    assert heard.take() == {f"categories:{group.id}", f"annotations:{group.id}", f"group:{group.id}"}
    assert workspace.backups.list()[0].reason == "before-delete"
    summary = workspace.store.groups.summary(group.id)
    assert (summary.boxes, summary.submitted, summary.negatives) == (2, 2, 1)
    assert [(each.index, each.name) for each in annotate.class_mapping(workspace, group.id)] == [(0, "Gull")]
    assert workspace.undo.undo() == "Delete the category “Crow”"
    assert workspace.store.annotations.submitted(group.id) == before
    workspace.undo.redo()
    assert workspace.store.groups.summary(group.id).boxes == 2
    workspace.undo.undo()
    annotate.delete_category(workspace, crow, move_to=gull)
    assert workspace.store.groups.summary(group.id).boxes_by_category == {gull: (39, 2)}
    workspace.undo.undo()
    assert workspace.store.annotations.submitted(group.id) == before


def test_submit_then_reset_brings_exactly_the_submitted_boxes(workspace: Workspace, group: AnnotationGroup) -> None:
    crow = workspace.store.categories.list(group.id)[0].id
    first, second, _ = images(workspace, group)
    two = draw(crow, 2)
    done = annotate.submit(workspace, group.id, first, two, 0)
    annotate.save_draft(workspace, group.id, first, [Box(crow, NormBox(0.9, 0.9, 0.1, 0.1)), *draw(crow, 2)])
    assert annotate.reset(workspace, group.id, first) == done
    assert annotate.reset(workspace, group.id, first).current == tuple(two)
    annotate.save_draft(workspace, group.id, second, two)
    assert annotate.reset(workspace, group.id, second).state is ImageState.NEW
    again = annotate.submit(workspace, group.id, first, two, 1)
    assert again.revision == 2
    with pytest.raises(ConflictError):
        annotate.submit(workspace, group.id, first, two, 1)


def test_a_draft_survives_the_window(workspace: Workspace, group: AnnotationGroup) -> None:
    crow = workspace.store.categories.list(group.id)[0].id
    first = images(workspace, group)[0]
    annotate.save_draft(workspace, group.id, first, draw(crow))
    folder = workspace.folder
    workspace.close()
    again = Workspace.open(folder)
    assert again.store.annotations.get(group.id, first).draft == tuple(draw(crow))
    assert again.store.annotations.submitted(group.id) == {}
    again.close()


def test_the_file_list(workspace: Workspace, group: AnnotationGroup) -> None:
    crow = workspace.store.categories.list(group.id)[0].id
    first, second, third = images(workspace, group)

    def entries() -> list[ImageEntry]:
        return workspace.store.annotations.entries(group.id)

    assert annotate.files_header(entries()) == "Files (0/3 submitted)"
    assert annotate.left_out(entries()) == "3 images left out, because not submitted."
    annotate.submit(workspace, group.id, first, draw(crow), 0)
    annotate.submit(workspace, group.id, second, [], 0)
    assert annotate.files_header(entries()) == "Files (2/3 submitted)"
    assert [annotate.next_unsubmitted(entries(), after) for after in (None, first, third)] == [third, third, third]
    annotate.save_draft(workspace, group.id, first, [])
    assert annotate.files_header(entries()) == "Files (2/3 submitted)"
    assert annotate.next_unsubmitted(entries(), third) == first
    assert annotate.left_out(entries()) == (
        "1 image left out, because not submitted; 1 image used without the changes since the last Submit."
    )
    annotate.submit(workspace, group.id, third, [], 0)
    annotate.reset(workspace, group.id, first)
    assert annotate.next_unsubmitted(entries(), first) is None
    assert annotate.left_out(entries()) == ""


def test_the_view_is_remembered(workspace: Workspace, group: AnnotationGroup) -> None:
    assert annotate.last_view(workspace, group.id) == {}
    annotate.remember_view(workspace, group.id, {"image": 3, "zoom": 1.5})
    assert annotate.last_view(workspace, group.id) == {"image": 3, "zoom": 1.5}
    second = Workspace.open(workspace.folder)
    annotate.remember_view(second, group.id, {"image": 4})
    with pytest.raises(UserError, match="another window"):
        annotate.add_category(second, group.id, "Tern")
    second.close()
    assert annotate.last_view(workspace, group.id)["image"] == 3
