"""The other end of torch_rival.py: finds an interpreter with PyTorch, starts it and asks it for its turns."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from parts import Failure, Skip
from places import ROOT

ANSWER_S = 150.0  # compiling a whole network takes a minute or more


def find_torch() -> str | None:
    """An interpreter that has torch: this one, python3, or the one ./studio bench made."""
    others = [sys.executable, shutil.which("python3") or "", str(ROOT / ".cache" / "torch-venv" / "bin" / "python")]
    for python in dict.fromkeys([os.environ.get("DARKNET_TORCH_PYTHON", ""), *others]):
        if python and Path(python).exists():
            look = [python, "-c", "import sys, importlib.util as u; sys.exit(u.find_spec('torch') is None)"]
            if subprocess.run(look, capture_output=True, check=False).returncode == 0:
                return python
    return None


class Rival:
    """PyTorch in a process of its own. Raises Skip where there is none, Failure when it ends of itself."""

    def __init__(self) -> None:
        python = find_torch()
        if python is None:
            raise Skip("PyTorch is not here")
        command = [python, str(Path(__file__).with_name("torch_rival.py"))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        hello = self._read()
        if "error" in hello:
            raise Failure(f"PyTorch: {hello['error']}")
        self.words = f"PyTorch {hello['torch']} on {hello['device']}"

    def __enter__(self) -> Rival:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, **request: Any) -> dict[str, Any]:
        """Its answer; one with "error" where it could not, or not in time."""
        assert self._process.stdin
        if self._process.poll() is not None:
            return {"error": "PyTorch has ended"}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        if not select.select([self._process.stdout], [], [], ANSWER_S)[0]:
            self._process.kill()
            self._process.wait()
            return {"error": f"no answer in {ANSWER_S:.0f} s"}
        line = self._process.stdout.readline()
        if not line:
            raise Failure(f"PyTorch ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def rival_if_there() -> Iterator[Rival | None]:
    try:
        rival = Rival()
    except Skip:
        yield None
        return
    with rival:
        yield rival
