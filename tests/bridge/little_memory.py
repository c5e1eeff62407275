"""Trainings that get less memory than the system says there is: a limit of the address space around the real program."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from darknet_bridge.program import find_program
from darknet_bridge.training import process

from .limited import is_sanitized


def limit_memory(monkeypatch: pytest.MonkeyPatch, folder: Path, megabytes: int) -> None:
    """Every trainer from now on. The program alone takes about 250 MB of address space with one thread of each kind: how many it
    takes by itself depends on the machine."""
    if is_sanitized():
        pytest.skip("the sanitizer's shadow is terabytes of address space")
    wrapper = folder / "darknet-with-little-memory"
    one_thread = 'case " $* " in *" -threads "*) ;; *) set -- "$@" -threads 1 ;; esac'
    program = f'exec {shlex.quote(str(find_program()))} "$@" -loader-threads 1'
    wrapper.write_text(f"#!/bin/sh\nulimit -v {megabytes}000\n{one_thread}\n{program}\n")
    wrapper.chmod(0o755)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(process, "find_program", lambda: wrapper)
