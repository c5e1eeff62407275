"""The real program under limits of memory and time, and what must hold whatever it is given."""

from __future__ import annotations

import functools
import json
import os
import re
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from darknet_bridge.errors import LibraryError
from darknet_bridge.program import find_program

from .malformed import CFG, GOOD_LABEL, GOOD_WEIGHTS
from .malformed_images import encoded

BAD_INPUT = 10
SECONDS = 5  # of the processor: how long that takes depends on what else is at work
PATIENCE_S = 120  # for a program that waits instead
# The program alone takes about 0.4 GB of address space with the threads that the tests allow it.
ADDRESS_SPACE = 1_400_000_000
SIGNS_OF_A_FAULT = ("Sanitizer", "runtime error", "terminate called", "Traceback", "Assertion", ".cpp:")


@functools.cache
def _program() -> tuple[Path, bool]:
    """The program, and whether it was built with AddressSanitizer."""
    try:
        path = find_program()
    except LibraryError as error:
        pytest.skip(str(error))
    return path, b"__asan_init" in path.read_bytes()


def is_sanitized() -> bool:
    return _program()[1]


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    def events(self, kind: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]
        return [event for event in found if event.get("event") == kind]


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    seconds = SECONDS * (10 if _program()[1] else 1)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    if not _program()[1]:  # the sanitizer's shadow is terabytes of address space
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))


def run(folder: Path, *arguments: str | Path, stdin: bytes = b"") -> Result:
    """The program in that folder. Fails on a crash, a sanitizer's words, a bug's exit code and on time run out."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "HOME": str(folder), "TMPDIR": str(folder), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [_program()[0], *arguments], cwd=folder, env=env, input=stdin, capture_output=True, check=False, preexec_fn=_limit,
        timeout=PATIENCE_S,
    )  # fmt: skip
    out, err = (text.decode(errors="surrogateescape") for text in (done.stdout, done.stderr))
    told = f"exit {done.returncode}\n{out[-2000:]}\n{err[-2000:]}"
    assert done.returncode in (0, 3, 10, 11, 12, 13), told
    assert not any(sign in err for sign in SIGNS_OF_A_FAULT), told
    return Result(done.returncode, out, err)


def errors(result: Result) -> str:
    """What stderr says from its error on (a message may have several lines)."""
    return result.err[result.err.find("error: ") :] if "error: " in result.err else ""


def refused(result: Result, name: str, reason: str) -> None:
    assert result.code == BAD_INPUT, f"exit {result.code}: {result.err[-1000:]}"
    assert re.search(re.escape(name) + ".*(?:" + reason + ")", errors(result)), errors(result)[:2000]
    assert len(errors(result)) < 3000, "a message for people"


def tree(folder: Path) -> set[str]:
    return {os.path.relpath(Path(base, name), folder) for base, names, files in os.walk(folder) for name in (*names, *files)}


def train(folder: Path, *further: str | Path, data: str = "obj.data") -> Result:
    options = ["-json", "-threads", "1", "-loader-threads", "1", "-steps", "1"]
    return run(folder, "detector", "train", data, "net.cfg", *further, *options)


def make_set(folder: Path) -> None:
    """A network, its weights and a data set of one picture, all good."""
    (folder / "net.cfg").write_text(CFG)
    (folder / "net.weights").write_bytes(GOOD_WEIGHTS)
    (folder / "obj.names").write_text("cat\ndog\n")
    (folder / "obj.data").write_text("classes=2\ntrain=train.txt\nvalid=train.txt\nnames=obj.names\nbackup=backup\n")
    (folder / "train.txt").write_text("good.png\n")
    (folder / "good.png").write_bytes(encoded("PNG"))
    (folder / "good.txt").write_bytes(GOOD_LABEL)


def warnings(result: Result) -> str:
    return "\n".join(event["text"] for event in result.events("log") if event["level"] == "warning")
