"""Menus and questions of the editor: of a box, "More", the tips, and what to do with unsubmitted changes when it is closed."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...core.wording import counted
from ...widgets.dialogs import Dialog, choose

if TYPE_CHECKING:
    from .screen import EditorScreen

TIPS = (
    "The model imitates the way you draw. Decide how tightly boxes sit around the object, and stay with it on every image.",
    "Mark every object of your categories, also small or partly hidden ones: what is left out is learned as background.",
    "An image without anything to find is useful too. Submit it without boxes, as a negative example.",
    "Give each category at least 25 boxes, in different sizes, places, light and angles.",
)


def show_tips(screen: EditorScreen) -> None:
    dialog = Dialog(screen, screen.theme, "Good boxes", icon="lightbulb", colour="warning")
    for tip in TIPS:
        dialog.text(f"•  {tip}\n", "")
    dialog.text("F1 shows all keys.")
    dialog.add_button("Close", None, "Primary", default=True)
    dialog.show()


def box_menu(screen: EditorScreen, x: int, y: int, key: int | None) -> tk.Menu | None:
    """The menu of the right button on a box; the box is selected first, unless it is one of the selected."""
    session = screen.session
    if session is None:
        return None
    if key is not None and key not in session.selection:
        session.select([key])
        screen.display.boxes()
    menu, commands = screen.theme.menu(screen), screen.context.commands

    def add(label: str, command_id: str) -> None:
        command = commands.find(command_id)
        enabled = command is not None and command.enabled() is None
        shown = f"{label}   {commands.key_of(command_id)}".rstrip()
        menu.add_command(label=shown, state="normal" if enabled else "disabled", command=lambda: commands.run(command_id))

    if session.selection:
        categories = screen.theme.menu(menu)
        for category in screen.visit.categories:
            categories.add_command(
                label=category.name,
                command=lambda each=category.id: screen.actions.set_category(each),  # type: ignore[misc]
            )
        menu.add_cascade(label="Category", menu=categories)
        add("Zoom to it", "editor.closely")
        add("Lock or unlock", "editor.lock")
        add("Copy", "editor.copy")
    add("Paste", "editor.paste")
    if session.selection:
        menu.add_separator()
        add("Delete", "editor.delete")
    menu.tk_popup(x, y)
    return menu


def more_menu(screen: EditorScreen, go_on: bool, set_go_on: Callable[[bool], object]) -> tk.Menu:
    menu, commands = screen.theme.menu(screen), screen.context.commands
    choice = tk.BooleanVar(menu, go_on)
    menu.choice = choice  # type: ignore[attr-defined]  # kept alive with the menu
    for value, label in ((True, "After Submit: go to the next without submission"), (False, "After Submit: stay on the image")):
        menu.add_radiobutton(label=label, variable=choice, value=value, command=lambda: set_go_on(choice.get()))
    menu.add_separator()
    by_itself = tk.BooleanVar(menu, screen.suggestions.by_itself)
    menu.by_itself = by_itself  # type: ignore[attr-defined]
    menu.add_checkbutton(
        label="Suggest boxes by itself on new images",
        variable=by_itself,
        command=lambda: screen.suggestions.set_by_itself(by_itself.get()),
        state="disabled" if screen.read_only_reason() else "normal",
    )
    menu.add_separator()
    for label, command_id in (
        ("Suggest boxes", "editor.suggest"),
        ("Go to image number…", "editor.jump"),
        ("Select all boxes", "editor.all"),
        ("All boxes of the active category", "editor.crops"),
        ("Tips for drawing", "editor.tips"),
        ("All keys", "keys"),
    ):
        shown = f"{label}   {commands.key_of(command_id)}".rstrip()
        menu.add_command(label=shown, command=lambda each=command_id: commands.run(each))  # type: ignore[misc]
    below = screen.stage.more
    menu.tk_popup(below.winfo_rootx(), below.winfo_rooty() + below.winfo_height())
    return menu


def ask_unsubmitted(screen: EditorScreen, images: int, submit: Callable[[], object], reset: Callable[[], object]) -> Dialog:
    what = "1 image has changes that were" if images == 1 else f"{counted(images, 'image')} have changes that were"
    return choose(
        screen,
        screen.theme,
        "Unsubmitted changes",
        f"{what} not submitted. Submit them so that they are used for training, or reset to the last submission.",
        [("Submit", "Submit", submit), ("Reset", "Danger", reset)],
    )
