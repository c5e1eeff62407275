"""Categories in the editor: choosing, adding, renaming, sorting and deleting them, with what that means for the open boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...core import annotate, names
from ...core.editing import EditBox
from ...core.errors import UserError
from ...core.records import Box, Category, GroupSummary
from ...tk.commands import NUMBER_KEYS
from ...widgets.category_list import CategoryEvents, CategoryRow
from ...widgets.dialogs import confirm
from .delete_category import DeleteCategory

if TYPE_CHECKING:
    from .screen import EditorScreen


class Categories:
    """counts: submitted boxes of each category in the whole group. deed_is_last: the newest change was to a category."""

    def __init__(self, screen: EditorScreen) -> None:
        self.screen = screen
        self.counts: Counter[int] = Counter()
        self.deed_is_last = False

    def events(self) -> CategoryEvents:
        return CategoryEvents(
            activate=self.activate,
            add=self.add,
            rename=self.rename,
            recolour=lambda category_id, colour: self._do(
                lambda: annotate.recolour_category(self.screen.workspace, category_id, colour)
            ),
            delete=self.ask_delete,
            reorder=lambda ids: self._do(lambda: annotate.reorder_categories(self.screen.workspace, self.screen.group_id, ids)),
            hide=self.hide,
            lock=self.lock,
            show_all=self.screen.show_all_boxes,
            check=self.check,
            next_colour=annotate.next_colour,
            palette=annotate.COLOURS,
        )

    def take(self, categories: Sequence[Category], summary: GroupSummary | None = None) -> None:
        """What the library says now."""
        if summary is not None:
            self.counts = Counter({category_id: boxes for category_id, (boxes, _images) in summary.boxes_by_category.items()})
        self.screen.visit.set_categories(categories)
        self.show()

    def show(self) -> None:
        visit = self.screen.visit
        rows = [
            CategoryRow(
                *(category.id, category.name, category.colour, self.counts[category.id]),
                number=place if place in NUMBER_KEYS else 0,
                hidden=category.id in visit.hidden_categories,
                locked=category.id in visit.locked_categories,
            )
            for place, category in enumerate(visit.categories, 1)
        ]
        self.screen.left.categories.show(rows, visit.active_category)
        self.screen.left.show_category_choices({category.name: category.id for category in visit.categories})
        active = next((category for category in visit.categories if category.id == visit.active_category), None)
        self.screen.stage.canvas.colour = active.colour if active is not None else "#ffffff"

    def submitted(self, before: Sequence[EditBox], now: Sequence[Box]) -> None:
        """An image was submitted: its old boxes do not count any more, its new ones do."""
        self.counts.subtract(box.category_id for box in before)
        self.counts.update(box.category_id for box in now)
        self.show()

    # --- what the user does

    def activate(self, category_id: int) -> None:
        """For new boxes; what is selected becomes of it."""
        screen = self.screen
        screen.visit.active_category = category_id
        self.show()
        if screen.session is not None and screen.session.selection and screen.editing_reason() is None:
            screen.change(lambda session: session.set_category(category_id))

    def check(self, name: str, category_id: int | None) -> str | None:
        others = [each.name for each in self.screen.visit.categories if each.id != category_id]
        try:
            names.checked(name, annotate.CATEGORY, others, annotate.FORBIDDEN)
        except UserError as error:
            return str(error)
        return None

    def add(self, name: str, colour: str) -> None:
        screen = self.screen
        workspace, group_id = screen.workspace, screen.group_id

        def added(made: Category) -> None:
            screen.visit.active_category = made.id

        def ask(question: str) -> None:
            def go() -> None:
                screen.store(lambda: annotate.add_category(workspace, group_id, name, colour), added)

            if question:
                confirm(screen, screen.theme, "Many categories", question, "Add it", go)
            else:
                go()

        screen.store(lambda: annotate.category_limit_question(workspace, group_id), ask)

    def rename(self, category_id: int, name: str) -> None:
        problem = self.check(name, category_id)
        if problem:
            self.screen.context.toasts.show(problem, "warning")
        else:
            self._do(lambda: annotate.rename_category(self.screen.workspace, category_id, name))

    def hide(self, category_id: int, hidden: bool) -> None:
        self.screen.visit.hide_category(category_id, hidden)
        self.show()
        self.screen.display.boxes()

    def lock(self, category_id: int, locked: bool) -> None:
        self.screen.visit.lock_category(category_id, locked)
        self.show()
        self.screen.display.boxes()

    def ask_delete(self, category_id: int) -> None:
        screen = self.screen

        def ask(question: str) -> None:
            others = {each.name: each.id for each in screen.visit.categories if each.id != category_id}
            DeleteCategory(screen, screen.theme, question, others, lambda move_to: self._delete(category_id, move_to))

        screen.store(lambda: annotate.delete_category_question(screen.workspace, category_id), ask)

    def _delete(self, category_id: int, move_to: int | None) -> None:
        screen = self.screen
        name = next((each.name for each in screen.visit.categories if each.id == category_id), "")

        def done(_result: object) -> None:
            if move_to is not None:
                screen.visit.moved(category_id, move_to)
            self.deed_is_last = True
            screen.context.toasts.show(f"“{name}” was deleted.", action=("Undo", self.undo))

        screen.store(lambda: annotate.delete_category(screen.workspace, category_id, move_to), done)

    def undo(self) -> None:
        """Takes back the last thing done to a category."""
        self.deed_is_last = False
        self.screen.store(self.screen.workspace.undo.undo, lambda label: self.screen.say(f"Undone: {label}.") if label else None)

    def _do(self, work: Callable[[], object]) -> None:
        def done(_result: object) -> None:
            self.deed_is_last = True

        self.screen.store(work, done)
