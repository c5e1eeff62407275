"""Runs the parts of a check or a measurement, each as a process of its own, within one limit of time; tables come last.

A part that crashes, hangs or finds a fault is a line of the closing table and not the end of the run. Results are also
written as JSON. Only Python's standard library is used: the machine with the card may have nothing else.

Exit codes: 0 all parts that can run here ran and are right; 1 a part failed; 2 the time was over before every part had run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from places import ROOT

_SPARE_S = 3.0  # for the tables, out of the limit
_LOG_LINES = 12  # of a failed part


class Failure(Exception):
    """A part found that something is wrong; the text says what."""


class Skip(Exception):
    """A part can't run here; the text says why."""


@dataclass
class Table:
    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)

    def text(self) -> str:
        """The first column to the left, the others to the right."""
        lines = [self.columns, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        cells = [
            [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))] for line in lines
        ]
        drawn = ["  ".join(line).rstrip() for line in cells]
        rule = "-" * max(map(len, drawn))
        return "\n".join([self.title, rule, drawn[0], rule, *drawn[1:]]) + "\n"


@dataclass
class Outcome:
    """What a part found: tables for people, values for programs, and each thing that is wrong in a sentence."""

    tables: list[Table] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Part:
    """least_s: it isn't begun with less time left; most_s: then it is ended."""

    name: str
    title: str
    work: Callable[[Any], Outcome]
    least_s: float
    most_s: float


@dataclass
class Line:
    """A part in the closing table; state: ok, failed, skipped, not run."""

    part: Part
    state: str
    seconds: float = 0.0
    words: str = ""
    outcome: Outcome = field(default_factory=Outcome)


def arguments(about: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "gpu-out", help="folder for results and what they were made from"
    )
    parser.add_argument("--limit-s", type=float, default=540, help="seconds for everything")
    parser.add_argument("--only", default="", help="names of parts, separated by commas")
    parser.add_argument("--quick", action="store_true", help="small sizes, as without a card")
    parser.add_argument("--dry-run", action="store_true", help="on the processor, though a card is here")
    parser.add_argument("--build", type=Path, help="folder of the native build (default: build/gpu, else build/release)")
    parser.add_argument("--part", help=argparse.SUPPRESS)  # a child of this program
    return parser


def chosen(parts: Sequence[Part], only: str) -> list[Part]:
    """Raises SystemExit for a name that isn't there."""
    names = [name for name in only.split(",") if name]
    unknown = set(names) - {part.name for part in parts}
    if unknown:
        raise SystemExit(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(part.name for part in parts)}")
    return [part for part in parts if not names or part.name in names]


def work_as_child(part: Part, setting: Any, answer: Path) -> int:
    """Runs one part in this process and leaves its outcome in a file."""
    try:
        outcome = asdict(part.work(setting))
    except Failure as failure:
        outcome = asdict(Outcome(wrong=[str(failure)]))
    except Skip as skip:
        outcome = {**asdict(Outcome()), "skipped": str(skip)}
    except Exception:
        traceback.print_exc()
        return 1
    answer.write_text(json.dumps(outcome), "utf-8")
    return 0


def run_parts(parts: Sequence[Part], program: Path, options: list[str], folder: Path, deadline: float) -> list[Line]:
    """Runs each part by `program --part NAME options`, in order. deadline is of time.monotonic()."""
    lines = []
    for part in parts:
        left = deadline - time.monotonic() - _SPARE_S
        if left < part.least_s:
            lines.append(Line(part, "not run", words=f"{max(left, 0):.0f} s were left, it needs {part.least_s:.0f}"))
        else:
            print(f"{part.name}: {part.title} ...", flush=True)
            lines.append(
                _run_part(part, [sys.executable, str(program), "--part", part.name, *options], folder, min(left, part.most_s))
            )
        print(f"{part.name}: {lines[-1].state} ({lines[-1].seconds:.0f} s) {lines[-1].words}".rstrip(), flush=True)
    return lines


def _run_part(part: Part, command: list[str], folder: Path, seconds: float) -> Line:
    folder.mkdir(parents=True, exist_ok=True)
    answer, log = folder / f"{part.name}.json", folder / f"{part.name}.log"
    answer.unlink(missing_ok=True)
    begin = time.monotonic()
    with log.open("wb") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = child.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end_group(child)
    line = Line(part, "failed", time.monotonic() - begin)
    if code is None:
        line.words = f"ended after {seconds:.0f} s: the time was over"
    elif code != 0 or not answer.exists():
        line.words = f"it ended with {code}: {_last_words(log)}"
    else:
        _take_answer(line, json.loads(answer.read_text("utf-8")))
    return line


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """The part and what it started: all of its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _last_words(log: Path) -> str:
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else "without a word"


def _take_answer(line: Line, answer: dict[str, Any]) -> None:
    tables = [Table(**table) for table in answer["tables"]]
    line.outcome = Outcome(tables, answer["values"], answer["wrong"])
    line.state = "failed" if line.outcome.wrong else "skipped" if "skipped" in answer else "ok"
    line.words = "; ".join(line.outcome.wrong) or answer.get("skipped", "")


def conclude(lines: list[Line], heading: str, results: Path, about: dict[str, Any]) -> int:
    """Prints the tables, then how each part went; writes the JSON; returns the exit code."""
    for line in lines:
        for table in line.outcome.tables:
            print(f"\n{table.text()}", end="")
    closing = Table(heading, ["part", "result", "seconds", ""])
    for line in lines:
        closing.rows.append([line.part.name, line.state, f"{line.seconds:.0f}", ""])
    print(f"\n{closing.text()}", end="")
    for line in lines:
        if line.words:
            print(f"{line.part.name} {line.state}: {line.words}")
            if line.state == "failed":
                print(f"  see {results.parent / 'parts' / line.part.name}.log")
    states = [line.state for line in lines]
    code = 1 if "failed" in states else 2 if "not run" in states else 0
    told = [
        {
            "name": line.part.name,
            "title": line.part.title,
            "state": line.state,
            "seconds": round(line.seconds, 2),
            "words": line.words,
            **asdict(line.outcome),
        }
        for line in lines
    ]
    results.write_text(json.dumps({**about, "exit_code": code, "parts": told}, indent=1), "utf-8")
    print(f"{states.count('ok')} of {len(states)} parts ran and are right; also in {results}")
    return code
