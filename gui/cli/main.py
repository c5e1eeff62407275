"""The commands by name, and running one: arguments, the library, exit status.

Status: 0 ok, 1 a fault of this program, 2 bad input, 3 no space, 4 locked by another window,
5 out of memory. No command ends with a traceback.
"""

from __future__ import annotations

import argparse
import errno
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from darknet_bridge.errors import DarknetError, DiskError, OutOfMemoryError

from ..core.errors import LockedError, NoSpaceError, UserError
from ..core.workspace import VARIABLE, Workspace
from . import data_commands, library_commands, model_commands, run_commands
from .terminal import Terminal

EXIT_BAD_INPUT, EXIT_NO_SPACE, EXIT_LOCKED, EXIT_MEMORY = 2, 3, 4, 5
EXIT_FAULT = 1


@dataclass(frozen=True)
class CommandEntry:
    """reads: works on a library that only may be read, also while a window has it."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Workspace, argparse.Namespace, Terminal], None]
    reads: bool = False


COMMANDS = {
    "import": CommandEntry("pictures into a dataset", data_commands.add_import, data_commands.run_import),
    "sample": CommandEntry("a drawn dataset with labels, to try things out", data_commands.add_sample, data_commands.run_sample),
    "annotate": CommandEntry("labels of another program into a dataset", data_commands.add_annotate, data_commands.run_annotate),
    "export-labels": CommandEntry(
        "labels as files of other programs", data_commands.add_export_labels, data_commands.run_export_labels, reads=True
    ),
    "preflight": CommandEntry(
        "what to look at before training", model_commands.add_preflight, model_commands.run_preflight, reads=True
    ),
    "train": CommandEntry("train a detector", run_commands.add_train, run_commands.run_train),
    "status": CommandEntry("the trainings and how far they are", run_commands.add_status, run_commands.run_status, reads=True),
    "stop": CommandEntry("stop a training; its model can be used", run_commands.add_stop, run_commands.run_stop, reads=True),
    "resume": CommandEntry("go on with a training that was stopped or cut off", run_commands.add_resume, run_commands.run_resume),
    "continue": CommandEntry("train a finished training for more steps", run_commands.add_continue, run_commands.run_continue),
    "delete-run": CommandEntry(
        "delete a training with its checkpoints", run_commands.add_delete_run, run_commands.run_delete_run
    ),
    "export": CommandEntry("the trained model as files", model_commands.add_export, model_commands.run_export, reads=True),
    "check": CommandEntry("whether the library is sound", library_commands.add_check, library_commands.run_check, reads=True),
    "backup": CommandEntry("a copy of the library", library_commands.add_backup, library_commands.run_backup, reads=True),
    "restore": CommandEntry("a backup in the library's place", library_commands.add_restore, library_commands.run_restore),
}


def run_command(arguments: Sequence[str]) -> int:
    """arguments: what stands behind darknet-studio, with a command among them. Returns the exit status."""
    options = _parser().parse_args(arguments)
    entry = COMMANDS[options.command]
    try:
        workspace = Workspace.open(options.library, must_write=not entry.reads)
        try:
            entry.run(workspace, options, Terminal(options.json))
        finally:
            workspace.close()
    except (UserError, DarknetError, MemoryError, OSError) as error:
        print(f"darknet-studio: {str(error) or 'not enough memory'}", file=sys.stderr)
        return exit_status(error)
    except KeyboardInterrupt:
        print("darknet-studio: stopped", file=sys.stderr)
        return EXIT_BAD_INPUT
    except Exception as error:  # a fault of this program: its details are for its makers, not for the terminal
        print(f"darknet-studio: a fault of this program: {error}. Details: {_write_details()}", file=sys.stderr)
        return EXIT_FAULT
    return 0


def _write_details() -> str:
    with tempfile.NamedTemporaryFile("w", prefix="darknet-studio-", suffix=".log", delete=False, encoding="utf-8") as file:
        traceback.print_exc(file=file)
    return file.name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="darknet-studio", description="Train object detectors on your own pictures.")
    parser.add_argument(
        "--library", metavar="PATH|URL", help=f"a folder or postgresql://...; default: ${VARIABLE}, else your data folder"
    )
    parser.add_argument("--json", action="store_true", help="results as one line of JSON")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, entry in COMMANDS.items():
        entry.add_arguments(commands.add_parser(name, help=entry.help))
    return parser


def exit_status(error: BaseException) -> int:
    """Of a program that ends with this error."""
    if isinstance(error, LockedError):
        return EXIT_LOCKED
    if isinstance(error, (NoSpaceError, DiskError)) or getattr(error, "errno", None) == errno.ENOSPC:
        return EXIT_NO_SPACE
    if isinstance(error, (OutOfMemoryError, MemoryError)):
        return EXIT_MEMORY
    return EXIT_BAD_INPUT
