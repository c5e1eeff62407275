"""The same without a window: every use case as a command on the same code as the window's. No tkinter."""

from .main import COMMANDS, exit_status, run_command

__all__ = ["COMMANDS", "exit_status", "run_command"]
