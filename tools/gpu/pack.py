"""Packs what the native build needs and a machine with a card may lack: ./studio gpu-pack, on a machine where ./studio setup ran.

Into build/gpu-pack.tar.xz: headers and libraries of oneDNN, libjpeg-turbo, libpng and zlib, doctest's header and cuDNN's
headers, as a prefix for CMake. build.py builds from it there, without a network. The sources are not in it: they are the
checkout. CMake, ninja or make, g++ and nvcc must be there.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from places import ROOT

JPEG_HEADERS = ("jpeglib.h", "jconfig.h", "jmorecfg.h", "jerror.h")
PNG_HEADERS = ("png.h", "pngconf.h", "pnglibconf.h", "zlib.h", "zconf.h")
LIBRARIES = ("jpeg", "png16", "png", "z")


def compiler(*arguments: str) -> str:
    return subprocess.run(["c++", *arguments], input="", capture_output=True, text=True, check=True).stdout


def include_folders() -> list[Path]:
    """Where the compiler looks for headers."""
    said = subprocess.run(["c++", "-E", "-x", "c++", "-v", "-"], input="", capture_output=True, text=True, check=True).stderr
    listed = said.split("#include <...> search starts here:")[1].split("End of search list")[0]
    return [Path(line.strip()) for line in listed.splitlines() if line.strip()]


def system_header(name: str) -> Path:
    """Raises SystemExit where the development package is missing."""
    for folder in include_folders():
        if (folder / name).is_file():
            return folder / name
    raise SystemExit(f"{name} is not here: ./studio setup installs what the native build needs")


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def pack_library(name: str, folder: Path) -> None:
    """lib<name>.so under the name that programs ask for at run time, and a link by which the linker finds it."""
    plain = Path(compiler(f"-print-file-name=lib{name}.so").strip())
    if not plain.is_absolute():
        raise SystemExit(f"lib{name}.so is not here: ./studio setup installs what the native build needs")
    words = subprocess.run(["readelf", "-d", str(plain)], capture_output=True, text=True, check=True).stdout
    soname = next(line.split("[")[1].split("]")[0] for line in words.splitlines() if "(SONAME)" in line)
    if not (folder / soname).exists():
        copy(plain.resolve(), folder / soname)
    (folder / f"lib{name}.so").symlink_to(soname)


def site_folders(environment: Path) -> Iterator[Path]:
    yield from environment.glob("lib/python3*/site-packages")


def pack_wheels(environment: Path, target: Path) -> None:
    """oneDNN's headers and library, and cuDNN's headers where that wheel is."""
    if not (environment / "include" / "dnnl.hpp").is_file():
        raise SystemExit(f"{environment} has no oneDNN: run ./studio setup first")
    for header in sorted((environment / "include").glob("dnnl*")):
        copy(header, target / "include" / header.name)
    shutil.copytree(environment / "include" / "oneapi", target / "include" / "oneapi")
    (library,) = (path.resolve() for path in (environment / "lib").glob("libdnnl.so.3"))
    copy(library, target / "lib" / "libdnnl.so.3")
    subprocess.run(["strip", "--strip-unneeded", str(target / "lib" / "libdnnl.so.3")], check=True)
    (target / "lib" / "libdnnl.so").symlink_to("libdnnl.so.3")
    for site in site_folders(environment):
        for header in (site / "nvidia" / "cudnn" / "include").glob("cudnn*.h"):
            copy(header, target / "cudnn" / "include" / header.name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "gpu-pack.tar.xz")
    parser.add_argument("--environment", type=Path, default=ROOT / ".venv", help="where pip put oneDNN and cuDNN")
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        for name in (*JPEG_HEADERS, *PNG_HEADERS, "doctest/doctest.h"):
            copy(system_header(name), target / "include" / name)
        pack_wheels(args.environment, target)
        for name in LIBRARIES:
            pack_library(name, target / "lib")
        with tarfile.open(args.out, "w:xz", preset=1) as archive:
            archive.add(target, ".")
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
