"""Builds the engine, its CUDA back end and tests without a network, from build/gpu-pack.tar.xz (pack.py), into build/gpu.

Needs g++, CMake, nvcc for the CUDA back end, and ninja or make; they are looked for on the PATH, beside this Python, and in
/usr/local/cuda/bin. cuDNN's headers are taken from an NVIDIA wheel (PyTorch brings it), else from the pack. Where a card is and
nvcc is not, that is an error; elsewhere the build goes on without the back end.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from places import ROOT, card_is_here, package_folders

TARGETS = ("dk_product", "dk_tests", "dk_bench_pictures")


def find_tools() -> None:
    """Puts the folders of cmake, ninja and nvcc on the PATH."""
    places = [str(Path(sys.executable).parent), "/usr/local/cuda/bin"]
    other = shutil.which("python3")
    if other:
        places.append(str(Path(other).resolve().parent))
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", "/usr/bin:/bin"), *places])
    for tool in ("c++", "cmake"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is not here; the build needs it")


def unpack(archive: Path, folder: Path) -> Path:
    """The pack as files. Once: what was unpacked is kept until the archive is newer."""
    mark = folder / "unpacked"
    if not mark.exists() or mark.stat().st_mtime < archive.stat().st_mtime:
        shutil.rmtree(folder, ignore_errors=True)
        with tarfile.open(archive) as pack:
            pack.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)  # not in Python 3.10
            pack.extractall(folder)
        mark.touch()
    return folder


def cudnn_root(pack: Path) -> Path | None:
    """The folder whose include/ has cuDNN's headers: of a wheel of this Python or python3, else the pack's."""
    roots = [folder / "nvidia" / "cudnn" for folder in package_folders()]
    return next((root for root in [*roots, pack / "cudnn"] if (root / "include" / "cudnn_graph.h").is_file()), None)


def configure(pack: Path, tree: Path) -> list[str]:
    """CMake's command line."""
    command = ["cmake", "-S", str(ROOT / "native"), "-B", str(tree), "-DDK_TESTS=ON", "-DDK_BENCH=ON"]
    command += [f"-DCMAKE_PREFIX_PATH={pack}", f"-DDK_ONEDNN_ROOT={pack}"]
    if shutil.which("ninja"):
        command += ["-G", "Ninja"]
    cudnn = cudnn_root(pack)
    if cudnn and shutil.which("nvcc"):
        return [*command, "-DDK_CUDA=ON", f"-DDK_CUDNN_ROOT={cudnn}"]
    if card_is_here():
        raise SystemExit("a card is here, but " + ("cuDNN's headers are not" if shutil.which("nvcc") else "nvcc is not"))
    return [*command, "-DDK_CUDA=OFF"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, default=ROOT / "build" / "gpu-pack.tar.xz")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "gpu")
    parser.add_argument("--configure", action="store_true", help="only see whether everything is there")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    args = parser.parse_args()
    if not args.pack.is_file():
        raise SystemExit(
            f"{args.pack} is not here: ./studio gpu-pack makes it on a machine where ./studio setup ran; bring it here"
        )
    tree: Path = args.out.resolve()
    begin = time.monotonic()
    find_tools()
    tree.mkdir(parents=True, exist_ok=True)
    pack = unpack(args.pack, tree / "pack")
    build = ["cmake", "--build", str(tree), "-j", str(args.jobs), "--target", *TARGETS]
    for command in (configure(pack, tree), *([] if args.configure else [build])):
        log = tree / "build.log"
        with log.open("w") as output:
            done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            print(log.read_text("utf-8", "replace")[-4000:], file=sys.stderr)
            print(f"failed: {' '.join(command)}", file=sys.stderr)
            return 1
    print(f"{tree}: {'configured' if args.configure else 'built'} in {time.monotonic() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
