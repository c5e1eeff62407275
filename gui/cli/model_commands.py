"""Commands around a training: preflight before it, export after it."""

from __future__ import annotations

import argparse
from pathlib import Path

from darknet_bridge.devices import list_devices
from darknet_bridge.export import get_exporter, list_exporters

from ..core.errors import UserError
from ..core.preflight import gather_check, inspect
from ..core.review import export_source, report
from ..core.setup import Setup, default_setup
from ..core.workspace import Workspace
from .run_commands import find_run
from .terminal import Terminal, find_experiment


def add_preflight(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", metavar="EXPERIMENT", help="name or number")


def run_preflight(workspace: Workspace, options: argparse.Namespace, terminal: Terminal) -> None:
    """Findings as the window shows them. Raises UserError when one makes a training impossible."""
    experiment = find_experiment(workspace, options.experiment)
    setup = Setup.from_json(experiment.setup, default_setup(list_devices()))
    findings = inspect(gather_check(workspace, experiment.id, setup))
    for each in findings:
        terminal.say(f"{each.severity}: {each.title}\n  {each.text}")
    if not findings:
        terminal.say("Nothing found: ready to train.")
    terminal.result(
        findings=[
            {"id": f.id, "severity": f.severity, "title": f.title, "count": f.count, "images": list(f.images)} for f in findings
        ]
    )
    stopping = [each for each in findings if each.severity == "error"]
    if stopping:
        raise UserError(f"A training is not possible yet: {stopping[0].title}.")


def add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="number of a run, or name of an experiment (its newest run)")
    parser.add_argument("target", type=Path, metavar="TARGET", help="a new folder, or a .zip")
    parser.add_argument("--format", choices=tuple(each.id for each in list_exporters()), default="darknet")


def run_export(workspace: Workspace, options: argparse.Namespace, terminal: Terminal) -> None:
    run = find_run(workspace, options.run)
    exporter = get_exporter(options.format)
    source = export_source(report(workspace, run.id))
    problem = exporter.check(source)
    if problem:
        raise UserError(problem)
    done = exporter.write(source, options.target.expanduser().absolute(), terminal.progress)
    terminal.say(f"The model is in {done.path}: {', '.join(done.files)}")
    if done.parity:
        terminal.say(done.parity)
    terminal.result(path=str(done.path), files=list(done.files), parity=done.parity)
