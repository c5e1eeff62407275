"""The commands `recipe` and `pretrained` of darknet-bridge: arguments, then the library."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from . import recipes
from .errors import FormatError, shown
from .formats import format_cfg, write_cfg
from .recipes import pretrained


class _Parser(argparse.ArgumentParser):
    """Wrong arguments end like every other bad input: with a message and exit code 10."""

    def error(self, message: str) -> NoReturn:
        raise FormatError(f"{self.prog}: {message}; --help shows the options")


def recipe_command(arguments: Sequence[str]) -> int:
    """`recipe MODEL --classes N [options] [-o FILE]`: writes a cfg to a file, or to stdout."""
    parser = _recipe_parser()
    args = parser.parse_args(arguments)
    options = recipes.RecipeOptions(
        classes=args.classes,
        width=args.width,
        height=args.height or args.width,
        batch=args.batch,
        subdivisions=args.subdivisions,
        max_batches=args.steps,
        burn_in=args.burn_in,
        learning_rate=args.rate,
        flip=args.flip,
        random=args.random,
        mosaic=args.mosaic,
        anchors=None if args.anchors is None else recipes.parse_anchors(args.anchors, "--anchors"),
        max_boxes=args.max_boxes,
        stopbackward=args.stopbackward,
    )
    cfg = recipes.get_recipe(args.model).build(options)
    if args.output is None:
        sys.stdout.write(format_cfg(cfg))
    else:
        write_cfg(args.output, cfg)
        sys.stdout.write(f"{shown(args.output)}: {args.model}, {args.classes} classes\n")
    return 0


def pretrained_command(arguments: Sequence[str]) -> int:
    """`pretrained list`, `get NAME`, `check FILE [NAME]`."""
    parser = _Parser(
        prog="darknet-bridge pretrained", description="Weights to start training from. Nothing is downloaded unasked."
    )
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    commands.add_parser("list", help="what there is, and what is here")
    get = commands.add_parser("get", help="download (or cut from a larger file), check, and print the path")
    get.add_argument("name")
    check = commands.add_parser("check", help="whether a file is the one it should be")
    check.add_argument("file", type=Path)
    check.add_argument("name", nargs="?", help="what it should be (default: what its size says)")
    parser.add_argument("--folder", type=Path, default=None, help=f"default: {shown(pretrained.default_folder())}")
    args = parser.parse_args(arguments)
    if args.command == "list":
        return _list_pretrained(args.folder)
    if args.command == "check":
        return _check_pretrained(args.file, args.name)
    path = pretrained.obtain(args.name, args.folder, _progress if sys.stderr.isatty() else None)
    sys.stdout.write(f"{shown(path)}\n")
    return 0


def _recipe_parser() -> argparse.ArgumentParser:
    models = "\n".join(f"  {recipe.id:14} {recipe.label}" for recipe in recipes.list_recipes())
    parser = _Parser(
        prog="darknet-bridge recipe",
        description="Writes a cfg for a model and N classes, ready to train.",
        epilog=f"models:\n{models}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model")
    parser.add_argument("--classes", type=int, required=True)
    parser.add_argument("-o", "--output", type=Path, help="default: stdout")
    parser.add_argument("--width", type=int, help="input size in pixels, a multiple of 32")
    parser.add_argument("--height", type=int, help="default: the width")
    parser.add_argument("--batch", type=int, help="images per step")
    parser.add_argument("--subdivisions", type=int, help="parts a batch is computed in: more need less memory")
    parser.add_argument("--steps", type=int, help="default: 5000, or 1000 a class")
    parser.add_argument("--burn-in", type=int, help="warm-up steps")
    parser.add_argument("--rate", type=float, help="learning rate")
    parser.add_argument("--anchors", help='"w,h, w,h, ..." in pixels of the input')
    parser.add_argument("--max-boxes", type=int, help="most objects in one picture (200)")
    parser.add_argument("--stopbackward", type=int, help="yolov4-custom: steps before the backbone is trained")
    for name, text in (("flip", "mirrored pictures"), ("random", "many input sizes"), ("mosaic", "four pictures in one")):
        parser.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, default=None, help=f"train with {text}")
    return parser


def _list_pretrained(folder: Path | None) -> int:
    for entry in pretrained.CATALOGUE:
        here = pretrained.find(entry, folder)
        state = f"here: {shown(here)}" if here else "to download" if entry.urls else f"cut from {entry.cut_from}"
        sum_text = "sha256 known" if entry.sha256 else "size known"
        sys.stdout.write(f"{entry.name:22} {entry.recipe:14} {entry.size:>12,} bytes  {sum_text:12}  {state}\n")
    return 0


def _check_pretrained(file: Path, name: str | None) -> int:
    entry = pretrained.identify(file) if name is None else pretrained.catalogue_entry(name)
    if entry is None:
        raise FormatError("its size is that of no file in the catalogue; `darknet-bridge inspect CFG FILE` tells more", str(file))
    digest = pretrained.verify(file, entry)
    known = "as published" if entry.sha256 else "no published checksum to compare with"
    sys.stdout.write(f"{shown(file)}: {entry.name}, sha256 {digest} ({known})\n")
    return 0


def _progress(done: int, total: int) -> None:
    sys.stderr.write(f"\r{done / 1e6:.1f} of {total / 1e6:.1f} MB{' ' * 4}" + ("\n" if done == total else ""))
    sys.stderr.flush()
