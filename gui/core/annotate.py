"""Annotation groups and their categories, and what Submit, Reset and drafts mean.

The functions that change something run on the store's thread and publish. Deleted groups, deleted, renamed and sorted categories
are on the window's undo stack; boxes are the editor's own.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from . import limits, names
from .errors import UserError
from .records import AnnotationGroup, Box, Category, ImageAnnotations, ImageEntry, ImageState, RunClass
from .wording import counted

if TYPE_CHECKING:
    from .workspace import Workspace

GROUP = "annotation group"
CATEGORY = "category"
# Categories are lines of a text file and columns of a table.
FORBIDDEN = ","
# After Okabe and Ito: told apart also by those who see colours differently; then companions of them, then hues between.
COLOURS = (
    *("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#9467bd"),
    *("#8c564b", "#17becf", "#b2df8a", "#fb9a99", "#6a3d9a", "#ffbf69", "#1b7837", "#bdbdbd"),
)
GOLDEN = 0.618034


# ---- groups


def suggested_group_name(workspace: Workspace, dataset_id: int) -> str:
    return names.free("Annotations", [each.name for each in workspace.store.groups.list(dataset_id)])


def create_group(workspace: Workspace, dataset_id: int, name: str, categories: Sequence[tuple[str, str]]) -> AnnotationGroup:
    """categories: (name, colour "#rrggbb", or "" for the next one), at least one. Nothing is made where a name is refused."""
    workspace.require_writing()
    plain = names.checked(name, GROUP, [each.name for each in workspace.store.groups.list(dataset_id)])
    if not categories:
        raise UserError("Name at least one category: the kind of thing that you will mark on the images.")
    checked: list[tuple[str, str]] = []
    for each, colour in categories:
        known = [some for some, _ in checked]
        checked.append((names.checked(each, CATEGORY, known, FORBIDDEN), colour or next_colour([some for _, some in checked])))
    group = workspace.store.groups.create(dataset_id, plain, checked)
    workspace.changes.publish("groups", "datasets", f"dataset:{dataset_id}")
    return group


def rename_group(workspace: Workspace, group_id: int, name: str) -> None:
    workspace.require_writing()
    group = workspace.store.groups.get(group_id)
    others = [each.name for each in workspace.store.groups.list(group.dataset_id) if each.id != group_id]
    new = names.checked(name, GROUP, others)
    rename = workspace.store.groups.rename
    _do(
        *(workspace, f"Rename “{group.name}”", ("groups", f"group:{group_id}")),
        lambda: rename(group_id, new),
        lambda: rename(group_id, group.name),
    )


def delete_group_question(workspace: Workspace, group_id: int) -> str:
    group = workspace.store.groups.get(group_id)
    boxes, images = counted(group.boxes, "box", "boxes"), counted(group.submitted, "submitted image")
    return f"Delete the annotation group “{group.name}” with {boxes} on {images}? The images themselves stay."


def delete_group(workspace: Workspace, group_id: int) -> None:
    workspace.require_writing()
    group = workspace.store.groups.get(group_id)
    _do(
        *(workspace, f"Delete “{group.name}”", ("groups", f"group:{group_id}", "datasets", f"dataset:{group.dataset_id}")),
        lambda: workspace.store.groups.delete(group_id),
        lambda: workspace.store.groups.restore(group_id),
    )


def _do(workspace: Workspace, label: str, topics: Sequence[str], do: Callable[[], object], undo: Callable[[], object]) -> None:
    def told(act: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            act()
            workspace.changes.publish(*topics)

        return run

    do()
    workspace.undo.push(label, told(undo), told(do))
    workspace.changes.publish(*topics)


# ---- categories


def next_colour(used: Sequence[str]) -> str:
    """The first colour of the list that is free; later ones go round the colour wheel and are new each time."""
    taken = {colour.lower() for colour in used}
    for colour in COLOURS:
        if colour not in taken:
            return colour
    red, green, blue = colorsys.hsv_to_rgb((len(taken) * GOLDEN) % 1.0, 0.65, 0.95)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def category_limit_question(workspace: Workspace, group_id: int, adding: int = 1) -> str:
    """What to ask before more categories than recommended; "" below the limit."""
    limit = limits.read(workspace).categories
    after = len(workspace.store.categories.list(group_id)) + adding
    if after <= limit:
        return ""
    return (
        f"This makes {after} categories; up to {limit} are recommended. More categories need more images and more training "
        "steps, and only the first 39 have a key of their own. Add it all the same?"
    )


def add_category(workspace: Workspace, group_id: int, name: str, colour: str = "") -> Category:
    """At the end of the list, so that the places of the others stay. colour: the next free one where none is given."""
    workspace.require_writing()
    present = workspace.store.categories.list(group_id)
    plain = names.checked(name, CATEGORY, [each.name for each in present], FORBIDDEN)
    made = workspace.store.categories.add(group_id, plain, colour or next_colour([each.colour for each in present]))
    workspace.changes.publish(f"categories:{group_id}", f"group:{group_id}")
    return made


def rename_category(workspace: Workspace, category_id: int, name: str) -> None:
    """Finished runs keep the name they were trained with."""
    workspace.require_writing()
    categories = workspace.store.categories
    old = categories.get(category_id)
    others = [each.name for each in categories.list(old.group_id) if each.id != category_id]
    new = names.checked(name, CATEGORY, others, FORBIDDEN)
    if new != old.name:
        _do(
            *(workspace, f"Rename the category “{old.name}”", (f"categories:{old.group_id}",)),
            lambda: categories.rename(category_id, new),
            lambda: categories.rename(category_id, old.name),
        )


def recolour_category(workspace: Workspace, category_id: int, colour: str) -> None:
    workspace.require_writing()
    categories = workspace.store.categories
    old = categories.get(category_id)
    _do(
        *(workspace, f"Colour the category “{old.name}”", (f"categories:{old.group_id}",)),
        lambda: categories.recolour(category_id, colour),
        lambda: categories.recolour(category_id, old.colour),
    )


def reorder_categories(workspace: Workspace, group_id: int, ids: Sequence[int]) -> None:
    """ids: all of the group's categories. The order gives the digit keys and the numbers in exports; boxes are not touched."""
    workspace.require_writing()
    categories = workspace.store.categories
    old = [each.id for each in categories.list(group_id)]
    new = list(ids)
    _do(
        *(workspace, "Sort the categories", (f"categories:{group_id}",)),
        lambda: categories.reorder(group_id, new),
        lambda: categories.reorder(group_id, old),
    )


def delete_category_question(workspace: Workspace, category_id: int) -> str:
    """Says what goes with it, drafts too."""
    name = workspace.store.categories.get(category_id).name
    boxes, images = workspace.store.categories.counts(category_id)
    drafts, _ = workspace.store.categories.draft_counts(category_id)
    said = f"deletes {counted(boxes, 'box', 'boxes')} in {counted(images, 'image')}"
    if drafts:
        said += f" and {counted(drafts, 'box', 'boxes')} not submitted yet"
    return f"Deleting the category “{name}” {said}. You can undo it, or move the boxes to another category instead."


def delete_category(workspace: Workspace, category_id: int, move_to: int | None = None) -> None:
    """With its boxes, or after giving them to another category. The images stay submitted. A backup is made before.

    One step of undo, which brings everything back.
    """
    workspace.require_writing()
    categories = workspace.store.categories
    category = categories.get(category_id)
    workspace.backups.make("before-delete")
    tokens = [categories.delete(category_id, move_to)]
    topics = (f"categories:{category.group_id}", f"annotations:{category.group_id}", f"group:{category.group_id}")

    def undo() -> None:
        categories.restore(tokens[-1])
        tokens.pop()
        workspace.changes.publish(*topics)

    def redo() -> None:
        tokens.append(categories.delete(category_id, move_to))
        workspace.changes.publish(*topics)

    workspace.undo.push(f"Delete the category “{category.name}”", undo, redo)
    workspace.changes.publish(*topics)


def class_mapping(workspace: Workspace, group_id: int) -> tuple[RunClass, ...]:
    """The numbers that the categories get outside, in training and exports: 0, 1, 2... in the order of the list."""
    categories = workspace.store.categories.list(group_id)
    return tuple(RunClass(index, each.id, each.name) for index, each in enumerate(categories))


# ---- boxes


def save_draft(workspace: Workspace, group_id: int, image_id: int, boxes: Sequence[Box]) -> None:
    """After every change on the canvas: survives a crash, but nothing is trained on it."""
    workspace.require_writing()
    workspace.store.annotations.save_draft(group_id, image_id, boxes)
    workspace.changes.publish(f"annotations:{group_id}")


def submit(workspace: Workspace, group_id: int, image_id: int, boxes: Sequence[Box], expected_revision: int) -> ImageAnnotations:
    """Saved when this returns. Also unchanged boxes are submitted; none make the image a negative example.

    Raises ConflictError where somebody else submitted it since; NoSpaceError: the boxes stay as they are on the canvas.
    """
    workspace.require_writing()
    done = workspace.store.annotations.submit(group_id, image_id, boxes, expected_revision)
    workspace.changes.publish(f"annotations:{group_id}")
    return done


def reset(workspace: Workspace, group_id: int, image_id: int) -> ImageAnnotations:
    """Back to the last submission; to no boxes where there was none. The editor can undo it by saving the draft again."""
    workspace.require_writing()
    workspace.store.annotations.drop_draft(group_id, image_id)
    workspace.changes.publish(f"annotations:{group_id}")
    return workspace.store.annotations.get(group_id, image_id)


def files_header(entries: Sequence[ImageEntry]) -> str:
    """ "Files (1/88 submitted)"."""
    done = sum(entry.submitted for entry in entries)
    return f"Files ({done:,}/{len(entries):,} submitted)"


def next_unsubmitted(entries: Sequence[ImageEntry], after: int | None) -> int | None:
    """The image id of the next entry to do, going round the list; `after` itself comes last. None when all are done."""
    start = next((index + 1 for index, entry in enumerate(entries) if entry.image_id == after), 0)
    for entry in (*entries[start:], *entries[:start]):
        if entry.state in (ImageState.NEW, ImageState.DRAFT):
            return entry.image_id
    return None


def left_out(entries: Sequence[ImageEntry]) -> str:
    """What Setup says of images that training does not use; "" when it uses all."""
    left = sum(not entry.submitted for entry in entries)
    changed = sum(entry.submitted and entry.state is ImageState.DRAFT for entry in entries)
    parts = [f"{counted(left, 'image')} left out, because not submitted"] if left else []
    parts += [f"{counted(changed, 'image')} used without the changes since the last Submit"] if changed else []
    return f"{'; '.join(parts)}." if parts else ""


# ---- where the user was


def remember_view(workspace: Workspace, group_id: int, view: Mapping[str, object]) -> None:
    """view: JSON values, such as image, zoom and scroll position; nothing where the library can only be read."""
    if not workspace.read_only:
        workspace.settings.set(f"view:{group_id}", dict(view))


def last_view(workspace: Workspace, group_id: int) -> Mapping[str, object]:
    view = workspace.settings.get(f"view:{group_id}", {})
    return view if isinstance(view, Mapping) else {}
