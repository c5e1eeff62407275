"""Commands on the library itself: check, backup, restore."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..core.errors import UserError
from ..core.workspace import Workspace
from .terminal import Terminal


def add_check(parser: argparse.ArgumentParser) -> None:
    parser.description = "Looks whether the library's file is sound and the images are where they were."


def run_check(workspace: Workspace, _options: argparse.Namespace, terminal: Terminal) -> None:
    """Raises UserError for a damaged library; missing images are told."""
    problems = workspace.store.quick_check()
    missing = [
        str(image.path)
        for dataset in workspace.store.datasets.list()
        for image in workspace.store.datasets.images(dataset.id)
        if not image.path.exists()
    ]
    for notice in workspace.notices:
        terminal.say(notice)
    terminal.say_list(f"{len(missing):,} images are not where they were:", missing)
    terminal.result(problems=problems, missing=missing)
    if problems:
        raise UserError(f"The library is damaged: {problems[0]}. Restore a backup: backup --list, then restore BACKUP.")
    if not missing:
        terminal.say("The library is sound and every image is there.")


def add_backup(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--list", action="store_true", dest="listing", help="show the backups instead of making one")


def run_backup(workspace: Workspace, options: argparse.Namespace, terminal: Terminal) -> None:
    if not options.listing:
        workspace.require_writing()
        path = workspace.backups.make()
        terminal.say(f"Backup: {path}")
    backups = workspace.backups.list()
    if options.listing:
        terminal.say_list("Backups, newest first:", [f"{each.path.name}  {each.reason_text}" for each in backups])
        if not backups:
            terminal.say("No backup yet.")
    terminal.result(backups=[str(each.path) for each in backups])


def add_restore(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("backup", metavar="BACKUP", help="a file name from backup --list, or a path")


def run_restore(workspace: Workspace, options: argparse.Namespace, terminal: Terminal) -> None:
    named = [each.path for each in workspace.backups.list() if each.path.name == options.backup]
    path = named[0] if named else Path(options.backup).expanduser().absolute()
    if not path.is_file():
        raise UserError(f"There is no backup {options.backup}. Look at the list: backup --list")
    aside = workspace.restore(path)
    terminal.say(f"Restored {path.name}. What was there before is kept as {aside}")
    terminal.result(restored=str(path), aside=str(aside))
