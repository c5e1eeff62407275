"""What the commands say and how: lines for people, JSON for scripts, progress on a terminal, names into records."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from ..core.errors import UserError
from ..core.records import AnnotationGroup, Dataset, Experiment
from ..core.workspace import Workspace


class Named(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)
_SHOWN_LINES = 20


class Terminal:
    """Where a command prints. With json, only `result` prints to stdout."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._tenth = -1

    def say(self, text: str) -> None:
        if not self._json:
            print(text, flush=True)

    def say_list(self, title: str, lines: Sequence[str]) -> None:
        """A title and the first lines; says how many are not shown."""
        if lines:
            self.say(title)
            for line in lines[:_SHOWN_LINES]:
                self.say(f"  {line}")
            if len(lines) > _SHOWN_LINES:
                self.say(f"  … and {len(lines) - _SHOWN_LINES:,} more")

    def result(self, **values: object) -> None:
        """What a script wants to know, as one line of JSON."""
        if self._json:
            print(json.dumps(values, ensure_ascii=True), flush=True)

    def progress(self, done: int, total: int, text: str = "") -> None:
        """A growing line on a terminal, a line at each tenth elsewhere. On stderr, so that stdout holds results."""
        share = done / max(total, 1)
        if sys.stderr.isatty():
            end = "\n" if done >= total else ""
            print(f"\r{text} {share:4.0%}\033[K", end=end, file=sys.stderr, flush=True)
        elif int(share * 10) != self._tenth:
            self._tenth = int(share * 10)
            print(f"{text} {share:4.0%}", file=sys.stderr, flush=True)


def by_name_or_id(given: str, known: Iterable[N], what: str) -> N:
    """The record of that name (case counts only when two differ in nothing else) or number. Raises UserError with the names."""
    records = list(known)
    for fits in (
        [each for each in records if each.name == given],
        [each for each in records if each.name.casefold() == given.casefold()],
        [each for each in records if given.isdecimal() and each.id == int(given)],
    ):
        if len(fits) == 1:
            return fits[0]
        if fits:
            numbers = ", ".join(str(each.id) for each in fits)
            raise UserError(f"Several {what}s are called “{given}”. Give one of their numbers: {numbers}.")
    names = ", ".join(f"{each.id} “{each.name}”" for each in records[:_SHOWN_LINES]) or "none yet"
    raise UserError(f"There is no {what} “{given}”. Known: {names}.")


def find_dataset(workspace: Workspace, given: str) -> Dataset:
    return by_name_or_id(given, workspace.store.datasets.list(), "dataset")


def find_group(workspace: Workspace, dataset: Dataset, given: str | None) -> AnnotationGroup:
    """The group of that name; without a name the only one there is."""
    groups = workspace.store.groups.list(dataset.id)
    if given is not None:
        return by_name_or_id(given, groups, "annotation group")
    if len(groups) == 1:
        return groups[0]
    if not groups:
        raise UserError(f"The dataset “{dataset.name}” has no annotation group. Make one with: annotate {dataset.id} LABELS")
    names = ", ".join(f"“{each.name}”" for each in groups)
    raise UserError(f"The dataset “{dataset.name}” has several annotation groups: {names}. Choose one with --group.")


def find_experiment(workspace: Workspace, given: str) -> Experiment:
    return by_name_or_id(given, workspace.store.experiments.list(), "experiment")
