"""Commands on datasets and labels: import, sample, annotate, export-labels."""

from __future__ import annotations

import argparse
from pathlib import Path

from darknet_bridge.interchange import FORMATS

from ..core import annotate, datasets, video
from ..core.errors import UserError
from ..core.export_labels import export_labels, label_formats
from ..core.import_images import ImportReport, ImportRequest, import_pictures, import_video, import_zip
from ..core.import_labels import LabelPlan, apply_labels, plan_labels, standard_mapping
from ..core.records import AnnotationGroup, Dataset, Storage
from ..core.sample_set import SAMPLE_NAME, add_sample_set
from ..core.scan import survey
from ..core.workspace import Workspace
from .terminal import Terminal, find_dataset, find_group

VIDEO_SUFFIXES = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"}


def add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sources", nargs="+", type=Path, metavar="SOURCE", help="folders and pictures, one zip, or one video")
    parser.add_argument("--dataset", metavar="NAME", help="name of the new dataset; default: after the source")
    parser.add_argument("--into", metavar="DATASET", help="add to this dataset instead of making one")
    parser.add_argument(
        "--copy", action="store_true", help="copy the pictures into the library; default: use them where they are"
    )
    parser.add_argument("--every-seconds", type=float, metavar="S", help="of a video: a frame every S seconds (default 1)")
    parser.add_argument("--every-frames", type=int, metavar="N", help="of a video: every Nth frame")
    parser.add_argument("--max-frames", type=int, default=1000, metavar="N", help="of a video: at most N frames (default 1000)")


def run_import(workspace: Workspace, options: argparse.Namespace, terminal: Terminal) -> None:
    workspace.require_writing()
    sources = [path.expanduser().absolute() for path in options.sources]
    for path in sources:
        if not path.exists():
            raise UserError(f"{path} does not exist. Give a folder, pictures, a zip or a video.")
    report = _import(workspace, _request(workspace, options, sources), sources, options, terminal)
    dataset = workspace.store.datasets.get(report.dataset_id)
    workspace.event("imported", dataset=dataset.id, images=report.added, skipped=len(report.skipped))
    terminal.say(f"Dataset {dataset.id} “{dataset.name}”: {report.added:,} images added, {dataset.images:,} in all.")
    terminal.say_list(f"{len(report.skipped):,} files were left out:", [f"{each.path}: {each.reason}" for each in report.skipped])
    terminal.result(
        dataset=dataset.id,
        name=dataset.name,
        added=report.added,
        duplicates=report.duplicates,
        skipped=[{"path": str(each.path), "reason": each.reason} for each in report.skipped],
    )


def _request(workspace: Workspace, options: argparse.Namespace, sources: list[Path]) -> ImportRequest:
    storage = Storage.COPY if options.copy else Storage.REFERENCE
    folder = sources[0] if sources[0].is_dir() else sources[0].parent
    if options.into is not None:
        dataset = find_dataset(workspace, options.into)
        return ImportRequest(dataset.name, dataset.storage, dataset.id, folder)
    taken = [dataset.name for dataset in workspace.store.datasets.list()]
    name = datasets.checked_name(workspace, options.dataset) if options.dataset else datasets.suggested_name(sources, taken)
    return ImportRequest(name, storage, None, folder)


def _import(
    workspace: Workspace, request: ImportRequest, sources: list[Path], options: argparse.Namespace, terminal: Terminal
) -> ImportReport:
    first = sources[0]
    kind = first.suffix.lower() if first.is_file() else ""
    if kind == ".zip" or kind in VIDEO_SUFFIXES:
        if len(sources) > 1:
            raise UserError("One zip or one video at a time.")
        if kind == ".zip":
            return import_zip(workspace, request, first, terminal.progress)
        info = video.probe(first)
        plan = (
            video.every_frames(options.every_frames, options.max_frames)
            if options.every_frames
            else video.every_seconds(info, options.every_seconds or 1.0, options.max_frames)
        )
        return import_video(workspace, request, first, plan, terminal.progress)
    return import_pictures(workspace, request, survey(sources), terminal.progress)


def add_sample(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default=SAMPLE_NAME, help=f"of the dataset (default “{SAMPLE_NAME}”)")
    parser.add_argument("--pictures", type=int, default=200, help="how many to draw (default 200)")


def run_sample(workspace: Workspace, options: argparse.Namespace, terminal: Terminal) -> None:
    workspace.require_writing()
    if not 2 <= options.pictures <= 10_000:
        raise UserError("--pictures: from 2 to 10,000.")
    report = add_sample_set(workspace, datasets.checked_name(workspace, options.name), terminal.progress, options.pictures)
    terminal.say(f"Dataset {report.dataset_id} “{options.name}”: {report.added:,} drawn pictures with labels.")
    terminal.result(dataset=report.dataset_id, name=options.name, added=report.added)


def add_annotate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="name or number")
    parser.add_argument("labels", type=Path, metavar="LABELS", help="a folder or file of labels")
    parser.add_argument("--group", metavar="NAME", help="annotation group, made where there is none of that name")
    parser.add_argument("--format", choices=tuple(FORMATS), help="of the labels; default: found out")
    parser.add_argument(
        "--map", action="append", default=[], metavar="OLD=NEW", help="class OLD of the files as category NEW (nothing: left out)"
    )
    parser.add_argument("--replace", action="store_true", help="also images that were submitted before")


def run_annotate(workspace: Workspace, options: argparse.Namespace, terminal: Terminal) -> None:
    workspace.require_writing()
    dataset = find_dataset(workspace, options.dataset)
    group = _existing_group(workspace, dataset, options.group)
    plan = plan_labels(workspace, dataset.id, group.id if group else None, options.labels.expanduser().absolute(), options.format)
    if not plan.boxes:
        raise UserError(f"No label in {options.labels} belongs to an image of “{dataset.name}”: they are matched by file name.")
    mapping = _mapping(plan, options.map)
    if group is None:
        name = options.group or annotate.suggested_group_name(workspace, dataset.id)
        group = workspace.store.groups.create(dataset.id, name)
        workspace.changes.publish("groups", "datasets")
    report = apply_labels(workspace, group.id, plan, mapping, options.replace)
    terminal.say(f"Group {group.id} “{group.name}”: {report.images:,} images with {report.boxes:,} boxes submitted.")
    for match in plan.classes:
        target = mapping[match.name]
        terminal.say(f"  {match.name}: {match.boxes:,} boxes" + (", left out" if target is None else ""))
    if report.kept:
        terminal.say(f"{report.kept:,} images were submitted before and stayed as they were (--replace takes the new labels).")
    terminal.say_list(f"{len(plan.unmatched):,} labels have no image in the dataset:", plan.unmatched)
    terminal.say_list(f"{len(plan.problems):,} problems:", plan.problems)
    terminal.result(
        group=group.id,
        name=group.name,
        images=report.images,
        boxes=report.boxes,
        kept=report.kept,
        unmatched=list(plan.unmatched),
        problems=list(plan.problems),
    )


def _existing_group(workspace: Workspace, dataset: Dataset, given: str | None) -> AnnotationGroup | None:
    groups = workspace.store.groups.list(dataset.id)
    if given is None:
        return find_group(workspace, dataset, None) if groups else None
    named = [each for each in groups if given in (each.name, str(each.id))]
    return named[0] if named else None


def _mapping(plan: LabelPlan, changes: list[str]) -> dict[str, int | str | None]:
    mapping = standard_mapping(plan)
    for change in changes:
        old, equals, new = change.partition("=")
        if not equals or old not in mapping:
            known = ", ".join(mapping)
            raise UserError(f"--map {change}: write OLD=NEW, where OLD is a class of the files: {known}.")
        mapping[old] = new or None
    return mapping


def add_export_labels(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", help="name or number")
    parser.add_argument("target", type=Path, metavar="FOLDER", help="a new folder is made in it")
    parser.add_argument("--group", metavar="NAME", help="annotation group, where there are several")
    parser.add_argument("--format", choices=tuple(entry[0] for entry in label_formats()), default="yolo")


def run_export_labels(workspace: Workspace, options: argparse.Namespace, terminal: Terminal) -> None:
    dataset = find_dataset(workspace, options.dataset)
    group = find_group(workspace, dataset, options.group)
    report = export_labels(workspace, group.id, options.format, options.target.expanduser().absolute())
    terminal.say(f"{report.images:,} images with {report.boxes:,} boxes are in {report.folder}")
    terminal.say_list("Class numbers:", [f"{number} {name}" for number, name in report.numbers])
    terminal.say_list(f"{len(report.problems):,} problems:", report.problems)
    terminal.result(
        folder=str(report.folder),
        images=report.images,
        boxes=report.boxes,
        classes=dict(report.numbers),
        problems=report.problems,
    )
