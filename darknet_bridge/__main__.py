"""The command `darknet-bridge`: a few commands of its own, everything else is handed to the native program.

    darknet-bridge detector train obj.data net.cfg ...     = darknet detector train obj.data net.cfg ...
    darknet-bridge recipe yolov3-tiny --classes 3 -o net.cfg

The native program takes this process's place, so that signals and its exit code are its own (docs/protocol.md).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from .errors import CancelledError, DarknetError
from .program import find_program

_HELP = """darknet-bridge: Darknet's commands, and

  demo                                render a small labelled set, train on it, show what is found
  recipe MODEL --classes N [-o FILE]  write a cfg for N classes; `recipe --help` lists models and options
  pretrained list | get | check       weights to start training from
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; for native commands it does not return."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = arguments[0] if arguments else "help"
    try:
        own = _own_commands().get(command)
        if own is not None:
            return own(arguments[1:])
        if command in ("help", "-h", "--help"):
            print(_HELP, flush=True)
        return _become_native(arguments)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return CancelledError.status
    except DarknetError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    except BrokenPipeError:  # the reader of our output has gone, as in `darknet-bridge pretrained list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _own_commands() -> dict[str, Callable[[Sequence[str]], int]]:
    """The commands written in Python. Modules are loaded only when a command needs them."""

    def demo(arguments: Sequence[str]) -> int:
        from .demo import main as run_demo

        return run_demo(arguments)

    def recipe(arguments: Sequence[str]) -> int:
        from .commands import recipe_command

        return recipe_command(arguments)

    def pretrained(arguments: Sequence[str]) -> int:
        from .commands import pretrained_command

        return pretrained_command(arguments)

    return {"demo": demo, "recipe": recipe, "pretrained": pretrained}


def _become_native(arguments: Sequence[str]) -> int:
    program = find_program()
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(program, ["darknet", *arguments])


if __name__ == "__main__":
    sys.exit(main())
