"""The program `darknet-studio`: opens the window on a library, or runs one of the commands without a window."""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import sys
from collections.abc import Sequence

from .cli import COMMANDS, exit_status, run_command
from .core.errors import UserError
from .core.workspace import VARIABLE, Workspace


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status, see gui.cli.main."""
    if sys.stderr is not None:
        faulthandler.enable()
    given = sys.argv[1:] if arguments is None else list(arguments)
    if any(word in COMMANDS for word in given):
        return run_command(given)
    parser = argparse.ArgumentParser(
        prog="darknet-studio",
        description="Train object detectors on your own pictures. Without a command the window opens.",
        epilog=f"commands: {', '.join(COMMANDS)}; darknet-studio COMMAND --help tells more",
    )
    parser.add_argument(
        "--library",
        metavar="PATH|URL",
        default=None,
        help=f"a folder or postgresql://user@host/database; default: ${VARIABLE}, else the platform's data folder",
    )
    parser.add_argument("--read-only", action="store_true", help="look at the library without changing anything")
    options = parser.parse_args(given)
    try:
        return _open_window(options.library, options.read_only)
    except UserError as error:
        print(f"darknet-studio: {error}", file=sys.stderr)
        return exit_status(error)


def _has_command(arguments: Sequence[str]) -> bool:
    """Whether a word stands where no option wants it."""
    after_option = False
    for argument in arguments:
        if after_option:
            after_option = False
        elif argument == "--library":
            after_option = True
        elif not argument.startswith("-"):
            return True
    return False


def _open_window(location: str | None, read_only: bool) -> int:
    try:
        import tkinter as tk
    except ImportError as error:
        raise UserError(
            "This Python has no Tk, which the window is drawn with. Install it (Debian and Ubuntu: python3-tk)."
        ) from error
    workspace = Workspace.open(location, read_only)
    if not workspace.read_only:
        logging.basicConfig(filename=workspace.folder / "studio.log", level=logging.WARNING, format="%(asctime)s %(message)s")
    from .app import App

    try:
        app = App(workspace)
    except tk.TclError as error:
        workspace.close()
        display = os.environ.get("DISPLAY", "")
        raise UserError(f"The window can't be opened on the display “{display}”: {error}.") from error
    app.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
