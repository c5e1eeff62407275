"""Builds native/ with CMake and puts the library and the program `darknet` into darknet_bridge/_native.

All metadata is in setup.cfg. A wheel gets a build tree of its own; an editable install shares build/release with ./studio,
which builds by itself and says so with DK_NATIVE_READY=1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import ClassVar

from setuptools import Command, Distribution, setup
from setuptools.command.build import build

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # setuptools before 70.1
    from wheel.bdist_wheel import bdist_wheel

ROOT = Path(__file__).resolve().parent
NATIVE = Path("darknet_bridge") / "_native"
BUILT = ("libdarknet_bridge.so", "darknet")


def onednn_root() -> Path:
    """The prefix that holds oneDNN's headers: this environment, or the temporary one pip builds in."""
    package = metadata.distribution("onednn-devel-cpu-gomp")
    for file in package.files or []:
        if file.name == "dnnl.hpp" and file.parent.name == "include":
            return Path(str(package.locate_file(file))).resolve().parent.parent
    raise SystemExit("onednn-devel-cpu-gomp is installed, but its dnnl.hpp is not where its file list says")


class BuildNative(Command):
    """A sub-command of `build`: compiles native/ and installs it into the build folder, or into the source tree."""

    description = "build the native library and program with CMake"
    user_options: ClassVar[list[tuple[str, str | None, str]]] = []

    def initialize_options(self) -> None:
        self.editable_mode = False
        self.build_lib: str | None = None

    def finalize_options(self) -> None:
        self.set_undefined_options("build_py", ("build_lib", "build_lib"))

    def run(self) -> None:
        if self.editable_mode and os.environ.get("DK_NATIVE_READY") == "1":
            return
        tree = ROOT / "build" / ("release" if self.editable_mode else "wheel")
        prefix = ROOT if self.editable_mode else Path(str(self.build_lib)).resolve()
        if not self.editable_mode and tree.exists():
            shutil.rmtree(tree)  # its cache may name a build environment that pip has removed since
        configure = ["cmake", "-S", str(ROOT / "native"), "-B", str(tree), "-G", "Ninja", f"-DDK_ONEDNN_ROOT={onednn_root()}"]
        configure += [f"-DDK_EXTRA_RPATH={Path(sys.prefix) / 'lib' if self.editable_mode else ''}"]
        subprocess.run(configure, check=True)
        subprocess.run(["cmake", "--build", str(tree), "--target", "dk_product"], check=True)
        strip = [] if self.editable_mode else ["--strip"]
        subprocess.run(["cmake", "--install", str(tree), "--prefix", str(prefix), *strip], check=True)

    def get_outputs(self) -> list[str]:
        return [str(Path(str(self.build_lib)) / NATIVE / name) for name in BUILT]

    def get_output_mapping(self) -> dict[str, str]:
        return {path: str(NATIVE / Path(path).name) for path in self.get_outputs()} if self.editable_mode else {}

    def get_source_files(self) -> list[str]:
        folders = ("native", "third_party")
        return [str(p.relative_to(ROOT)) for f in folders for p in sorted((ROOT / f).rglob("*")) if p.is_file()]


class NativeDistribution(Distribution):
    """Says that the wheel holds compiled code, although it has no extension module of Python's."""

    def has_ext_modules(self) -> bool:
        return True


class PlatformWheel(bdist_wheel):
    """The library is reached through ctypes: one wheel serves every Python 3 on this platform."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


build.sub_commands.append(("build_native", None))
setup(distclass=NativeDistribution, cmdclass={"build_native": BuildNative, "bdist_wheel": PlatformWheel})
